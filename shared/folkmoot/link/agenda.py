"""What is to be done when, on time that nobody but the caller moves: milliseconds, and nothing waits for them."""

from collections.abc import Callable
from heapq import heappop, heappush
from operator import itemgetter
from typing import Any

Action = Callable[..., Any]
Due = tuple[Action, tuple[Any, ...]]


class Agenda:
    """Actions in the order of their times; those of one time in the order in which they were put down, or as they say.

    A millisecond has a list of its own: of large trees thousands of packets arrive in one, and a heap of them would be larger
    than any cache.
    """

    __slots__ = ("_due", "_first", "_times", "now")

    def __init__(self, now: int = 0) -> None:
        """`now` in ms."""
        self.now = now
        self._times: list[int] = []  # at which something is due, a heap
        self._due: dict[int, list[Due]] = {}
        self._first: dict[int, list[tuple[int, Due]]] = {}  # what has an order of its own

    @property
    def next(self) -> int | None:
        """When the next thing happens, in ms; None: nothing will, until somebody puts something down."""
        return self._times[0] if self._times else None

    def at(self, time: int, action: Action, *given: Any, order: int | None = None) -> None:
        """Has `action(*given)` done at `time`, behind what is due then already.

        `order`, of this action alone: before all that has none, the lowest first; `time` is then later than now. What comes
        from elsewhere is so done in the same order whenever it is put down.
        """
        if time < self.now:
            time = self.now
        due = self._due.get(time)
        if due is None:
            due = self._due[time] = []
            heappush(self._times, time)
        if order is None:
            due.append((action, given))
        else:
            assert time > self.now, "what has an order of its own comes before that time has begun"
            self._first.setdefault(time, []).append((order, (action, given)))

    def step(self) -> None:
        """Does what is next, at its time; there must be something. What it raises is the caller's."""
        due = self._begin()
        action, given = due.pop(0)
        self._end(due)
        action(*given)

    def run(self, until: int) -> None:
        """Does all that is due until then, in order, and leaves the time there."""
        while self._times and self._times[0] <= until:
            due, done = self._begin(), 0
            try:
                for action, given in due:  # which grows, where more is put down for now
                    done += 1
                    action(*given)
            finally:
                del due[:done]
                self._end(due)
        self.now = max(self.now, until)

    def _begin(self) -> list[Due]:
        """Gives what is due next, at the time when it is."""
        now = self.now = self._times[0]
        due = self._due[now]
        if now in self._first:
            due[:0] = [action for _, action in sorted(self._first.pop(now), key=itemgetter(0))]
        return due

    def _end(self, due: list[Due]) -> None:
        if not due:
            del self._due[heappop(self._times)]
