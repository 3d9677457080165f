"""Rounds as operators see them: the record with its figures."""

from collections.abc import Sequence

from folkmoot.parts import WHOLE
from folkmoot_cloud.contributions import repository as contributions
from folkmoot_cloud.database import ReadSession
from folkmoot_cloud.faults import NotFound
from folkmoot_cloud.models.schemas import EvaluationView
from folkmoot_cloud.pages import Page, Window
from folkmoot_cloud.rounds import repository
from folkmoot_cloud.rounds.schemas import BelatedView, MemberView, RoundView, Tally
from folkmoot_cloud.runs import repository as runs
from folkmoot_cloud.tables import Member, Round


async def listing(session: ReadSession, tenant: str, run_id: str, window: Window) -> Page[RoundView]:
    """Gives a page of a run's rounds. Raises NotFound for the run."""
    if await runs.find(session, tenant, run_id) is None:
        raise NotFound(f"there is no run {run_id}")
    found = await repository.listing(session, tenant, run_id, window)
    return Page(items=await _views(session, found.items), next=found.next)


async def show(session: ReadSession, tenant: str, run_id: str, number: int) -> RoundView:
    """Gives a round. Raises NotFound, also for one that has not begun."""
    return (await _views(session, [await _find(session, tenant, run_id, number)]))[0]


async def members(
    session: ReadSession,
    tenant: str,
    run_id: str,
    number: int,
    window: Window,
    *,
    gateway: str | None,
    fate: str | None,
    devices: bool | None,
) -> Page[MemberView]:
    """Gives a page of what became of whom. Raises NotFound."""
    await _find(session, tenant, run_id, number)
    found = await repository.members(session, tenant, run_id, number, window, gateway=gateway, fate=fate, devices=devices)
    return Page(items=[_member(row) for row in found.items], next=found.next)


async def _find(session: ReadSession, tenant: str, run_id: str, number: int) -> Round:
    found = await repository.find(session, tenant, run_id, number)
    if found is None:
        raise NotFound(f"there is no round {number} of a run {run_id}, or it has not begun")
    return found


async def _views(session: ReadSession, rounds: Sequence[Round]) -> list[RoundView]:
    if not rounds:
        return []
    tenant, run_id, numbers = rounds[0].tenant, rounds[0].run_id, [one.number for one in rounds]
    tallies = {(number, homes): Tally() for number in numbers for homes in (True, False)}
    for number, homes, fate, count in await repository.tallies(session, tenant, run_id, numbers):
        tally = tallies[number, homes]
        name = "waiting" if fate == "asked" else fate
        setattr(tally, name, count)
        tally.asked += count
    known = await repository.evaluations(session, tenant, run_id, numbers)
    late: dict[int, list[BelatedView]] = {number: [] for number in numbers}
    for row in await contributions.belated(session, tenant, run_id, numbers):
        late[row.number].append(
            BelatedView(gateway=row.member, asked=row.asked, local=row.local, factor=row.factor / WHOLE, devices=row.leaves)
        )
    return [
        RoundView(
            **{name: getattr(one, name) for name in _COLUMNS},
            gateways=tallies[one.number, True],
            devices=tallies[one.number, False],
            belated=late[one.number],
            seconds=(one.closed_at - one.started_at).total_seconds() if one.closed_at is not None else None,
            evaluation=EvaluationView.model_validate(known[one.number]) if one.number in known else None,
        )
        for one in rounds
    ]


_COLUMNS = tuple(RoundView.model_fields.keys() & Round.__table__.columns.keys())


def _member(row: Member) -> MemberView:
    values = {name: getattr(row, name) for name in MemberView.model_fields}
    return MemberView.model_validate(values | {"device": row.device or None})
