"""What the cloud's program is told of devices that somebody wants out of open rounds, and what it tells."""

from dataclasses import dataclass

from folkmoot.hop import events
from folkmoot.hop.open_round import Kept


@dataclass(frozen=True, slots=True)
class Retract:
    """A device is to be out of an open round; `kept` gives the answer that its update is in."""

    run: str
    number: int
    device: str
    kept: Kept = lambda sha256: None  # a default that keeps nothing


@dataclass(frozen=True, slots=True)
class Retracted:
    """A device is out of an open round, below each of these gateways."""

    run: str
    number: int
    device: str
    gateways: tuple[str, ...]
    undone: tuple[bytes, str] | None  # Ask and member of the answer that was taken out of the sums
    belated: tuple[events.Belated, ...] = ()  # answers to earlier Asks that were taken out as well, and for good


@dataclass(frozen=True, slots=True)
class Postponed:
    """A retraction is for later: the answer that the device is in has come since its request was read."""

    run: str
