"""Queries about what predictions are made from, and what they are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import aliased, undefer

from folkmoot_cloud.database import ReadSession
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.tables import Device, Gateway, Member, Round, Run, Task

# How far back a prediction looks: enough for percentiles, and read in a moment however large the fleet is.
RUNS = 20
ROUNDS = 40
MEMBERS = 20_000  # rows


@dataclass(frozen=True, slots=True)
class Found:
    """The newest rounds of one program, oldest first."""

    rounds: list[tuple[Round, Run, list[Fate]]]
    complete: bool  # whether there are no others


@dataclass(frozen=True, slots=True)
class Listed:
    """A device that has ever been listed, or a gateway that has ever come up."""

    id: str
    gateway: str
    state: str
    able: bool  # it takes part when it is up
    changed_at: datetime
    up_ms: int
    down_ms: int
    examples: int = 0
    data: str = ""
    software: str = ""
    runtime: str = ""
    memory: int = 0


async def devices(session: ReadSession, tenant: str) -> list[Listed]:
    """Gives every device."""
    about = (Device.examples, Device.data, Device.software, Device.runtime, Device.memory)
    presence = (Device.changed_at, Device.up_ms, Device.down_ms)
    wanted = select(Device.id, Device.gateway, Device.state, Device.why_not == "", *presence, *about)
    return [Listed(*row) for row in map(tuple, await session.execute(wanted.where(Device.tenant == tenant)))]


async def gateways(session: ReadSession, tenant: str) -> list[Listed]:
    """Gives every gateway."""
    presence = (Gateway.changed_at, Gateway.up_ms, Gateway.down_ms)
    wanted = select(Gateway.id, Gateway.id, Gateway.state, Gateway.ready, *presence).where(Gateway.tenant == tenant)
    return [Listed(*row) for row in await session.execute(wanted)]


async def rounds(session: ReadSession, tenant: str, program: str) -> Found:
    """Gives the newest rounds with a program that are over and were not called off, with all of their members."""
    of_task = (Task.tenant == Run.tenant) & (Task.id == Run.task_id)
    wanted = select(Run).join(Task, of_task).where(Run.tenant == tenant, Task.program == program, Run.done > 0)
    runs = list(await session.scalars(wanted.order_by(Run.created_at.desc(), Run.id).limit(RUNS + 1)))
    by_id = {run.id: run for run in runs[:RUNS]}
    newest = (
        select(Round)
        .where(Round.tenant == tenant, Round.run_id.in_(by_id), Round.status == "closed", Round.outcome != "stopped")
        .order_by(Round.started_at.desc(), Round.number.desc())
        .limit(ROUNDS + 1)
    )
    over = list(await session.scalars(newest))
    complete = len(runs) <= RUNS and len(over) <= ROUNDS
    sizes = await _sizes(session, tenant, over[:ROUNDS])
    kept: list[Round] = []
    rows = 0
    for one in over[:ROUNDS]:
        rows += sizes.get((one.run_id, one.number), 0)
        if kept and rows > MEMBERS:
            complete = False
            break
        kept.append(one)
    members = await _members(session, tenant, kept)
    found = [(one, by_id[one.run_id], members.get((one.run_id, one.number), [])) for one in reversed(kept)]
    return Found(found, complete)


async def _sizes(session: ReadSession, tenant: str, over: Sequence[Round]) -> dict[tuple[str, int], int]:
    if not over:
        return {}
    wanted = select(Member.run_id, Member.number, func.count()).where(Member.tenant == tenant, _these(over))
    found = await session.execute(wanted.group_by(Member.run_id, Member.number))
    return {(run, number): count for run, number, count in found}


async def _members(session: ReadSession, tenant: str, over: Sequence[Round]) -> dict[tuple[str, int], list[Fate]]:
    if not over:
        return {}
    named = [getattr(Member, name) for name in Fate.__dataclass_fields__]
    wanted = select(Member.run_id, Member.number, *named).where(Member.tenant == tenant, _these(over))
    found: dict[tuple[str, int], list[Fate]] = {}
    for run, number, *fate in await session.execute(wanted.order_by(Member.gateway, Member.device)):
        found.setdefault((run, number), []).append(Fate(*fate))
    return found


def _these(over: Sequence[Round]) -> Any:
    numbers: dict[str, list[int]] = {}
    for one in over:
        numbers.setdefault(one.run_id, []).append(one.number)
    return or_(*(and_(Member.run_id == run, Member.number.in_(each)) for run, each in numbers.items()))


async def run(session: ReadSession, tenant: str, run_id: str) -> Run | None:
    """Gives a run with what it was predicted to take."""
    wanted = select(Run).where(Run.tenant == tenant, Run.id == run_id).options(undefer(Run.prediction))
    return (await session.scalars(wanted.execution_options(populate_existing=True))).one_or_none()


@dataclass(frozen=True, slots=True)
class Taken:
    """What a round has taken."""

    seconds: float
    asked: int  # devices
    answered: int
    bytes_up: int  # from homes to the cloud
    bytes_down: int
    home_bytes_up: int  # from devices to their gateways
    home_bytes_down: int
    train_seconds: float  # that devices have worked: as they say, and those that were late until their home or round was over


async def taken(session: ReadSession, tenant: str, run_id: str) -> list[Taken]:
    """Gives what the rounds of a run have taken that are over, first one first."""
    home = aliased(Member)
    above = and_(
        home.tenant == Member.tenant,
        home.run_id == Member.run_id,
        home.number == Member.number,
        home.gateway == Member.gateway,
        home.device == "",
    )
    device, late = Member.device != "", and_(Member.device != "", Member.fate == "late")
    sums = (
        func.sum(case((device, 1), else_=0)),
        func.sum(case((and_(device, Member.fate == "answered"), 1), else_=0)),
        func.sum(case((device, 0), else_=Member.bytes_up)),
        func.sum(case((device, 0), else_=Member.bytes_down)),
        func.sum(case((device, func.coalesce(Member.train_seconds, 0.0)), else_=0.0)),
        func.sum(case((late, func.coalesce(home.seconds, 0.0)), else_=0.0)),
        func.sum(case((and_(late, home.seconds.is_(None)), 1), else_=0)),
    )
    wanted = (
        select(Member.number, *sums)
        .join(home, above)
        .where(Member.tenant == tenant, Member.run_id == run_id)
        .group_by(Member.number)
    )
    by_number = {row[0]: row[1:] for row in await session.execute(wanted)}
    over = select(Round).where(Round.tenant == tenant, Round.run_id == run_id, Round.status == "closed")
    found = []
    for one in await session.scalars(over.order_by(Round.number)):
        asked, answered, up, down, trained, late_seconds, cut = by_number.get(one.number, (0,) * 7)
        seconds = (one.closed_at - one.started_at).total_seconds() if one.closed_at is not None else 0.0
        worked = float(trained) + float(late_seconds) + cut * seconds
        above_homes = int(up), int(down)
        below = one.bytes_up - above_homes[0], one.bytes_down - above_homes[1]
        found.append(Taken(seconds, int(asked), int(answered), *above_homes, *below, worked))
    return found
