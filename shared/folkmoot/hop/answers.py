"""Answers on their way up, as manifests and pieces that go through; their bytes are in the outbox."""

from collections.abc import Iterator
from functools import partial

from folkmoot.errors import StoreFault
from folkmoot.hop import member
from folkmoot.hop.batch import Batch, Send
from folkmoot.hop.ports import Outbox
from folkmoot.wire import chunks
from folkmoot.wire.messages import Answer, Chunk
from folkmoot.wire.topics import Tree

PREFIX = "m/"  # of the journal keys of members
ATTEMPTS = 1_000  # the most that a manifest can say


class Answers:
    """The answers of one lower end."""

    __slots__ = ("_carried", "_name", "_outbox", "_tree", "chunk", "inline", "room")

    def __init__(self, tree: Tree, name: str, outbox: Outbox, inline: int) -> None:
        """`inline`: bytes up to which an answer travels inside its manifest."""
        self.inline = inline
        self.room = chunks.LARGE
        """Bytes of a piece that the broker lets through, at most."""
        self.chunk = chunks.CHUNK
        """Bytes of a piece of what begins now."""
        self._carried = 0  # bytes in pieces, over this connection
        self._tree = tree
        self._name = name
        self._outbox = outbox

    def limits(self, room: int) -> None:
        """Takes what the broker lets through of a payload, in bytes."""
        self.inline = min(self.inline, room)
        self.room = min(chunks.LARGE, room)
        self.chunk = min(self.chunk, self.room)

    def carried(self, size: int) -> None:
        """Hears that pieces of so many bytes have come through, either way: the more, the larger are those of what begins."""
        self._carried += size
        self.chunk = max(self.chunk, min(chunks.suited(self._carried), self.room))

    def parted(self) -> None:
        """The connection is gone. The next one may be expected to carry as much."""
        self.chunk = min(chunks.suited(self._carried), self.room)
        self._carried = 0

    def payload(self, batch: Batch, item: member.Member, kept: bytes = b"") -> bytes | None:
        """Gives the answer that is offered, or what else is `kept` of it; None where it is gone from the store."""
        wanted = kept or item.payload
        fresh = next((keep.content for keep in batch.keeps if keep.payload == wanted), None)
        return fresh if fresh is not None else self._outbox.payload(PREFIX + item.id.hex(), wanted)

    def manifest(self, item: member.Member, data: bytes, attempt: int) -> Send:
        """Gives what offers an answer."""
        named = item.ask.offline is not None
        manifest = Answer(
            base=item.ask.base,
            weights=item.ask.weights if item.local is None else item.local.weights,
            program=item.ask.program,
            payload=item.payload,
            size=item.size,
            chunk=self._piece(item),
            attempt=min(attempt, ATTEMPTS),
            inline=data if len(data) <= self.inline else None,
            run=item.ask.run if named else "",
            round=item.ask.round if named else 0,
            local=0 if item.local is None else item.local.number,
        )
        return Send(self._name, manifest, item.id, self._tree.shard(item.ask.run))

    def pieces(self, item: member.Member, have: bytes) -> Iterator[Send]:
        """Gives what the upper end lacks. A piece is cut when it leaves: of a large answer, few are in memory at once."""
        chunk = self._piece(item)
        fill = partial(self._cut, PREFIX + item.id.hex(), item.size, chunk)
        for index in chunks.Bitmap(chunks.count(item.size, chunk), have).missing():
            body = Chunk(payload=item.payload, index=index, data=b"")
            yield Send(self._name, body, item.id, self._tree.shard(item.ask.run), fill=fill)

    def _piece(self, item: member.Member) -> int:
        """Gives how many bytes a piece of an answer has: always the same ones, for the upper end knows it by them."""
        return min(item.chunk, self.room)

    def _cut(self, owner: str, size: int, chunk: int, piece: Chunk) -> Chunk | None:
        start = piece.index * chunk
        try:
            data = self._outbox.piece(owner, piece.payload, start, min(chunk, size - start))
        except StoreFault:
            return None  # no step is under way that it could end: the next offer, which reads all of it, will
        return None if data is None else Chunk(payload=piece.payload, index=piece.index, data=data)
