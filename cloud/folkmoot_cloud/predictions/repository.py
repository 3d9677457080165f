"""Queries about what predictions are made from, and what they are compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Executable, and_, case, func, or_, select, type_coerce
from sqlalchemy.orm import aliased, undefer

from folkmoot_cloud.columns import milliseconds
from folkmoot_cloud.database import ReadSession
from folkmoot_cloud.predictions.aftermath import Late
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.tables import Contribution, Device, Gateway, Member, Round, Run, Task

# How far back a prediction looks: enough for percentiles, and read in a moment however large the fleet is.
RUNS = 20
ROUNDS = 30
VERSIONS = 10  # of an asynchronous run, for one round that waits for all: each is of a few answers
MEMBERS = 8_000  # rows

# What rows say, plain: they are made into more where nobody waits for it.
Listed = tuple[str, str, int, str, str, int, bool, int, int]
"""A device: name, gateway, examples, software, runtime, memory, whether it is up, ms up, ms down."""
Told = tuple[Any, ...]
"""A member of a round: the fields of a Fate."""
Come = tuple[str, bool, int, int]
"""A gateway: name, whether it is up, ms up, ms down."""


@dataclass(frozen=True, slots=True)
class Found:
    """The newest rounds of one program, oldest first."""

    rounds: list[tuple[Round, Run, list[Told]]]
    late: Mapping[tuple[str, int], dict[str, Late]]  # run and number of an asynchronous round, to answers that came later
    complete: bool  # whether there are no others


async def devices(session: ReadSession, tenant: str, contract: str, at: datetime) -> list[Listed]:
    """Gives the devices that are not gone and have examples of a contract, with the time of their presence up to `at`."""
    about = (Device.id, Device.gateway, Device.examples, Device.software, Device.runtime, Device.memory)
    presence = _presence(Device, and_(Device.state == "up", Device.why_not == ""), at)
    there = (Device.tenant == tenant, Device.state != "gone", Device.data == contract, Device.examples > 0)
    return [tuple(row) for row in await session.execute(select(*about, *presence).where(*there))]


async def gateways(session: ReadSession, tenant: str, at: datetime) -> list[Come]:
    """Gives the gateways that are not gone, with the time of their presence up to `at`."""
    presence = _presence(Gateway, and_(Gateway.state == "up", Gateway.ready), at)
    wanted = select(Gateway.id, *presence).where(Gateway.tenant == tenant, Gateway.state != "gone")
    return [tuple(row) for row in await session.execute(wanted)]


def _presence(table: type[Device] | type[Gateway], up: ColumnElement[bool], at: datetime) -> Sequence[ColumnElement[Any]]:
    """Gives whether somebody is there, and ms in which he was there, and was not."""
    known = milliseconds(at) - type_coerce(table.changed_at, BigInteger)
    passed = case((known > 0, known), else_=0)
    return up, table.up_ms + case((up, passed), else_=0), table.down_ms + case((up, 0), else_=passed)


async def rounds(session: ReadSession, tenant: str, program: str) -> Found:
    """Gives the newest rounds with a program that are over and were not called off, with all of their members."""
    of_task = (Task.tenant == Run.tenant) & (Task.id == Run.task_id)
    mine = (Run.tenant == tenant, Task.program == program, Run.done > 0)
    wanted = select(Run).join(Task, of_task).where(*mine)
    runs = list(await session.scalars(wanted.order_by(Run.created_at.desc(), Run.id).limit(RUNS + 1)))
    by_id = {run.id: run for run in runs[:RUNS]}
    newest = (
        select(Round)
        .where(Round.tenant == tenant, Round.run_id.in_(by_id), Round.status == "closed", Round.outcome != "stopped")
        .order_by(Round.started_at.desc(), Round.number.desc())
        .limit(ROUNDS * VERSIONS + 1)
    )
    over = list(await session.scalars(newest))
    looks = accumulate(1 if by_id[one.run_id].buffer is not None else VERSIONS for one in over)
    near = [one for one, looked in zip(over, looks, strict=True) if looked <= ROUNDS * VERSIONS]
    complete = len(runs) <= RUNS and len(near) == len(over)
    sizes = await _sizes(session, tenant, near)
    kept: list[Round] = []
    rows = 0
    for one in near:
        rows += sizes.get((one.run_id, one.number), 0)
        if kept and rows > MEMBERS:
            complete = False
            break
        kept.append(one)
    members = await _members(session, tenant, kept)
    late = await _answers(session, tenant, [one for one in kept if by_id[one.run_id].buffer is not None])
    found = [(one, by_id[one.run_id], members.get((one.run_id, one.number), [])) for one in reversed(kept)]
    return Found(found, late, complete)


async def _sizes(session: ReadSession, tenant: str, over: Sequence[Round]) -> dict[tuple[str, int], int]:
    if not over:
        return {}
    wanted = select(Member.run_id, Member.number, func.count()).where(Member.tenant == tenant, _these(over))
    found = await session.execute(wanted.group_by(Member.run_id, Member.number))
    return {(run, number): count for run, number, count in found}


async def _members(session: ReadSession, tenant: str, over: Sequence[Round]) -> dict[tuple[str, int], list[Told]]:
    if not over:
        return {}
    named = [getattr(Member, name) for name in Fate.__dataclass_fields__]
    wanted = select(Member.run_id, Member.number, *named).where(Member.tenant == tenant, _these(over))
    found: dict[tuple[str, int], list[Told]] = {}
    for run, number, *fate in await session.execute(wanted.order_by(Member.gateway, Member.device)):
        found.setdefault((run, number), []).append(tuple(fate))
    return found


async def _answers(session: ReadSession, tenant: str, over: Sequence[Round]) -> dict[tuple[str, int], dict[str, Late]]:
    """Gives the answers that some rounds have asked for and that count in a later one."""
    found: dict[tuple[str, int], dict[str, Late]] = {}
    about = (Contribution.asked, Contribution.member, Contribution.size, Contribution.at)
    for run, numbers in _numbers(over).items():
        wanted = select(*about).where(*_late(tenant, run), Contribution.asked.in_(numbers))
        for asked, member, size, at in await session.execute(wanted):
            found.setdefault((run, asked), {})[member] = Late(size, at.timestamp())
    return found


def _these(over: Sequence[Round]) -> Any:
    return or_(*(and_(Member.run_id == run, Member.number.in_(each)) for run, each in _numbers(over).items()))


def _numbers(over: Sequence[Round]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for one in over:
        numbers.setdefault(one.run_id, []).append(one.number)
    return numbers


async def run(session: ReadSession, tenant: str, run_id: str) -> Run | None:
    """Gives a run with what it was predicted to take."""
    wanted = select(Run).where(Run.tenant == tenant, Run.id == run_id).options(undefer(Run.prediction))
    return (await session.scalars(wanted.execution_options(populate_existing=True))).one_or_none()


@dataclass(frozen=True, slots=True)
class Taken:
    """What a round has taken."""

    seconds: float
    asked: int  # devices
    answered: int  # of them: those whose updates are in the model, or in a later one where the run is asynchronous
    bytes_up: int  # from homes to the cloud
    bytes_down: int
    home_bytes_up: int  # from devices to their gateways
    home_bytes_down: int
    train_seconds: float  # that devices have worked: as they say, and those that were late until their home or round was over


async def taken(session: ReadSession, tenant: str, run_id: str) -> list[Taken]:
    """Gives what the rounds of a run have taken that are over, first one first.

    Of an asynchronous run: answers that count in a later round are in the figures of the round that has asked for them; their
    bytes are in those of the round in which they count.
    """
    of_run = (Run.tenant == Round.tenant) & (Run.id == Round.run_id)
    mine = (Round.tenant == tenant, Round.run_id == run_id, Round.status == "closed")
    over = (await session.execute(select(Round, Run).join(Run, of_run).where(*mine).order_by(Round.number))).all()
    asynchronous = bool(over) and over[0][1].buffer is not None
    members = await session.execute(_members_of(tenant, run_id, asynchronous=asynchronous))
    by_number = {row[0]: row[1:] for row in members}
    late: dict[int, int] = {}
    if asynchronous:
        sizes = select(Contribution.number, func.sum(Contribution.size)).where(*_late(tenant, run_id))
        late = {number: int(size) for number, size in await session.execute(sizes.group_by(Contribution.number))}
    found = []
    for one, run in over:
        asked, answered, up, down, trained, late_seconds, cut, belated = by_number.get(one.number, (0,) * 8)
        seconds = (one.closed_at - one.started_at).total_seconds() if one.closed_at is not None else 0.0
        last = over[-1][0].closed_at
        left = seconds
        if asynchronous and last is not None:  # who is late goes on
            answered += belated
            left = min((last - one.started_at).total_seconds(), run.deadline_seconds)
        worked = float(trained) + float(late_seconds) + cut * left
        below = one.bytes_up - int(up), one.bytes_down - int(down)
        up += late.get(one.number, 0)
        found.append(Taken(seconds, int(asked), int(answered), int(up), int(down), *below, worked))
    return found


def _late(tenant: str, run_id: str) -> Sequence[ColumnElement[bool]]:
    """Says of contributions of a run whether they answer an Ask of an earlier round, and count."""
    mine = (Contribution.tenant == tenant, Contribution.run_id == run_id)
    return (*mine, Contribution.asked != Contribution.number, Contribution.local == 0, Contribution.factor > 0)


def _members_of(tenant: str, run_id: str, *, asynchronous: bool) -> Executable:
    """Gives the query for sums over the members of each round of a run."""
    home = aliased(Member)
    above = and_(
        home.tenant == Member.tenant,
        home.run_id == Member.run_id,
        home.number == Member.number,
        home.gateway == Member.gateway,
        home.device == "",
    )
    answer = and_(*_late(tenant, run_id), Contribution.asked == Member.number, Contribution.member == Member.gateway)
    device, late = Member.device != "", Member.fate == "late"
    if asynchronous:  # a round may be over before anybody has said that he has begun
        late = or_(late, and_(Member.fate == "silent", Member.reason == "goal"))
    working = and_(device, late, Member.train_seconds.is_(None), Contribution.ask.is_(None))
    sums = (
        func.sum(case((device, 1), else_=0)),
        func.sum(case((and_(device, Member.fate == "answered"), 1), else_=0)),
        func.sum(case((device, 0), else_=Member.bytes_up)),
        func.sum(case((device, 0), else_=Member.bytes_down)),
        func.sum(case((device, func.coalesce(Member.train_seconds, 0.0)), else_=0.0)),
        func.sum(case((working, func.coalesce(home.seconds, 0.0)), else_=0.0)),
        func.sum(case((and_(working, home.seconds.is_(None)), 1), else_=0)),
        func.sum(case((device, 0), else_=func.coalesce(Contribution.leaves, 0))),
    )
    return (
        select(Member.number, *sums)
        .join(home, above)
        .outerjoin(Contribution, answer)
        .where(Member.tenant == tenant, Member.run_id == run_id)
        .group_by(Member.number)
    )
