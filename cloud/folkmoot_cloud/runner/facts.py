"""Facts: what the cloud's program tells the tables of a step (folkmoot_cloud.runner.journal)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from folkmoot.hop import effects, events
from folkmoot.hop.roster import Entry
from folkmoot.hop.seat import Seat
from folkmoot.wire.partial import Leaf, Partial
from folkmoot_cloud.runner.campaign import Campaign, Quality
from folkmoot_cloud.runner.retraction import Postponed, Retracted


@dataclass(frozen=True, slots=True)
class GatewayTold:
    """A gateway has said how it is, or what it has."""

    gateway: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class Given:
    """These shards are no longer ours."""

    shards: frozenset[str]


@dataclass(frozen=True, slots=True)
class RunMoved:
    """A run is in another state."""

    run: str
    status: Literal["running", "paused", "finished"]
    outcome: Literal["completed", "failed", "stopped"] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RoundOpened:
    """A training round has begun."""

    run: str
    number: int
    base: int
    members: tuple[events.Invitation, ...]


@dataclass(frozen=True, slots=True)
class AnswerTaken:
    """An answer is in the sums."""

    run: str
    number: int
    ask: bytes
    member: str
    payload: bytes
    size: int
    leaves: int
    belated: events.Belated | None = None  # where it answers the Ask of an earlier round


@dataclass(frozen=True, slots=True)
class AnswerRefused:
    """An answer to an earlier Ask of a run that still goes on does not count in it."""

    run: str
    number: int  # of the round that had asked
    member: str
    local: int
    reason: str


@dataclass(frozen=True, slots=True)
class RoundClosed:
    """A training round is over: what became of everybody, and the traffic of it."""

    run: str
    number: int
    closed: effects.Closed
    learnt: bool  # there is a new version, which this round has made
    seats: Mapping[str, Seat]
    sums: Partial
    traffic: Mapping[str, tuple[int, int]]  # gateway to bytes up and down
    answered_ms: Mapping[str, int]  # gateway to ms from asked to answered
    belated: tuple[events.Belated, ...] = ()  # answers to earlier Asks that are in the sums; not in their leaves
    below: Mapping[bytes, tuple[Leaf, ...]] = field(default_factory=dict)  # those of these answers, by their payloads


@dataclass(frozen=True, slots=True)
class Learnt:
    """There is a new version of the model."""

    run: str
    number: int
    campaign: Campaign


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The quality of a version is known."""

    run: str
    version: int
    quality: Quality


Fact = (
    GatewayTold
    | Given
    | RunMoved
    | RoundOpened
    | AnswerTaken
    | AnswerRefused
    | Retracted
    | Postponed
    | RoundClosed
    | Learnt
    | Evaluated
)
