"""The disk of a node that lives through a recording: it says what the real one said."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from folkmoot.errors import PeerFault, StoreFault
from folkmoot.flight.entry import Call, Ref
from folkmoot.flight.port import PEER
from folkmoot.flight.shelf import Shelf
from folkmoot.wire import chunks, codec

LIMIT = 1 << 62  # bytes: what a played spool takes, where nobody says otherwise


class Buffer:
    """A transfer, as far as its pieces have come."""

    def __init__(self, size: int, chunk: int) -> None:
        self.form = (size, chunk)
        self.content = bytearray(size)
        self.bitmap = chunks.Bitmap(chunks.count(size, chunk))


class Played:
    """Library, spool, outbox and counter of births in one (folkmoot.hop.ports).

    What is asked and was not asked then, which happens to a reader who starts in the middle, is answered by what came in: as by
    a disk that was empty when the recording begins.
    """

    def __init__(self) -> None:
        self.limit = LIMIT
        self.strange = 0  # questions that were not asked then, or were and are not asked now, since `expect`
        self.found: Callable[[bytes, bytes], None] = lambda sha256, content: None
        """Hears of answers that were kept in an earlier life."""
        self._shelf: Shelf[bytes] = Shelf()
        self._told: dict[tuple[str, bytes], deque[Any]] = {}
        self._contents: Sequence[bytes] = ()
        self._buffers: dict[bytes, Buffer] = {}

    def expect(self, calls: Sequence[Call], contents: Sequence[bytes] = ()) -> None:
        """Prepares for what the node is about to ask."""
        self._told = {}
        self.strange = 0
        self._contents = contents
        for call in calls:
            self._told.setdefault((call.name, call.key), deque()).append(call.value)

    @property
    def open(self) -> int:
        """How many answers nobody has asked for."""
        return sum(map(len, self._told.values()))

    def resolve(self, ref: Ref) -> bytes:
        """Gives a content. Raises StoreFault where it is not there: the node has gone another way before."""
        if isinstance(ref, int):
            content = self._contents[ref]
            self._shelf.put(codec.digest(content), content, len(content))
            return content
        found = self._shelf.get(ref)
        if found is None:
            raise StoreFault(f"the content {ref.hex()[:16]} is not in the recording")
        return found

    def keep(self, sha256: bytes, content: bytes) -> None:
        """Knows a content that the node has made itself."""
        self._shelf.put(sha256, content, len(content))

    def births(self, hop: str) -> int:
        """Gives the counter of a hop's connection."""
        return int(self._ask("births", hop.encode(), lambda: 0))

    # Library.

    def has(self, blob: bytes) -> bool:
        """Whether the blob was here."""
        return bool(self._ask("has", blob, lambda: self._shelf.get(blob) is not None))

    def read(self, blob: bytes) -> bytes:
        """Gives the blob's bytes."""
        return self.resolve(self._ask("read", blob, lambda: blob))

    def put(self, data: bytes, blob: bytes = b"") -> bytes:
        """Keeps a blob; gives its sha256."""
        blob = blob or codec.digest(data)
        self._shelf.put(blob, data, len(data))
        return blob

    # Spool.

    def fits(self, payload: bytes, size: int) -> bool:
        """Whether there was a place."""
        return bool(self._ask("fits", payload, lambda: True))

    def rest(self, payload: bytes) -> None:
        """Does nothing: the pieces stay."""

    def resume(self, payload: bytes) -> int:
        """Gives the bytes of a piece of such a transfer; 0 where there was none."""
        buffer = self._buffers.get(payload)
        return int(self._ask("resume", payload, lambda: 0 if buffer is None else buffer.form[1]))

    def have(self, payload: bytes, size: int, chunk: int) -> chunks.Bitmap:
        """Gives which pieces were there."""
        buffer = self._buffers.get(payload)
        if buffer is None or buffer.form != (size, chunk):
            buffer = self._buffers[payload] = Buffer(size, chunk)
        ours = buffer
        return chunks.Bitmap(chunks.count(size, chunk), self._ask("have", payload, lambda: bytes(ours.bitmap)))

    def write(self, payload: bytes, index: int, data: bytes) -> bool:
        """Takes a piece; says whether all were there."""
        buffer = self._buffers.get(payload)
        if buffer is not None and index < buffer.bitmap.total:
            chunk = buffer.form[1]
            buffer.content[index * chunk : index * chunk + len(data)] = data
            buffer.bitmap.add(index)
        return bool(self._ask("write", payload, lambda: buffer is not None and buffer.bitmap.full))

    def whole(self, payload: bytes) -> bytes:
        """Gives the payload of a transfer."""
        found = self._ask("whole", payload, lambda: None)
        if found is not None:
            return self._contents[int(found)]
        return bytes(self._buffers[payload].content)

    def drop(self, payload: bytes) -> None:
        """Forgets a transfer."""
        self._buffers.pop(payload, None)

    # Outbox.

    def payload(self, owner: str, payload: bytes) -> bytes | None:
        """Gives an answer that was kept."""
        return self.kept(payload)

    def kept(self, payload: bytes) -> bytes | None:
        """Gives an answer that was kept."""
        known = self._shelf.get(payload)
        ref = self._ask("kept", payload, lambda: payload if known is not None else None)
        if ref is None:
            return None
        content = self.resolve(ref)
        self.found(payload, content)
        return content

    def piece(self, owner: str, payload: bytes, start: int, size: int) -> bytes | None:
        """Gives nothing: nothing leaves."""
        return None

    def _ask(self, name: str, key: bytes, otherwise: Callable[[], Any]) -> Any:
        told = self._told.get((name, key))
        if not told:
            self.strange += 1
            return otherwise()
        value = told.popleft()
        if isinstance(value, list):
            kind, reason, detail = value
            raise PeerFault(reason, detail) if kind == PEER else StoreFault(detail)
        return value


class PlayedSpool:
    """The spool's side of it: `read` means another thing there than in a library."""

    def __init__(self, played: Played) -> None:
        self.fits, self.rest, self.resume = played.fits, played.rest, played.resume
        self.have, self.write, self.drop, self.read = played.have, played.write, played.drop, played.whole
        self.limit = played.limit
