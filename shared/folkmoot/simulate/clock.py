"""A machine's wall clock as its owner has left it: right, at 1970, in next year, set while the machine runs, or adrift."""

from dataclasses import dataclass
from typing import Literal

from folkmoot.clock import EARLIEST


@dataclass(frozen=True, slots=True)
class Skew:
    """A clock that is wrong, and goes wrong."""

    off: int  # ms that it is fast at the beginning; below 0: slow
    drift: float  # ms that it gains in a ms


Setting = Literal["right", "1970", "next year"] | Skew
YEAR = 365 * 86_400_000  # ms


def wall(setting: Setting, now: int) -> int:
    """Gives what the clock shows at `now` ms of the world's time, in ms since 1970."""
    if setting == "right":
        return EARLIEST + now
    if isinstance(setting, Skew):
        return EARLIEST + setting.off + now + round(setting.drift * now)
    return now if setting == "1970" else EARLIEST + YEAR + now
