"""A node's disk with a note of everything that the node was told by it.

What it is told is not a function of what came in: blobs and pieces are left from earlier lives, others are gone, rotten, or
have no room. So it is part of a recording, answer by answer.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from folkmoot.errors import DiskFault, PeerFault, StoreFault
from folkmoot.flight.entry import Call, Ref
from folkmoot.flight.shelf import Shelf
from folkmoot.hop.ports import Blobs, Outbox, Spool
from folkmoot.wire import chunks

T = TypeVar("T")
PEER, STORE = "peer", "store"  # whose fault a call ended with


class Notes:
    """What was asked since the last record, and the contents that go with it."""

    def __init__(self) -> None:
        self.on = True
        self.calls: list[Call] = []
        self.contents: list[bytes] = []
        self.known: Shelf[int] = Shelf()
        self.pieces: dict[bytes, Pieces] = {}

    def take(self) -> tuple[list[Call], list[bytes]]:
        """Gives what was noted, and begins anew."""
        taken = self.calls, self.contents
        self.calls, self.contents = [], []
        return taken

    def forget(self) -> None:
        """Knows no content any more: a part begins that is to be read without the ones before it."""
        self.known.clear()
        self.pieces.clear()

    def refer(self, sha256: bytes, content: bytes) -> Ref:
        """Gives what stands for a content: it is attached unless it is known."""
        if self.known.put(sha256, len(content), len(content)):
            return sha256
        self.contents.append(content)
        return len(self.contents) - 1

    def ask(self, name: str, key: bytes, call: Callable[[], T], show: Callable[[T], Any] | None = None) -> T:
        """Makes a call and notes what came of it. A disk that does not do ends the life: that is not noted."""
        if not self.on:
            return call()
        try:
            found = call()
        except DiskFault:
            raise
        except (PeerFault, StoreFault) as fault:
            told = [PEER, fault.reason, fault.detail] if isinstance(fault, PeerFault) else [STORE, "", str(fault)]
            self.calls.append(Call(name, key, told))
            raise
        self.calls.append(Call(name, key, found if show is None else show(found)))
        return found


class Pieces:
    """Which pieces of a transfer were written while we looked."""

    def __init__(self, size: int, chunk: int) -> None:
        self.form = (size, chunk)
        self._seen = chunks.Bitmap(chunks.count(size, chunk))

    def add(self, index: int) -> None:
        """Notes a piece."""
        self._seen.add(index)

    @property
    def full(self) -> bool:
        """Whether all of them were."""
        return self._seen.full


class NotedLibrary:
    """A library (folkmoot.hop.ports.Library)."""

    def __init__(self, blobs: Blobs, notes: Notes) -> None:
        self._blobs = blobs
        self._notes = notes

    def has(self, blob: bytes) -> bool:
        """Whether the blob is here, whole and sound."""
        return self._notes.ask("has", blob, lambda: self._blobs.has(blob))

    def read(self, blob: bytes) -> bytes:
        """Gives the blob's bytes."""
        return self._notes.ask("read", blob, lambda: self._blobs.read(blob), lambda data: self._notes.refer(blob, data))

    def put(self, data: bytes, blob: bytes = b"") -> bytes:
        """Stores a blob; gives its sha256."""
        blob = self._blobs.put(data, blob)
        self._notes.known.put(blob, len(data), len(data))
        return blob


class NotedSpool:
    """A spool (folkmoot.hop.ports.Spool)."""

    def __init__(self, spool: Spool, notes: Notes) -> None:
        self._spool = spool
        self._notes = notes
        self.limit = spool.limit

    def fits(self, payload: bytes, size: int) -> bool:
        """Whether there is a place for a transfer of `size` bytes now, or it has one."""
        return self._notes.ask("fits", payload, lambda: self._spool.fits(payload, size))

    def rest(self, payload: bytes) -> None:
        """Keeps what is there of a transfer, and gives its place to another one."""
        self._spool.rest(payload)

    def resume(self, payload: bytes) -> int:
        """Gives the bytes of a piece of a transfer that pieces can be written to; 0 where there is none."""
        return self._notes.ask("resume", payload, lambda: self._spool.resume(payload))

    def have(self, payload: bytes, size: int, chunk: int) -> chunks.Bitmap:
        """Gives which chunks are there."""
        found = self._notes.ask("have", payload, lambda: self._spool.have(payload, size, chunk), bytes)
        pieces = self._notes.pieces
        if payload not in pieces or pieces[payload].form != (size, chunk):
            pieces[payload] = Pieces(size, chunk)
        return found

    def write(self, payload: bytes, index: int, data: bytes) -> bool:
        """Stores one chunk; says whether all are there."""
        full = self._notes.ask("write", payload, lambda: self._spool.write(payload, index, data))
        if (pieces := self._notes.pieces.get(payload)) is not None:
            pieces.add(index)
        return full

    def read(self, payload: bytes) -> bytes:
        """Gives the whole payload."""

        def show(data: bytes) -> int | None:
            pieces = self._notes.pieces.get(payload)
            if pieces is not None and pieces.full:
                return None  # whoever reads the recording has seen every piece
            self._notes.contents.append(data)
            return len(self._notes.contents) - 1

        return self._notes.ask("whole", payload, lambda: self._spool.read(payload), show)

    def drop(self, payload: bytes) -> None:
        """Forgets it."""
        self._notes.pieces.pop(payload, None)
        self._spool.drop(payload)


class NotedOutbox:
    """An outbox (folkmoot.hop.ports.Outbox)."""

    def __init__(self, outbox: Outbox, notes: Notes) -> None:
        self._outbox = outbox
        self._notes = notes

    def payload(self, owner: str, payload: bytes) -> bytes | None:
        """Gives what was kept, or None where it is gone."""
        return kept(self._notes, payload, lambda: self._outbox.payload(owner, payload))

    def piece(self, owner: str, payload: bytes, start: int, size: int) -> bytes | None:
        """Gives a part of it. It leaves without the node's seeing it, and is not noted."""
        return self._outbox.piece(owner, payload, start, size)


def kept(notes: Notes, payload: bytes, call: Callable[[], bytes | None]) -> bytes | None:
    """Looks for an answer that was kept, and notes what was there."""
    return notes.ask("kept", payload, call, lambda data: None if data is None else notes.refer(payload, data))
