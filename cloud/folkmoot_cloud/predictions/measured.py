"""What a prediction is made from: who is there, what rounds have taken, and what is asked for. Plain values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runner.campaign import Cohort

Kind = tuple[str, str, int]
"""Software, runtime and bytes of memory: devices with the same ones are taken to be alike."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much training a device is asked for (folkmoot.wire.messages.Plan)."""

    epochs: int
    steps: int  # 0: as many as the epochs take
    max_examples: int  # 0: all
    batch: int

    def of(self, examples: int) -> int:
        """Gives the steps of a device with so many examples (folkmoot.serve.batches)."""
        if self.steps:
            return self.steps
        taken = min(examples, self.max_examples) if self.max_examples else examples
        return self.epochs * -(-taken // self.batch)


@dataclass(frozen=True, slots=True)
class Device:
    """A device that could be asked."""

    name: str
    gateway: str
    examples: int
    up: float  # share of the time in which it can be


@dataclass(frozen=True, slots=True)
class Past:
    """A round that is over."""

    deadline: float  # seconds
    seconds: float
    effort: Effort
    bytes_up: int  # on all hops, payloads
    bytes_down: int
    members: Sequence[Fate]  # gateways and devices


def homes_of(members: Sequence[Fate]) -> Iterator[tuple[Fate, list[Fate]]]:
    """Yields each gateway of a round's members with the devices below it."""
    below: dict[str, list[Fate]] = {}
    for one in members:
        if one.device:
            below.setdefault(one.gateway, []).append(one)
    for one in members:
        if not one.device:
            yield one, below.get(one.gateway, [])


def waited(home: Fate, past: Past) -> float:
    """Gives for how many seconds a home was waited for that has not answered."""
    return past.seconds if home.seconds is None else home.seconds


@dataclass(frozen=True, slots=True)
class Fleet:
    """Who is there, and what has been measured of them with one program."""

    devices: Sequence[Device]
    homes: Mapping[str, float]  # gateway to the share of the time in which it can be asked
    kinds: Mapping[str, Kind]  # by device
    rounds: Sequence[Past]  # oldest first
    complete: bool  # whether these are all rounds that there have been with the program
    program: int  # bytes


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run is to be."""

    rounds: int
    effort: Effort
    cohort: Cohort
    minimum: int  # devices below which a round makes no version
    deadline: float  # seconds
    over_selection: float
    most: int  # devices that a round may ask
    evaluate: bool
    buffer: int = 0  # answers that make a version, of whichever round; 0: rounds are synchronous
    staleness: int = 0  # versions that such an answer may be behind


@dataclass(frozen=True, slots=True)
class Power:
    """What a device takes beyond rest. The defaults are those of a simulated one (docs/simulation.md)."""

    watts: float = 2.0  # while it trains
    joules_per_mb: float = 5.0  # of what it sends and receives
