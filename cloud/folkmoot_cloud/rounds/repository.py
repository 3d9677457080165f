"""Queries about rounds, what became of their members, and how good the models were."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update

from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.pages import Rows, Window, page
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.statements import upsert
from folkmoot_cloud.tables import Contribution, Evaluation, Member, Round, Run

# (number, whether gateways, fate, how many)
Count = tuple[int, bool, str, int]


async def add(session: Session, found: Round) -> None:
    """Stores a round that begins."""
    session.add(found)
    await session.flush()


async def listing(session: ReadSession, tenant: str, run_id: str, window: Window) -> Rows[Round]:
    """Gives a page of a run's rounds, first one first."""
    rows = select(Round).where(Round.tenant == tenant, Round.run_id == run_id)
    return await page(session, rows, window, Round.number)


async def find(session: ReadSession, tenant: str, run_id: str, number: int) -> Round | None:
    """Gives a round."""
    return await session.get(Round, (tenant, run_id, number))


async def close(session: Session, tenant: str, run_id: str, number: int, **values: Any) -> datetime | None:
    """Writes what came of a round; gives when it began, and None where there is none."""
    mine = (Round.tenant == tenant) & (Round.run_id == run_id) & (Round.number == number)
    done = await session.scalars(update(Round).where(mine).values(status="closed", **values).returning(Round.started_at))
    return done.one_or_none()


async def open_ones(session: ReadSession, tenant: str, run_id: str) -> list[int]:
    """Gives the numbers of a run's rounds that are not over: one at most, unless something went wrong."""
    wanted = select(Round.number).where(Round.tenant == tenant, Round.run_id == run_id, Round.status == "open")
    return list(await session.scalars(wanted.order_by(Round.number)))


async def everybody(session: ReadSession, tenant: str, run_id: str, number: int) -> Sequence[Member]:
    """Gives all members of a round, as they are in the database now, each gateway before its devices."""
    wanted = select(Member).where(Member.tenant == tenant, Member.run_id == run_id, Member.number == number)
    wanted = wanted.order_by(Member.gateway, Member.device).execution_options(populate_existing=True)
    return (await session.scalars(wanted)).all()


async def asked(session: ReadSession, tenant: str, device: str) -> list[tuple[str, int]]:
    """Gives the open rounds of runs that are not finished in which a device may be: run and number, sorted.

    It was asked in them, or in the round whose Ask a belated answer in them is to.
    """
    mine = (Member.tenant == tenant) & (Member.device == device)
    goes_on = (Round.status == "open") & (Run.status != "finished")
    of_run = (Run.tenant == Round.tenant) & (Run.id == Round.run_id)
    its_own = (Round.tenant == Member.tenant) & (Round.run_id == Member.run_id) & (Round.number == Member.number)
    late = (Contribution.tenant == Member.tenant) & (Contribution.run_id == Member.run_id)
    late &= (Contribution.asked == Member.number) & (Contribution.member == Member.gateway)
    holds = (Round.tenant == Member.tenant) & (Round.run_id == Member.run_id) & (Round.number == Contribution.number)
    columns = select(Round.run_id, Round.number)
    asked_in = columns.select_from(Member).join(Round, its_own).join(Run, of_run).where(mine, goes_on)
    held_in = columns.select_from(Member).join(Contribution, late).join(Round, holds).join(Run, of_run).where(mine, goes_on)
    return sorted({(run, number) for wanted in (asked_in, held_in) for run, number in await session.execute(wanted)})


async def homes(session: ReadSession, tenant: str, run_id: str, number: int, device: str) -> list[str]:
    """Gives the gateways by way of which a device was asked in a round, sorted."""
    wanted = select(Member.gateway).where(
        Member.tenant == tenant, Member.run_id == run_id, Member.number == number, Member.device == device
    )
    return list(await session.scalars(wanted.order_by(Member.gateway)))


async def tell(session: Session, tenant: str, run_id: str, number: int, fates: Iterable[Fate]) -> None:
    """Records what became of members; what was said of one before is replaced."""
    rows = [
        {
            "tenant": tenant,
            "run_id": run_id,
            "number": number,
            "gateway": one.gateway,
            "device": one.device,
            "fate": one.fate,
            "reason": one.reason,
            "bytes_up": one.bytes_up,
            "bytes_down": one.bytes_down,
            "seconds": one.seconds,
            "train_seconds": one.train_seconds,
            "steps": one.steps,
        }
        for one in fates
    ]
    await upsert(session, Member, rows)


async def worked(session: Session, tenant: str, run_id: str, number: int, jobs: Iterable[Fate]) -> None:
    """Records what jobs have taken of devices below one gateway; nothing else of their fates."""
    by_device = {one.device: one for one in jobs}
    gateways = {one.gateway for one in by_device.values()}
    wanted = select(Member).where(
        Member.tenant == tenant, Member.run_id == run_id, Member.number == number, Member.gateway.in_(gateways)
    )
    for row in await session.scalars(wanted.execution_options(populate_existing=True)):
        job = by_device.get(row.device)
        if job is not None:
            row.train_seconds, row.steps = job.train_seconds, job.steps


async def members(
    session: ReadSession,
    tenant: str,
    run_id: str,
    number: int,
    window: Window,
    *,
    gateway: str | None = None,
    fate: str | None = None,
    devices: bool | None = None,
) -> Rows[Member]:
    """Gives a page of a round's members, each gateway before its devices; only devices, only gateways, or both."""
    rows = select(Member).where(Member.tenant == tenant, Member.run_id == run_id, Member.number == number)
    for column, value in ((Member.gateway, gateway), (Member.fate, fate)):
        if value is not None:
            rows = rows.where(column == value)
    if devices is not None:
        rows = rows.where(Member.device != "" if devices else Member.device == "")
    return await page(session, rows, window, Member.gateway, Member.device)


async def closed_since(session: ReadSession, tenant: str, run_id: str, base: int) -> Sequence[Round]:
    """Gives the rounds that are over and started from version `base` or a newer one, first one first."""
    wanted = select(Round).where(
        Round.tenant == tenant, Round.run_id == run_id, Round.status == "closed", Round.base_version >= base
    )
    return (await session.scalars(wanted.order_by(Round.number))).all()


async def invited(session: ReadSession, tenant: str, run_id: str, number: int) -> Sequence[Member]:
    """Gives the gateways of a round that is over that neither refused nor were rejected, and the devices below them."""
    homes = select(Member.gateway).where(
        Member.tenant == tenant,
        Member.run_id == run_id,
        Member.number == number,
        Member.device == "",
        Member.fate.in_(("answered", "late", "silent")),
    )
    wanted = select(Member).where(
        Member.tenant == tenant, Member.run_id == run_id, Member.number == number, Member.gateway.in_(homes)
    )
    return (await session.scalars(wanted)).all()


async def tallies(session: ReadSession, tenant: str, run_id: str, numbers: Sequence[int]) -> Sequence[Count]:
    """Gives how many gateways and how many devices met which fate."""
    home = (Member.device == "").label("home")
    wanted = (
        select(Member.number, home, Member.fate, func.count())
        .where(Member.tenant == tenant, Member.run_id == run_id, Member.number.in_(numbers))
        .group_by(Member.number, home, Member.fate)
    )
    return [(number, bool(of), fate, count) for number, of, fate, count in await session.execute(wanted)]


async def evaluations(session: ReadSession, tenant: str, run_id: str, versions: Sequence[int]) -> dict[int, Evaluation]:
    """Gives how good these versions of a run were, by version."""
    wanted = select(Evaluation).where(
        Evaluation.tenant == tenant, Evaluation.run_id == run_id, Evaluation.version.in_(versions)
    )
    return {row.version: row for row in await session.scalars(wanted)}


async def newest_evaluated(session: ReadSession, tenant: str, run_id: str) -> int:
    """Gives the newest version of a run that was evaluated; -1 before there is one."""
    found = await session.scalar(
        select(func.max(Evaluation.version)).where(Evaluation.tenant == tenant, Evaluation.run_id == run_id)
    )
    return -1 if found is None else int(found)


async def evaluate(
    session: Session,
    tenant: str,
    run_id: str,
    version: int,
    *,
    loss: float | None,
    accuracy: float | None,
    examples: int,
    members: int,
    at: datetime,
) -> None:
    """Records how good a version is; a later evaluation of the same version replaces it."""
    row = {
        "tenant": tenant,
        "run_id": run_id,
        "version": version,
        "loss": loss,
        "accuracy": accuracy,
        "examples": examples,
        "members": members,
        "at": at,
    }
    await upsert(session, Evaluation, [row])
