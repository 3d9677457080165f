"""What is to be done when, on time that nobody but the caller moves: milliseconds, and nothing waits for them."""

import heapq
from collections.abc import Callable

Action = Callable[[], None]


class Agenda:
    """Actions in the order of their times; those of one time in the order in which they were put down, or as they say."""

    def __init__(self, now: int = 0) -> None:
        """`now` in ms."""
        self.now = now
        self._due: list[tuple[int, int, Action]] = []
        self._serial = 0

    @property
    def next(self) -> int | None:
        """When the next thing happens, in ms; None: nothing will, until somebody puts something down."""
        return self._due[0][0] if self._due else None

    def at(self, time: int, action: Action, order: int | None = None) -> None:
        """Has `action` done at `time`, behind what is due then already.

        `order`, below 0 and of this action alone: before all that has none, the lowest first. What comes from elsewhere is then
        done in the same order whenever it is put down.
        """
        self._serial += 1
        heapq.heappush(self._due, (max(time, self.now), self._serial if order is None else order, action))

    def step(self) -> None:
        """Does what is next, at its time; there must be something. What it raises is the caller's."""
        self.now, _, action = heapq.heappop(self._due)
        action()

    def run(self, until: int) -> None:
        """Does all that is due until then, in order, and leaves the time there."""
        while self._due and self._due[0][0] <= until:
            self.step()
        self.now = max(self.now, until)
