"""What is to be done when, on time that nobody but the caller moves: milliseconds, and nothing waits for them."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

Action = Callable[..., Any]


class Agenda:
    """Actions in the order of their times; those of one time in the order in which they were put down, or as they say."""

    __slots__ = ("_due", "_serial", "now")

    def __init__(self, now: int = 0) -> None:
        """`now` in ms."""
        self.now = now
        self._due: list[tuple[int, int, Action, tuple[Any, ...]]] = []
        self._serial = 0

    @property
    def next(self) -> int | None:
        """When the next thing happens, in ms; None: nothing will, until somebody puts something down."""
        return self._due[0][0] if self._due else None

    def at(self, time: int, action: Action, *given: Any, order: int | None = None) -> None:
        """Has `action(*given)` done at `time`, behind what is due then already.

        `order`, below 0 and of this action alone: before all that has none, the lowest first. What comes from elsewhere is then
        done in the same order whenever it is put down.
        """
        self._serial += 1
        now = self.now
        heappush(self._due, (time if time > now else now, self._serial if order is None else order, action, given))

    def step(self) -> None:
        """Does what is next, at its time; there must be something. What it raises is the caller's."""
        self.now, _, action, given = heappop(self._due)
        action(*given)

    def run(self, until: int) -> None:
        """Does all that is due until then, in order, and leaves the time there."""
        due = self._due
        while due and due[0][0] <= until:
            self.now, _, action, given = heappop(due)
            action(*given)
        self.now = max(self.now, until)
