"""The upper end of a hop: the roster, the open rounds, and the answers on their way up.

Takes messages and the time, gives a Batch. It owns no socket, no clock and no numbers: judging and adding up answers is done by
the `Sums` that its maker is handed, pieces of large answers go into the `Spool` that it is handed.
"""

from collections.abc import Callable, Iterable, Mapping

from folkmoot.errors import PeerFault
from folkmoot.hop import events, round
from folkmoot.hop.batch import Batch, Fault, Keep, Send
from folkmoot.hop.belated import Belated
from folkmoot.hop.delivery import Delivery
from folkmoot.hop.effects import Merge, SendAsk, SendCancel
from folkmoot.hop.ids import ask_id
from folkmoot.hop.open_round import History, Kept, Open
from folkmoot.hop.ports import ROOM, Spool, Sums
from folkmoot.hop.roster import Change, Roster
from folkmoot.hop.transfers import Transfers
from folkmoot.wire import codec
from folkmoot.wire.messages import Answer, Body, Chunk, Get, Hello, Invited, Refuse, Request, Started, Status, Telemetry
from folkmoot.wire.topics import Place, Tree

DAMAGED = 3  # times that a payload may come damaged before its member is rejected
PREFIX = "r/"  # of the journal keys of rounds


class Upper:
    """All rounds that one node asks for over one hop."""

    def __init__(self, tree: Tree, name: str, spool: Spool, inline: int) -> None:
        """`name` signs the messages; `inline` is the size in bytes up to which payloads travel inside messages."""
        self.tree = tree
        self._own_status = tree.upper_status
        self.name = name
        self.software = ""
        self.roster = Roster()
        self.rounds: dict[str, Open] = {}
        self._spool = spool
        self._delivery = Delivery(self.roster, inline)
        self._asks: dict[bytes, tuple[str, str]] = {}  # ask id to round key and member
        self._transfers = Transfers(spool)
        self.belated = Belated(self.rounds, self._transfers)
        self._restored: list[Open] = []
        self.budget = spool.limit
        """Bytes of kept answers of all open rounds; who answers beyond it is told `no_room`."""

    @property
    def wake(self) -> int | None:
        """When to call `tick`, or None."""
        wakes = [self._transfers.wake, *[open.round.wake for open in self.rounds.values()]]
        return min([at for at in wakes if at is not None], default=None)

    def connected(self, batch: Batch, max_packet: int, birth: int = 0) -> None:
        """Takes up what was under way; `max_packet`: bytes that the broker lets through; `birth`: of this connection."""
        self._delivery.limits(max_packet)
        status = Status(state="up", birth=birth, software=self.software)
        batch.sends.append(Send("", status, retain=True))
        self.resume(batch)

    def resume(self, batch: Batch) -> None:
        """Asks again in the rounds that were restored."""
        for open in self._restored:
            self._delivery.perform(batch, open, open.round.resume(batch.now))
        self._restored = []

    def sent(self, member: str, ask: bytes, size: int) -> None:
        """Hears that a message of `size` bytes about an Ask has left."""
        open = self.rounds.get(self._asks.get(ask, ("", ""))[0])
        if open is not None:
            open.count(member, down=size)

    # What the node asks for.

    def open(self, batch: Batch, opened: events.Opened, sums: Sums, blobs: Mapping[bytes, bytes]) -> None:
        """Opens a round; its Asks leave with the batch.

        Where members stand for others it is firm: after a power cut that took it back, such a member, which has told others ok,
        would be told that the round is unknown; and opened again it might ask others.
        """
        self._enter(self._made(opened, sums, blobs), (invitation.member for invitation in opened.members))
        entries = (self.roster.entries.get(invitation.member) for invitation in opened.members)
        batch.firm |= any(
            entry is not None and entry.hello is not None and entry.hello.devices is not None for entry in entries
        )
        self.tell(batch, opened.key, opened)

    def restore(self, key: str, history: History, sums: Sums, blobs: Mapping[bytes, bytes], kept: Kept | None) -> Open:
        """Rebuilds an open round from its journal, and its sums from the kept answers; `kept`: None: without them.

        Raises StoreFault where an answer that was told ok is gone.
        """
        opened = history[0][1]
        assert isinstance(opened, events.Opened)
        open = self._made(opened, sums, blobs)
        open.rebuild(history, kept)
        self._enter(open, (*(invitation.member for invitation in opened.members), *open.round.seats))
        self._restored.append(open)
        return open

    def tell(self, batch: Batch, key: str, event: events.Event) -> None:
        """Hands one event to a round; does nothing for one that is over and forgotten."""
        open = self.rounds.get(key)
        if open is None:
            return
        over = open.round.state == "closed"
        effects = open.round.handle(event, batch.now)
        # Nothing moves a closed round; after a crash who had started is asked again, and says so again: nothing is lost.
        if not over and not isinstance(event, events.Started):
            batch.journal.append((PREFIX + key, event))
        self._delivery.perform(batch, open, effects)

    def retract(self, batch: Batch, key: str, device: str, kept: Kept) -> bool:
        """Makes a round as if a device had never been in it; does nothing where it is out already.

        Says False, and changes nothing, where the device's update is in an answer that `kept` does not have.
        """
        open = self.rounds[key]
        under_way = {name: seat.payload for name, seat in open.round.seats.items() if seat.open}
        effects = open.retract(batch, PREFIX + key, device, kept)
        told = {effect.member for effect in effects or () if isinstance(effect, SendAsk | SendCancel)}
        for name, payload in under_way.items():
            if name in told or not open.round.seats[name].open:
                self._transfers.end(name, payload)
        self._delivery.perform(batch, open, effects or [])
        return effects is not None

    def forget(self, batch: Batch, key: str) -> None:
        """Drops a closed round: its journal and its kept answers go with the batch."""
        open = self.rounds.pop(key, None)
        if open is not None:
            for name, seat in open.round.seats.items():
                self._asks.pop(seat.ask, None)
                self._transfers.end(name, seat.payload)
            batch.forget(PREFIX + key)

    def tick(self, batch: Batch) -> None:
        """Wakes the rounds whose time has come, and has transfers begin that have waited for a place; call it in each step."""
        for member, ask, answer in self._transfers.turns(batch.now):
            waiting = self._about(member, ask)
            if waiting is None:
                self._blend(batch, Place(member, self.tree.shard(answer.run), "up", "man"), ask, answer)
            elif waiting.round.state == "open" and waiting.round.seats[member].open:
                self._gather(batch, waiting, member, answer)
        for key, open in list(self.rounds.items()):
            if open.round.wake is not None and open.round.wake <= batch.now:
                self.tell(batch, key, events.Woke())

    def _made(self, opened: events.Opened, sums: Sums, blobs: Mapping[bytes, bytes]) -> Open:
        return Open(opened.key, round.Round(), sums, blobs, self.tree.shard(opened.ask.run))

    def _enter(self, open: Open, members: Iterable[str]) -> None:
        self.rounds[open.key] = open
        self._asks.update((ask_id(open.key, name), (open.key, name)) for name in members)

    # What the members say.

    def receive(self, batch: Batch, topic: str, data: bytes) -> Body | None:
        """Takes one message; gives its body where the node may want to know of it (hello, status, telemetry).

        A message that is malformed, from the wrong sender or about nothing we know changes nothing but `batch.faults`.
        """
        if topic == self._own_status:
            return None  # our own voice: the subscription to all members' statuses holds it
        member = "?"
        try:
            place = self.tree.place(topic)
            member = place.member
            envelope = codec.unseal(data, limit=self._delivery.room + ROOM)
            if envelope.src != member or not place.admits(envelope.body):
                raise PeerFault("wrong_sender", f"{envelope.src} wrote {type(envelope.body).__name__} to {topic}")
            handler = _HANDLERS.get(type(envelope.body))
            if handler is None:
                raise PeerFault("topic", f"{type(envelope.body).__name__} is not for the upper end")
            open = self.rounds.get(self._asks.get(envelope.ask, ("", ""))[0])
            if open is not None and member in open.round.seats:
                open.count(member, up=len(data))
            handler(self, batch, place, envelope)
        except PeerFault as fault:
            batch.faults.append(Fault(member, fault.reason, fault.detail))
            return None
        return envelope.body

    def _status(self, batch: Batch, place: Place, envelope: codec.Envelope) -> None:
        assert isinstance(envelope.body, Status)
        member = place.member
        change = self.roster.status(member, envelope.body, batch.now)
        if self.roster.missing(member):
            if not self.roster.adopt(member):
                batch.sends.append(Send(member, Request(what="hello")))
            elif change is None:
                self._known(batch, member)
        if change is None:
            return
        for key, open in list(self.rounds.items()):
            if member in open.round.seats:
                self.tell(batch, key, _CHANGES[change](member))
            elif change == "back":
                self._join(batch, key, member)

    def _hello(self, batch: Batch, place: Place, envelope: codec.Envelope) -> None:
        assert isinstance(envelope.body, Hello)
        member = place.member
        self.roster.hello(member, envelope.body, envelope.digest, batch.now)
        self._known(batch, member)

    def _known(self, batch: Batch, member: str) -> None:
        """Lets open rounds know of a member whose hello has become known."""
        for key, open in list(self.rounds.items()):
            seat = open.round.seats.get(member)
            if seat is None:
                self._join(batch, key, member)
            elif seat.state == "away" and member in self.roster.ready():  # it was here, and was not known when it was seated
                self.tell(batch, key, events.Back(member))

    def _join(self, batch: Batch, key: str, member: str) -> None:
        """Lets an open round know of a member that can be asked now."""
        hello = self.roster.ready().get(member)
        if hello is not None and not self.roster.missing(member):
            self.tell(batch, key, events.Joined(member, (Invited(member),) if hello.devices is None else None))
            self._enter(self.rounds[key], self.rounds[key].round.seats.keys() & {member})

    def _about(self, member: str, ask: bytes) -> Open | None:
        """Gives the round that an ask id is of; None for one that is over. Raises PeerFault for another member's."""
        key, owner = self._asks.get(ask, ("", member))
        if owner != member:
            raise PeerFault("wrong_sender", f"{member} speaks about an Ask of {owner}")
        return self.rounds.get(key)

    def _started(self, batch: Batch, place: Place, envelope: codec.Envelope) -> None:
        open = self._about(place.member, envelope.ask)
        if open is not None:
            self.tell(batch, open.key, events.Started(place.member))
        elif not self.belated.wanted(place.member, envelope.ask):
            self._delivery.closed(batch, place, envelope.ask)

    def _refused(self, batch: Batch, place: Place, envelope: codec.Envelope) -> None:
        assert isinstance(envelope.body, Refuse)
        open = self._about(place.member, envelope.ask)
        if open is not None:
            self.tell(batch, open.key, events.Refused(place.member, envelope.body.reason))
        else:
            self.belated.dropped(place.member, envelope.ask)

    def _answered(self, batch: Batch, place: Place, envelope: codec.Envelope) -> None:
        answer, member = envelope.body, place.member
        assert isinstance(answer, Answer)
        open = self._about(member, envelope.ask)
        if open is None:
            self._blend(batch, place, envelope.ask, answer)
            return
        seat = open.round.seats[member]
        if open.round.state == "closed" or not seat.open:
            self.tell(batch, open.key, events.Answered(member, answer.payload))
            return
        if seat.payload != answer.payload:  # it has trained anew: one transfer for each Ask
            self._transfers.end(member, seat.payload)
        if answer.size > open.sums.limit:
            self._reject(batch, open, member, answer, "oversized", f"{answer.size} bytes; {open.sums.limit} can be sound")
        elif answer.size > self._left:
            self._reject(batch, open, member, answer, "no_room", f"{answer.size} bytes, beside the answers that are kept")
        elif answer.inline is not None:
            self._complete(batch, open, member, answer, answer.inline)
        else:
            self._gather(batch, open, member, answer)

    def _gather(self, batch: Batch, open: Open, member: str, answer: Answer) -> None:
        seat = open.round.seats[member]
        have = self._transfers.begin(member, seat.ask, answer, batch.now)
        if have is not None and have.full:
            self._complete(batch, open, member, answer, self._transfers.read(member, answer.payload))
            return
        seat.payload = answer.payload
        if seat.state == "asked":
            self.tell(batch, open.key, events.Started(member))
        if have is None:
            return  # until it has its turn
        self._delivery.need(batch, open, member, answer.payload, have)

    def _chunk(self, batch: Batch, place: Place, envelope: codec.Envelope) -> None:
        piece, member = envelope.body, place.member
        assert isinstance(piece, Chunk)
        open = self._about(member, envelope.ask)
        if open is None:
            whole = self.belated.chunk(batch, place, envelope.ask, piece)
            if whole is not None:
                self._blend(batch, place, envelope.ask, whole)
            return
        answer = self._transfers.write(member, piece, batch.now) if open.round.seats[member].open else None
        if answer is not None:
            self._complete(batch, open, member, answer, self._transfers.read(member, piece.payload))

    def _complete(self, batch: Batch, open: Open, member: str, answer: Answer, data: bytes) -> None:
        if len(data) != answer.size or codec.digest(data) != answer.payload:
            self._mend(batch, open, member, answer)
            return
        self._transfers.end(member, answer.payload)
        each = open.round.seats[member].each
        # One that was retracted may be in an answer that was made before: the round asks for another one, without it.
        below = None if each is None else open.round.retracted.union(leaf.device for leaf in each)
        judged = open.sums.judge(member, answer, data, below)
        if judged.rejection:
            self._reject(batch, open, member, answer, judged.rejection, judged.detail)
            return
        open.answered_ms[member] = batch.now - open.round.began
        event = events.Answered(member, answer.payload, judged.leaves)
        effects = open.round.handle(event, batch.now)
        batch.journal.append((PREFIX + open.key, event))
        batch.firm = True
        for effect in effects:
            if isinstance(effect, Merge):
                batch.keeps.append(Keep(PREFIX + open.key, answer.payload, data))
                open.kept += len(data)
                open.sums.add(member, judged.content)
        self._delivery.perform(batch, open, effects)

    @property
    def _left(self) -> int:
        """Bytes that an answer may have beside those that are kept."""
        return min(self._spool.limit, self.budget - sum(open.kept for open in self.rounds.values()))

    def _blend(self, batch: Batch, place: Place, ask: bytes, answer: Answer) -> None:
        """Tells an open round of a belated answer, where it is whole and counts in it."""
        whole = self.belated.answered(batch, place, ask, answer, self._left)
        if whole is None:
            return
        open, owner = whole.open, PREFIX + whole.open.key
        effects = open.round.handle(whole.event, batch.now)
        batch.journal.append((owner, whole.event))
        batch.keeps.append(Keep(owner, whole.event.payload, whole.data))
        batch.firm = True
        open.kept += len(whole.data)
        open.sums.add(whole.event.member, whole.judged.content)
        self._delivery.perform(batch, open, effects)

    def _mend(self, batch: Batch, open: Open, member: str, answer: Answer) -> None:
        """The bytes are not what the manifest names: damaged on the way, so all of them again, but not for ever."""
        detail = "the payload is not what its manifest names"
        if self._transfers.spoil(member, answer.payload) >= DAMAGED:
            self._reject(batch, open, member, answer, "digest", detail)
        else:
            batch.faults.append(Fault(member, "digest", detail))
            self._gather(batch, open, member, answer)

    def _reject(self, batch: Batch, open: Open, member: str, answer: Answer, reason: str, detail: str) -> None:
        self._transfers.end(member, answer.payload)
        batch.faults.append(Fault(member, reason, detail))
        self.tell(batch, open.key, events.Answered(member, answer.payload, rejection=reason))

    def _get(self, batch: Batch, place: Place, envelope: codec.Envelope) -> None:
        want, member = envelope.body, place.member
        assert isinstance(want, Get)
        open = self._about(member, envelope.ask)
        if not want.blob:
            if open is not None:
                self.tell(batch, open.key, events.AskedAgain(member))
            else:  # also where its answer was to count: nobody has the Ask any more
                self.belated.dropped(member, envelope.ask)
                self._delivery.closed(batch, place, envelope.ask)
            return
        blob = open.blobs.get(want.blob) if open is not None else None
        self._delivery.blocks(batch, place, envelope.ask, want, blob)

    def _telemetry(self, batch: Batch, place: Place, envelope: codec.Envelope) -> None:
        """Nothing depends on it: the node may look at the body that `receive` gives."""


_CHANGES: dict[Change, type[events.Back | events.Away | events.Gone]] = {
    "back": events.Back,
    "away": events.Away,
    "gone": events.Gone,
}


_HANDLERS: dict[type[Body], Callable[[Upper, Batch, Place, codec.Envelope], None]] = {
    Status: Upper._status,
    Hello: Upper._hello,
    Started: Upper._started,
    Refuse: Upper._refused,
    Answer: Upper._answered,
    Chunk: Upper._chunk,
    Get: Upper._get,
    Telemetry: Upper._telemetry,
}
