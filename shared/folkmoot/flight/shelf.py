"""Contents that both ends of a recording know by their sha256: what was written once is not written again."""

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")
# Bytes that whoever replays keeps in memory: programs and weights of the rounds that are under way are read again, little else.
ROOM = 128 << 20
ENTRY = 4_096  # bytes that an entry counts beside its content: on a gateway, where most are small, there are 32,768 at the most


class Shelf(Generic[T]):
    """What was used last, up to so many bytes.

    The recorder keeps sizes, the reader the contents themselves; both put and get alike, so that they agree on what is there.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._kept: OrderedDict[bytes, tuple[T, int]] = OrderedDict()
        self._size = 0

    def put(self, sha256: bytes, content: T, size: int) -> bool:
        """Keeps something; says whether it was there. `size`: bytes of the content itself."""
        known = self.get(sha256) is not None
        if not known:
            self._kept[sha256] = (content, size)
            self._size += size + ENTRY
            while self._size > self._room and len(self._kept) > 1:
                _, (_, gone) = self._kept.popitem(last=False)
                self._size -= gone + ENTRY
        return known

    def get(self, sha256: bytes) -> T | None:
        """Gives what is kept, which counts as used; None where it is not there."""
        found = self._kept.get(sha256)
        if found is None:
            return None
        self._kept.move_to_end(sha256)
        return found[0]

    def clear(self) -> None:
        """Forgets everything."""
        self._kept.clear()
        self._size = 0
