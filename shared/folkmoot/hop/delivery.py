"""What the upper end says to its members: the effects of its rounds, and the blocks of blobs, as messages that go through."""

import msgspec

from folkmoot.errors import PeerFault
from folkmoot.hop.batch import Batch, Send
from folkmoot.hop.effects import Closed, Effect, Merge, SendAsk, SendCancel, SendReceipt, Unmerge
from folkmoot.hop.ids import ask_id
from folkmoot.hop.open_round import Open
from folkmoot.hop.ports import ROOM
from folkmoot.hop.roster import Roster
from folkmoot.wire import chunks
from folkmoot.wire.messages import Ask, Block, Get, Receipt, Request
from folkmoot.wire.topics import Place

BURST = 1 << 20  # bytes of blocks that one request brings at most


class Delivery:
    """Messages down. It knows how large they may be: for the broker, and for each member by its hello."""

    def __init__(self, roster: Roster, inline: int) -> None:
        """`inline` is the size in bytes up to which payloads travel inside messages."""
        self.room = inline
        """Bytes of a payload, or of a piece of one, that the broker lets through."""
        self._roster = roster
        self._inline = inline

    def limits(self, max_packet: int) -> None:
        """Takes what the broker lets through, in bytes."""
        self.room = max(max_packet - ROOM, chunks.FLOOR)
        self._inline = min(self._inline, self.room)

    def perform(self, batch: Batch, open: Open, effects: list[Effect]) -> None:
        """Sends what a round wants sent."""
        for effect in effects:
            match effect:
                case SendAsk(member):
                    self._ask(batch, open, member)
                case SendReceipt(member, status, payload, reason):
                    receipt = Receipt(status=status, payload=payload, reason=reason)
                    batch.sends.append(Send(member, receipt, ask_id(open.key, member), open.shard))
                case SendCancel(member, reason):
                    cancel = Request(what="cancel", reason=reason)
                    batch.sends.append(Send(member, cancel, ask_id(open.key, member), open.shard))
                case Merge() | Unmerge() | Closed():
                    pass  # merged where the content is at hand; the node sees a closed round by its state

    def closed(self, batch: Batch, place: Place, ask: bytes) -> None:
        """Tells a member that the round of an Ask is over and forgotten."""
        batch.sends.append(Send(place.member, Request(what="cancel", reason="closed"), ask, place.shard))

    def need(self, batch: Batch, open: Open, member: str, payload: bytes, have: chunks.Bitmap) -> None:
        """Tells a member which pieces of its answer are here."""
        receipt = Receipt(status="need", payload=payload, have=bytes(have))
        batch.sends.append(Send(member, receipt, ask_id(open.key, member), open.shard))

    def blocks(self, batch: Batch, place: Place, ask: bytes, want: Get, blob: bytes | None) -> None:
        """Sends the blocks of a blob that a member wants; of None, that it is not here.

        Raises PeerFault("oversized") for blocks that do not go through.
        """
        member = place.member
        if blob is None:
            batch.sends.append(Send(member, Block(blob=want.blob, index=want.first, size=0), ask, place.shard))
            return
        if want.chunk > self._most(member, self.room):
            raise PeerFault("oversized", f"blocks of {want.chunk} bytes do not go through to {member}")
        last = want.first + min(want.count, max(1, BURST // want.chunk))
        for index in range(want.first, min(last, chunks.count(len(blob), want.chunk))):
            data = chunks.piece(blob, index, want.chunk)
            block = Block(blob=want.blob, index=index, size=len(blob), data=data)
            batch.sends.append(Send(member, block, ask, place.shard))

    def _ask(self, batch: Batch, open: Open, member: str) -> None:
        seat, opened = open.round.seats[member], open.round.opened
        weights = open.blobs.get(opened.ask.weights, b"")
        inline = weights if len(weights) <= self._most(member, self._inline) else None
        ask: Ask = msgspec.structs.replace(opened.ask, each=seat.each, goal=seat.goal, inline=inline)
        batch.sends.append(Send(member, ask, seat.ask, open.shard, opened.terms.deadline))

    def _most(self, member: str, ours: int) -> int:
        """Gives how many bytes may travel inside a message to this member, where we would send `ours`."""
        entry = self._roster.entries.get(member)
        theirs = entry.hello.max_packet - ROOM if entry is not None and entry.hello is not None else ours
        return min(ours, theirs)
