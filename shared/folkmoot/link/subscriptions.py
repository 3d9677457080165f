"""Who has subscribed to what, in a broker in memory.

Filters that have their wildcards at the same levels are looked up at once: a topic with + put there is the filter itself. A
home's broker has four such kinds of filters, however many clients. A tree of levels takes longer, and 2 KB a client. (V.
Srinivasan, S. Suri, G. Varghese, "Packet Classification using Tuple Space Search", SIGCOMM 1999.)
"""

from typing import Generic, TypeVar

T = TypeVar("T")

_Kind = tuple[int, tuple[int, ...], bool]  # levels, which of them are +, and whether the last one is #


class Subscriptions(Generic[T]):
    """Subscribers, by their filters."""

    __slots__ = ("_kinds",)

    def __init__(self) -> None:
        self._kinds: dict[_Kind, dict[str, list[T]]] = {}

    def add(self, pattern: str, one: T) -> None:
        """Has somebody hear what a filter says."""
        self._kinds.setdefault(_kind(pattern), {}).setdefault(pattern, []).append(one)

    def remove(self, pattern: str, one: T) -> None:
        """Has somebody who has heard it hear it no more."""
        filters = self._kinds[_kind(pattern)]
        filters[pattern].remove(one)
        if not filters[pattern]:
            del filters[pattern]

    def find(self, topic: str) -> list[T]:
        """Gives who is to hear of a topic (MQTT 5, 4.7), once for each of his filters."""
        heard: list[T] = []
        found = topic.split("/")
        for (count, wild, deep), filters in self._kinds.items():
            if deep:
                if len(found) < count - 1:
                    continue
                levels = [*found[: count - 1], "#"]
            elif len(found) == count:
                levels = found.copy() if wild else found
            else:
                continue
            for at in wild:
                levels[at] = "+"
            some = filters.get("/".join(levels))
            if some is not None and (levels[0] not in ("+", "#") or not topic.startswith("$")):
                heard += some
        return heard


def _kind(pattern: str) -> _Kind:
    levels = pattern.split("/")
    return len(levels), tuple(at for at, level in enumerate(levels) if level == "+"), levels[-1] == "#"
