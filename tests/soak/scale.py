"""How large a soak is."""

from dataclasses import dataclass
from typing import Literal

Manner = Literal["goodbye", "kill"]


@dataclass(frozen=True)
class Restart:
    """A gateway that ends at a part of the time, and is started again at once."""

    part: float
    gateway: str
    manner: Manner


@dataclass(frozen=True)
class Scale:
    """Sizes, and what growth is too much."""

    devices: int
    minutes: float
    homes: int
    restarts: tuple[Restart, ...]
    growth: float  # MiB of resident memory that a process may grow by in the time that is judged
    pooled: int = 0  # connections to its database that the cloud may have more of in the end
    crowd: int = 25  # devices of one process, which come and go together
    deadline: float = 8.0  # seconds of a round
    rounds: int = 10  # of a run; then another one begins
    churn: float = 5.0  # seconds between two departures

    @property
    def seconds(self) -> float:
        """How long it takes, without what begins and ends it."""
        return self.minutes * 60

    @property
    def gateways(self) -> list[str]:
        """Their names."""
        return [f"g{number}" for number in range(1, self.homes + 1)]


# By then nothing is new to an allocator or a cache. A gateway that ended lives on for more than half of the time on one side.
LONG_RESTARTS = (Restart(0.25, "g2", "kill"), Restart(0.75, "g3", "goodbye"))


def long(devices: int = 500, minutes: float = 20.0) -> Scale:
    """Gives the soak whose figures are stated."""
    return Scale(devices=devices, minutes=minutes, homes=4, restarts=LONG_RESTARTS, growth=2.0)


def short() -> Scale:
    """Gives the soak for every day: what leaks a little does not show in it, what leaks much does.

    The cloud's pool of connections grows when more sessions than before meet, up to a bound: here that may be at any time.
    """
    return Scale(
        devices=96,
        minutes=1.5,
        homes=2,
        restarts=(Restart(0.3, "g2", "kill"),),
        growth=6.0,
        pooled=2,
        crowd=16,
        deadline=5.0,
        rounds=4,
        churn=4.0,
    )
