"""Who has subscribed to what: finds the filters that a topic matches (MQTT 5, 4.7) without looking at each of them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

Of = TypeVar("Of")


class Subscribers(Generic[Of]):
    """Filters, and who has them by number.

    A broker has many filters of few forms: for each form there is one filter that a topic matches, which is looked up (V.
    Srinivasan, S. Suri, G. Varghese, "Packet Classification using Tuple Space Search", SIGCOMM 1999). That takes half the
    memory of a tree of levels, and leaves no cycles behind, as a generator that calls itself does.
    """

    __slots__ = ("_forms", "_held")

    def __init__(self) -> None:
        self._held: dict[str, dict[int, Of]] = {}
        self._forms: Counter[tuple[int, ...]] = Counter()

    def add(self, pattern: str, number: int, one: Of) -> None:
        """Has somebody hear what a filter says."""
        if pattern not in self._held:
            self._held[pattern] = {}
            self._forms[_form(pattern)] += 1
        self._held[pattern][number] = one

    def remove(self, pattern: str, number: int) -> None:
        """Has them hear it no more."""
        held = self._held[pattern]
        del held[number]
        if held:
            return
        del self._held[pattern]
        form = _form(pattern)
        self._forms[form] -= 1
        if not self._forms[form]:
            del self._forms[form]

    def of(self, topic: str) -> Iterator[Mapping[int, Of]]:
        """Yields who has subscribed to a topic, filter by filter."""
        levels = topic.split("/")
        for length, rest, *wild in self._forms:
            if len(levels) < length or (len(levels) > length and not rest):
                continue
            if topic.startswith("$") and (0 in wild or not length):
                continue
            wanted = [*levels[:length], "#"] if rest else levels[:]
            for at in wild:
                wanted[at] = "+"
            held = self._held.get("/".join(wanted))
            if held is not None:
                yield held


def _form(pattern: str) -> tuple[int, ...]:
    """Gives what filters have in common: how many levels before "#", whether that is there, and which of them are "+"."""
    levels = pattern.split("/")
    rest = levels[-1] == "#"
    if rest:
        levels.pop()
    return len(levels), rest, *(at for at, level in enumerate(levels) if level == "+")
