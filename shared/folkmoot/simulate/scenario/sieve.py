"""The blocks of a blob that this process has already, as they arrive once more: all that is kept is which ones have come."""

from folkmoot.simulate.disk import BLOBS
from folkmoot.wire import chunks


class Sieve:
    """Takes the place of a spool (folkmoot.hop.ports.Spool) for one download."""

    __slots__ = ("_chunk", "_here")
    limit = 0

    def __init__(self) -> None:
        self._chunk = 0
        self._here = chunks.Bitmap(0)

    def resume(self, payload: bytes) -> int:
        """Gives the bytes of a block of what has begun to come; 0: nothing has."""
        return self._chunk

    def have(self, payload: bytes, size: int, chunk: int) -> chunks.Bitmap:
        """Gives which blocks have come."""
        if chunk != self._chunk:
            self._chunk, self._here = chunk, chunks.Bitmap(chunks.count(size, chunk))
        return chunks.Bitmap(self._here.total, bytes(self._here))

    def write(self, payload: bytes, index: int, data: bytes) -> bool:
        """Notes a block; says whether all have come."""
        self._here.add(index)
        return self._here.full

    def read(self, payload: bytes) -> bytes:
        """Gives the blob."""
        return BLOBS[payload]

    def drop(self, payload: bytes) -> None:
        """Has none of it."""
        self._chunk = 0

    def fits(self, payload: bytes, size: int) -> bool:
        """Says yes: it takes no room."""
        return True

    def rest(self, payload: bytes) -> None:
        """Has nothing to put anywhere."""
