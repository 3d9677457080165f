"""A run that is over, as tables (folkmoot.simulate.result)."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from folkmoot.hop.events import Belated
from folkmoot.simulate.result.tables import Device, Member, Result, Round, Scalar
from folkmoot.simulate.scenario.crew import Record
from folkmoot.simulate.scenario.document import Scenario
from folkmoot.simulate.scenario.life import Tally
from folkmoot.simulate.scenario.trade import Job


@dataclass(frozen=True, slots=True)
class Account:
    """A round, as the cloud's record has it."""

    number: int
    opened: int  # ms
    closed: int
    outcome: str
    reason: str
    fates: Mapping[str, str]  # device to why its update is not in the model; "": it is
    bytes_up: int  # of gateways to the cloud
    bytes_down: int
    messages: int  # between gateways and the cloud
    rows: int  # of the cloud's database
    examples: int
    accuracy: float | None = None  # of the model after it
    loss: float | None = None
    belated: Sequence[Belated] = ()  # answers to earlier rounds that count in this one


Way = tuple[int, int, int | None]
"""Of a device in a round: bytes up and down, and when its answer came, in ms."""


def result(scenario: Scenario, accounts: Sequence[Account], records: Iterable[Record], facts: Mapping[str, Scalar]) -> Result:
    """Gives the tables of a run."""
    tallies: list[Tally] = []
    ways: dict[tuple[int, str], Way] = {}
    messages = Counter({account.number: account.messages for account in accounts})
    for some, rounds_of in records:
        tallies += some
        for one in rounds_of:
            if one.phase == "train":
                messages[one.round] += one.messages
                ways |= {(one.round, name): way for name, way in one.members.items()}
    between = _between(ways, {tally.device.name for tally in tallies})
    members: list[Member] = []
    devices: list[Device] = []
    fates = {account.number: account.fates for account in accounts}
    late = {
        (one.round, device): account.number
        for account in accounts
        for one in account.belated
        if not one.local
        for device in one.leaves
    }
    for tally in sorted(tallies, key=lambda one: one.device.number):
        mine = list(_members(tally, fates, late, ways))
        members += mine
        devices.append(_device(tally, mine))
    members.sort(key=lambda one: (one.round, one.device))
    by_round: dict[int, list[Member]] = {account.number: [] for account in accounts}
    for member in members:
        by_round[member.round].append(member)
    rounds = [
        _round(account, by_round[account.number], messages[account.number], between.get(account.number, (0, 0)))
        for account in accounts
    ]
    return Result(scenario.name, scenario.seed, dict(facts), rounds, members, devices)


def _between(ways: Mapping[tuple[int, str], Way], devices: Container[str]) -> dict[int, tuple[int, int]]:
    """Gives the bytes up and down of gateways to the regional gateways above them, by round."""
    found: dict[int, tuple[int, int]] = {}
    for (number, name), (up, down, _) in ways.items():
        if name not in devices:
            before = found.get(number, (0, 0))
            found[number] = before[0] + up, before[1] + down
    return found


def _members(
    tally: Tally,
    fates: Mapping[int, Mapping[str, str]],
    late: Mapping[tuple[int, str], int],
    ways: Mapping[tuple[int, str], Way],
) -> Iterator[Member]:
    name = tally.device.name
    worked: dict[int, list[Job]] = {}
    for job in tally.jobs:
        if job.phase == "train":
            worked.setdefault(job.round, []).append(job)
    for number, fate in fates.items():
        if name not in fate:
            continue
        jobs = worked.get(number, [])
        last = jobs[-1] if jobs else None
        up, down, answered = ways.get((number, name), (0, 0, None))
        ms = sum(each.ends - each.asked for each in jobs)
        merged = late.get((number, name), 0) if fate[name] else number
        yield Member(
            round=number,
            device=name,
            home=tally.home,
            kind=tally.device.kind.name,
            fate="" if merged else fate[name],
            asked_s=jobs[0].asked / 1000 if jobs else None,
            started_s=None if last is None else last.asked / 1000,
            trained_s=None if last is None else last.ends / 1000,
            answered_s=None if answered is None else answered / 1000,
            bytes_up=up,
            bytes_down=down,
            joules=joules(tally, ms, up + down),
            examples=0 if last is None else last.examples,
            merged_in=merged,
        )


def _device(tally: Tally, mine: Sequence[Member]) -> Device:
    ms = sum(job.ends - job.asked for job in tally.jobs)
    return Device(
        device=tally.device.name,
        home=tally.home,
        kind=tally.device.kind.name,
        examples=tally.examples,
        asked=len(mine),
        merged=sum(not member.fate for member in mine),
        train_s=ms / 1000,
        joules=joules(tally, ms, tally.traffic.bytes_up + tally.traffic.bytes_down),
        bytes_up=tally.traffic.bytes_up,
        bytes_down=tally.traffic.bytes_down,
        away_s=tally.away_ms / 1000,
        reboots=tally.reboots,
        off_s=tally.off_ms / 1000,
        battery_j=tally.battery_j,
    )


def _round(account: Account, members: Sequence[Member], messages: int, between: tuple[int, int]) -> Round:
    up, down = (sum(getattr(one, field) for one in members) for field in ("bytes_up", "bytes_down"))
    return Round(
        number=account.number,
        phase="train",
        opened_s=account.opened / 1000,
        closed_s=account.closed / 1000,
        outcome=account.outcome,
        reason=account.reason,
        asked=len(account.fates),
        answered=sum(one.answered_s is not None for one in members),
        merged=sum(not fate for fate in account.fates.values()) + sum(len(one.leaves) for one in account.belated),
        bytes_up_home=up,
        bytes_down_home=down,
        bytes_up_between=between[0],
        bytes_down_between=between[1],
        bytes_up_cloud=account.bytes_up,
        bytes_down_cloud=account.bytes_down,
        messages=messages,
        rows=account.rows,
        joules=sum(one.joules for one in members),
        accuracy=account.accuracy,
        loss=account.loss,
        examples=account.examples,
    )


def joules(tally: Tally, ms: int, size: int) -> float:
    """Gives what work of so many ms and so many bytes both ways take of a device's energy, beyond rest."""
    kind = tally.device.kind
    return ms / 1000 * kind.watts + size / 1e6 * kind.joules_per_mb
