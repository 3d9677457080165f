"""A machine's own time, which goes on over restarts and does not believe every clock.

Two clocks: the monotonic one counts from some moment of this boot and is never set; the wall clock says what time it is, or
1970 on a board without a battery, or next year after somebody's mistake. The timeline runs with the first and asks the
second only how long the machine was off.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

# No clock that is right says anything earlier than the first release.
EARLIEST = 1_767_225_600_000  # ms since 1970: 2026-01-01T00:00:00Z
# Beyond the longest session that a broker keeps for us (7 days), four times over: what was open then is open no more, and a
# gap that long is more likely a clock set wrong. Believing it would let every deadline pass at once.
LONGEST_GAP = 28 * 86_400_000  # ms

Source = Callable[[], int]
"""A clock in milliseconds."""


def monotonic_ms() -> int:
    """Gives milliseconds since the boot, the time asleep included: a deadline passes also while a laptop is closed."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def wall_ms() -> int:
    """Gives milliseconds since 1970, as far as anybody has told this machine."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment as a journal keeps it."""

    now: int  # ms of the timeline
    wall: int  # ms since 1970


def gap(then: int, now: int) -> int:
    """Gives the milliseconds between two readings of the wall clock, or 0 where one of the two cannot be right."""
    if then < EARLIEST or not 0 <= now - then <= LONGEST_GAP:
        return 0
    return now - then


class Timeline:
    """Milliseconds that only go forward."""

    __slots__ = ("_latest", "_monotonic", "_start", "_wall", "_zero")

    def __init__(self, last: Mark | None = None, monotonic: Source = monotonic_ms, wall: Source = wall_ms) -> None:
        """Goes on from `last`, the newest mark in the journal; starts at 0 where there is none."""
        self._monotonic = monotonic
        self._wall = wall
        self._start = (last.now + gap(last.wall, wall())) if last else 0
        self._zero = monotonic()
        self._latest = self._start

    def now(self) -> int:
        """Gives the time; never less than before."""
        self._latest = max(self._latest, self._start + self._monotonic() - self._zero)
        return self._latest

    def mark(self) -> Mark:
        """Gives what to journal, so that the next process goes on from here."""
        return Mark(self.now(), self._wall())
