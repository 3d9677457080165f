"""The lower end of a hop: the Asks that this node has taken, the blobs that it pulls, and its own status.

Takes messages and the time, gives a Batch; `wanted` and `unwanted` tell the node which work to begin and to stop.
"""

from collections.abc import Callable

import msgspec

from folkmoot.errors import PeerFault
from folkmoot.hop import member
from folkmoot.hop.answers import PREFIX, Answers
from folkmoot.hop.batch import Batch, Fault, Keep, Send
from folkmoot.hop.fetch import Fetch
from folkmoot.hop.ids import local_id
from folkmoot.hop.ports import ROOM, Library, Outbox, Spool
from folkmoot.wire import chunks, codec
from folkmoot.wire.messages import Ask, Block, Body, Get, Hello, Receipt, Refuse, Request, Started, Status
from folkmoot.wire.topics import Tree

# A status that the broker has lost is said again: soon after connecting, then once a minute, as the keepalive does (ms).
HEARTBEAT_FIRST, HEARTBEAT = 4_000, 60_000
CATCH_UP = 10_000  # ms after a reconnect in which the broker sends what it has kept: an Ask among that may have waited for long
DONE = 64  # Asks that are remembered when they are done: a late repetition of one is not worked on again


class Lower:
    """All Asks that one node answers over one hop."""

    __slots__ = (
        "_answers",
        "_birth",
        "_caught_up",
        "_fetches",
        "_heartbeat",
        "_library",
        "_named",
        "_open",
        "_pause",
        "_restored",
        "_spool",
        "_waiting",
        "hello",
        "members",
        "name",
        "stale",
        "tree",
        "unwanted",
        "upper_up",
        "wanted",
    )

    def __init__(self, tree: Tree, name: str, library: Library, spool: Spool, outbox: Outbox, inline: int) -> None:
        """`inline` is the size in bytes up to which an answer travels inside its manifest."""
        self.tree = tree
        self.name = name
        self.hello = Hello()
        self.members: dict[bytes, member.Member] = {}
        self._open: dict[bytes, member.Member] = {}  # those of them that are not done
        self.wanted: list[member.Member] = []
        self.unwanted: list[member.Member] = []
        self.upper_up = True  # what the upper end's own status says
        self._library = library
        self._spool = spool
        self._answers = Answers(tree, name, outbox, inline)
        self._fetches: dict[bytes, Fetch] = {}
        self._waiting: dict[bytes, None] = {}  # Asks whose blobs are not all here
        self.stale: dict[bytes, None] = {}  # Asks that may have lain in the broker's queue, and were asked for again
        self._restored = False
        self._birth = 0
        self._named = (Hello(), b"")  # the hello that was announced last, and its digest
        self._heartbeat: int | None = None  # when to announce this node again
        self._pause = HEARTBEAT_FIRST
        self._caught_up = 0  # until then, what comes may be from before this connection

    @property
    def wake(self) -> int | None:
        """When to call `tick`, or None."""
        wake = self._heartbeat
        for holder in (self._open, self._fetches):
            for one in holder.values():
                due = one.wake
                if due is not None and (wake is None or due < wake):
                    wake = due
        return wake

    @property
    def idle(self) -> bool:
        """Whether no Ask is being worked on."""
        return not any(item.state == "working" for item in self._open.values())

    # The link.

    def limits(self, max_packet: int) -> None:
        """Takes what the broker lets through, in bytes."""
        self._answers.limits(max(max_packet - ROOM, chunks.FLOOR))

    def connected(self, batch: Batch, birth: int, session_present: bool) -> None:
        """Announces this node and takes up what was under way."""
        self._birth, self._pause = birth, HEARTBEAT_FIRST
        self.announce(batch)
        self._caught_up = batch.now + CATCH_UP if session_present else 0
        self.stale.clear()
        if self._restored:
            self._restored = False
            for item in list(self._open.values()):
                if item.state == "working":
                    self._lacking(item)
                self._perform(batch, item, item.resume(batch.now))
        elif not session_present:
            for item in list(self._open.values()):
                self.tell(batch, item, member.Reconnected())
        if not session_present:
            self.upper_up = False  # until it says so on this broker, which drops what nobody has subscribed to yet
        for fetch in self._fetches.values():
            fetch.resume(batch.now)

    def disconnected(self) -> None:
        """There is nobody to announce this node to, and nobody to wait for."""
        self._heartbeat = None
        self._answers.parted()
        for fetch in self._fetches.values():
            fetch.rest()

    def announce(self, batch: Batch) -> None:
        """Says that this node is up, with the hello that holds now; from then on again and again, for a broker may lose it."""
        if self._named[0] is not self.hello:
            self._named = (self.hello, codec.digest(codec.dump(self.hello)))
            self._pause = HEARTBEAT_FIRST  # what is new may be lost as a birth may
        status = Status(state="up", birth=self._birth, hello=self._named[1], software=self.hello.software)
        batch.sends.append(Send(self.name, status, retain=True))
        self._heartbeat = batch.now + self._pause
        self._pause = min(2 * self._pause, HEARTBEAT)

    def restore(self, history: list[tuple[int, member.Event]]) -> None:
        """Rebuilds one member from its journal."""
        item = member.Member()
        for now, event in history:
            item.handle(event, now)
        self.members[item.id] = item
        self._enter(item)
        self._restored = True

    def tick(self, batch: Batch) -> None:
        """Wakes whatever is due."""
        if self._heartbeat is not None and self._heartbeat <= batch.now:
            self.announce(batch)
        for item in list(self._open.values()):
            if item.wake is not None and item.wake <= batch.now:
                self.tell(batch, item, member.Woke())
        if self._fetches:
            self._again(batch, due=batch.now)

    def tell(self, batch: Batch, item: member.Member, event: member.Event) -> None:
        """Hands one event to a member; what it wants done goes into the batch."""
        before = item.state
        effects = item.handle(event, batch.now)
        if item.state != before:
            self._enter(item)
        # What is over is forgotten: a late repetition of its Ask must not bring its journal back.
        if item.state != before or (isinstance(event, member.Asked) and item.state != "done"):
            batch.journal.append((PREFIX + item.id.hex(), event))
        self._perform(batch, item, effects)

    def _enter(self, item: member.Member) -> None:
        if item.state == "done":
            self._open.pop(item.id, None)
        else:
            self._open[item.id] = item

    def worked(self, batch: Batch, item: member.Member, data: bytes) -> None:
        """The work is done: the answer is stored and offered."""
        payload = codec.digest(data)
        batch.keeps.append(Keep(PREFIX + item.id.hex(), payload, data))
        batch.firm = True
        self.tell(batch, item, member.Worked(payload, len(data), self._answers.chunk))

    def go_on(self, batch: Batch, item: member.Member, block: bytes) -> None:
        """Asks ourselves for the local round that follows an answer which is offered: it starts from the weights `block`."""
        policy, weights = item.ask.offline, codec.digest(block)
        assert policy is not None
        before = item.local or member.Local(0, item.id, item.ask.weights, item.deadline + policy.seconds * 1000)
        local = msgspec.structs.replace(before, number=before.number + 1)
        mine = member.Member()
        own = local_id(local.origin, local.number)
        self.members[own] = mine
        self._library.put(block, weights)
        batch.keeps.append(Keep(PREFIX + own.hex(), weights, block))  # nobody else has these weights
        ask: Ask = msgspec.structs.replace(item.ask, weights=weights, size=len(block), evaluate=False)
        self.tell(batch, mine, member.Asked(own, ask, batch.now + item.deadline - item.began, local))

    # What the upper end says.

    def receive(self, batch: Batch, topic: str, data: bytes) -> Body | None:
        """Takes one message; gives its body where the node may want to know of it. A bad one changes nothing."""
        try:
            place = self.tree.place(topic)
            envelope = codec.unseal(data, limit=max(self._answers.inline, self._answers.room) + ROOM)
            if not place.admits(envelope.body):
                raise PeerFault("topic", f"{type(envelope.body).__name__} at {topic}")
            if isinstance(envelope.body, Status):
                self._heard_of(batch, envelope.body.state == "up")
                return envelope.body
            if envelope.dst != self.name:
                raise PeerFault("wrong_sender", f"a message for {envelope.dst}")
            if not isinstance(envelope.body, Block):  # blocks may be what the broker has kept of an earlier life
                self._heard_of(batch, up=True)  # who speaks is there: the broker may have lost its status
            _HANDLERS[type(envelope.body)](self, batch, envelope)
        except PeerFault as fault:
            batch.faults.append(Fault("upper", fault.reason, fault.detail))
            return None
        return envelope.body

    def _heard_of(self, batch: Batch, up: bool) -> None:
        """The upper end is there, or not. Blocks that it was about to send when it went will not come: they are asked for."""
        if up and not self.upper_up:
            self._again(batch)
        self.upper_up = up

    def _asked(self, batch: Batch, envelope: codec.Envelope) -> None:
        ask = envelope.body
        assert isinstance(ask, Ask)
        if len(envelope.ask) != 16:
            raise PeerFault("malformed", "an Ask without an id")
        late = batch.now < self._caught_up
        if late and envelope.ask not in self.stale and envelope.ask not in self.members:
            # It may have waited in the broker's queue, and its remaining time with it.
            self.stale[envelope.ask] = None
            batch.sends.append(Send(self.name, Get(), envelope.ask, self.tree.shard(ask.run)))
            return
        if ask.inline is not None and not self._library.has(ask.weights):
            if codec.digest(ask.inline) != ask.weights:
                raise PeerFault("digest", "the weights are not what the Ask names")
            self._library.put(ask.inline, ask.weights)
        remaining = envelope.remaining_ms if envelope.remaining_ms is not None else 0
        known = self.members.get(envelope.ask)
        if known is not None and known.state == "done":
            others = (other.ask for other in self.members.values() if other is not known)
            if any(other.run == ask.run and other.round > ask.round for other in others):
                return  # done, and over: the run has gone on
        peers = [other for other in self._open.values() if other is not known and other.ask.run == ask.run]
        item = known or member.Member()
        self.members[envelope.ask] = item
        event = member.Asked(envelope.ask, msgspec.structs.replace(ask, inline=None), batch.now + remaining)
        self.tell(batch, item, event)
        for other in peers if known is None else ():  # no late repetition of an older one, which would end what is newer
            if other.state == "working" and other.ask.round <= ask.round:
                self.tell(batch, other, member.Cancelled("newer"))
            elif other.state == "offering" and other.ask.offline is not None:
                self.tell(batch, other, member.Reconnected())  # a round has opened in which that answer may count

    def _receipted(self, batch: Batch, envelope: codec.Envelope) -> None:
        receipt, item = envelope.body, self.members.get(envelope.ask)
        assert isinstance(receipt, Receipt)
        if item is not None and item.payload == receipt.payload:
            if receipt.status == "ok" and item.size > self._answers.inline:
                self._answers.carried(item.size)
            self.tell(batch, item, member.Receipted(receipt.status, receipt.reason, receipt.have))

    def _requested(self, batch: Batch, envelope: codec.Envelope) -> None:
        request, item = envelope.body, self.members.get(envelope.ask)
        assert isinstance(request, Request)
        if request.what == "hello":
            batch.sends.append(Send(self.name, self.hello))
        elif item is not None:
            self.tell(batch, item, member.Cancelled(request.reason or "upper"))

    def _block(self, batch: Batch, envelope: codec.Envelope) -> None:
        block = envelope.body
        assert isinstance(block, Block)
        fetch = self._fetches.get(block.blob)
        if fetch is None:
            return
        match fetch.take(block, batch.now):
            case "done":
                self._library.put(fetch.content, block.blob)
                self._spool.drop(block.blob)
                self._answers.carried(fetch.size)
                del self._fetches[block.blob]
                for ask in list(self._waiting):
                    self._begin(batch, self.members[ask])
            case "lacking":
                # Of this Ask: an earlier one's late request is answered like that, too, when its round is over.
                if envelope.ask in self._waiting:
                    item = self.members[envelope.ask]
                    self.tell(batch, item, member.Failed("no_blob", "the upper end does not have it"))
                self._again(batch, due=batch.now)
            case "more" | "damaged":
                self._pull(batch, fetch, fetch.get(batch.now))
            case "wait":
                pass

    # What the members want done.

    def _perform(self, batch: Batch, item: member.Member, effects: list[member.Effect]) -> None:
        where = self.tree.shard(item.ask.run)
        for effect in effects:
            match effect:
                case member.Reply(refusal, detail):
                    body = Refuse(reason=refusal, detail=detail) if refusal else Started()
                    batch.sends.append(Send(self.name, body, item.id, where))
                case member.Work():
                    self._begin(batch, item)
                case member.StopWork():
                    self._waiting.pop(item.id, None)
                    self.unwanted.append(item)
                case member.Offer(attempt):
                    self._offer(batch, item, attempt)
                case member.SendPieces(have):
                    batch.sends += self._answers.pieces(item, have)
                case member.AskAgain():
                    batch.sends.append(Send(self.name, Get(), item.id, where))
                case member.Discard(payload):
                    batch.drop(PREFIX + item.id.hex(), payload)
                case member.Forget():
                    self._waiting.pop(item.id, None)
                    batch.forget(PREFIX + item.id.hex())
                    self._trim()

    def _begin(self, batch: Batch, item: member.Member) -> None:
        """Begins the work, once program and weights are here; refuses it where there is no room for them or for its answer."""
        kept = [other.size for other in self._open.values() if other.state == "offering"]
        wanted = item.ask.program_size + item.ask.size
        if wanted > self._spool.limit or (len(kept) >= 2 and sum(kept) >= self._spool.limit):
            detail = f"{wanted} bytes of program and weights, beside {sum(kept)} of answers without a receipt"
            self.tell(batch, item, member.Failed("no_room", detail))
            return
        lacking = self._lacking(item)
        for fetch in lacking:
            if not fetch.begun:
                self._pull(batch, fetch, fetch.get(batch.now))
        if lacking:
            self._waiting[item.id] = None
        else:
            self._waiting.pop(item.id, None)
            self.wanted.append(item)

    def _lacking(self, item: member.Member) -> list[Fetch]:
        """Gives the downloads that an Ask has to wait for.

        After a restart they are there before they begin, for the broker delivers first what an earlier life has asked for. The
        Ask, which comes again behind that, says that the rest is lost.
        """
        sizes = {item.ask.program: item.ask.program_size, item.ask.weights: item.ask.size}
        lacking = [blob for blob in sizes if not self._library.has(blob)]
        for blob in lacking:
            if blob not in self._fetches:
                self._fetches[blob] = Fetch(self._spool, blob, sizes[blob], self._answers.chunk, self._answers.room)
        return [self._fetches[blob] for blob in lacking]

    def _pull(self, batch: Batch, fetch: Fetch, get: Get | None) -> None:
        asked = self._asking(fetch.blob)
        if asked is None:  # its last blocks are still coming when nobody waits for it any more
            del self._fetches[fetch.blob]
        elif get is not None:
            batch.sends.append(Send(self.name, get, asked.id, self.tree.shard(asked.ask.run)))

    def _asking(self, blob: bytes) -> member.Member | None:
        """Gives an Ask that wants a blob: one that waits for it, or one that was restored and will."""
        waiting = (self.members[ask] for ask in self._waiting)
        working = (item for item in self._open.values() if item.state == "working")
        return next((item for item in (*waiting, *working) if blob in _blobs(item)), None)

    def _again(self, batch: Batch, due: int | None = None) -> None:
        """Asks again for blocks that have not come; drops downloads that nobody waits for."""
        for blob, fetch in list(self._fetches.items()):
            if self._asking(blob) is None:
                del self._fetches[blob]
            elif fetch.begun and (due is None or (fetch.wake is not None and fetch.wake <= due)):
                self._pull(batch, fetch, fetch.again(batch.now))

    def _offer(self, batch: Batch, item: member.Member, attempt: int) -> None:
        data = self.payload(batch, item)
        if data is None:
            self.tell(batch, item, member.Cancelled("lost"))
        else:
            batch.sends.append(self._answers.manifest(item, data, attempt))

    def payload(self, batch: Batch, item: member.Member, kept: bytes = b"") -> bytes | None:
        """Gives the answer that is offered, or what else is `kept` of it; None where it is gone from the store."""
        return self._answers.payload(batch, item, kept)

    def _trim(self) -> None:
        over = len(self.members) - len(self._open) - DONE
        if over > 0:
            for id in [id for id, item in self.members.items() if item.state == "done"][:over]:
                del self.members[id]


def _blobs(item: member.Member) -> tuple[bytes, bytes]:
    return (item.ask.program, item.ask.weights)


_HANDLERS: dict[type[Body], Callable[[Lower, Batch, codec.Envelope], None]] = {
    Ask: Lower._asked,
    Receipt: Lower._receipted,
    Request: Lower._requested,
    Block: Lower._block,
}
