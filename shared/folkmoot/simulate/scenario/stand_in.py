"""What stands in for a device that has nothing to learn: no agent, and on its line, byte for byte, what the agent would say.

For scenarios whose devices nothing befalls (folkmoot.simulate.scenario.profile.plain): there is one connection, the weights
come with each Ask, the answer goes with its manifest, and what is stored is not read again after a crash. So of the agent
(folkmoot_device.agent) and of its end of the hop (folkmoot.hop.lower), whose methods have the same names, there is left here
what a broker can tell. The states of an Ask, the download of the program and the manifests of answers are the product's own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from folkmoot.hop import member
from folkmoot.hop.answers import Answers
from folkmoot.hop.batch import Send
from folkmoot.hop.fetch import Fetch
from folkmoot.hop.lower import DONE, HEARTBEAT, HEARTBEAT_FIRST
from folkmoot.hop.ports import ROOM
from folkmoot.link.hub_packets import Connack, Delivery, Puback
from folkmoot.simulate.disk import BLOBS
from folkmoot.simulate.scenario.sieve import Sieve
from folkmoot.simulate.scenario.trade import Trade
from folkmoot.simulate.scenario.voice import BIRTH, Roof, Voice
from folkmoot.wire import codec
from folkmoot.wire.messages import Ask, Block, Body, Get, Receipt, Refuse, Request, Started, Status


@dataclass(frozen=True, slots=True)
class Done:
    """Work has ended."""

    ask: bytes
    payload: bytes = b""
    failure: tuple[str, str] = ("", "")  # reason and detail, where there is no payload


class StandIn(Voice):
    """One device."""

    __slots__ = (
        "_answers",
        "_busy",
        "_deed",
        "_fetch",
        "_heartbeat",
        "_inbox",
        "_kept",
        "_members",
        "_open",
        "_pause",
        "_program",
        "_queue",
        "_sends",
        "_sieve",
        "_stop",
        "_unwanted",
        "_waiting",
        "_wanted",
        "trade",
    )

    def __init__(self, name: str, roof: Roof, trade: Trade, make_id: Callable[[], bytes]) -> None:
        super().__init__(name, roof, make_id)
        self.trade = trade
        self._answers: Answers
        self._heartbeat: int | None = None
        self._pause = HEARTBEAT_FIRST
        self._members: dict[bytes, member.Member] = {}
        self._open: dict[bytes, member.Member] = {}  # those of them that are not done
        self._kept: dict[bytes, bytes] = {}  # answers without a receipt, by Ask
        self._program = b""  # sha256 of the one that is here
        self._sieve: Sieve | None = None  # there while blocks of it come
        self._fetch: Fetch | None = None
        self._waiting: dict[bytes, None] = {}  # Asks that wait for it
        self._queue: list[member.Member] = []  # to be worked on
        self._busy = self._deed = self._stop = b""  # the Ask that is worked on: for the agent, for its trainer; to be ended
        # Of the step that is under way:
        self._inbox: list[Connack | Delivery | Done] = []
        self._sends: list[Send] = []
        self._wanted: list[member.Member] = []
        self._unwanted: list[member.Member] = []

    def be(self, why_not: str) -> None:
        """Takes part, always."""
        assert not why_not

    def hear(self, packet: Connack | Delivery | Done) -> None:
        """Takes what is to be answered in a step."""
        self._inbox.append(packet)
        self.rouse()

    def turn(self) -> int | None:
        """Takes all that has come, or does what is due; gives when the next thing is."""
        now = self.agenda.now
        came, self._inbox = self._inbox, []
        if came or ((wake := self._wake) is not None and wake <= now):
            for one in came:
                match one:
                    case Delivery():
                        self._receive(codec.unseal(one.payload, limit=self.roof.max_packet), now)
                    case Done():
                        self._worked(one, now)
                    case Connack():
                        self._answers = Answers(self.roof.tree, self.name, None, self.roof.inline)  # type: ignore[arg-type]
                        self._answers.limits(self.roof.max_packet - ROOM)
                        self._announce(now)
            self._tick(now)
            self._sort()
            self.say(self._sends)
            self._sends = []
            for one in came:
                if type(one) is Delivery and one.token is not None:
                    self._circuit.up(Puback(one.token))
            self._perform(now)
        return self._wake

    @property
    def _wake(self) -> int | None:
        wake = self._heartbeat
        for one in (*self._open.values(), *((self._fetch,) if self._fetch else ())):
            due = one.wake
            if due is not None and (wake is None or due < wake):
                wake = due
        return wake

    def _tick(self, now: int) -> None:
        if self._heartbeat is not None and self._heartbeat <= now:
            self._announce(now)
        for item in list(self._open.values()):
            if item.wake is not None and item.wake <= now:
                self._tell(item, member.Woke(), now)
        if self._fetch is not None:
            self._again(self._fetch, now)

    # The work.

    def _sort(self) -> None:
        for item in self._unwanted:
            self._queue = [other for other in self._queue if other is not item]
            if item.id == self._busy:
                self._stop = item.id
        for item in self._wanted:
            if item.id != self._busy and item not in self._queue:
                self._queue.append(item)
        self._wanted, self._unwanted = [], []

    def _perform(self, now: int) -> None:
        if self._stop:
            if self._stop == self._deed:
                self._deed = b""
                self.trade.stop()
                self.hear(Done(self._stop, failure=("cancelled", "")))
            self._stop = b""
        if not self._busy and self._queue:
            item = self._queue.pop(0)
            self._busy = self._deed = item.id
            work = self.trade.work(item, self)
            self.agenda.at(now + work.ms, self._end, Done(item.id, work.payload, work.failure))

    def _end(self, done: Done) -> None:
        if self._deed == done.ask:
            self._deed = b""
            self.hear(done)

    def read(self, blob: bytes) -> bytes:
        """Gives what this process has of a blob. Of weights, which nobody starts from, it may be nothing."""
        return BLOBS.get(blob, b"")

    def _worked(self, done: Done, now: int) -> None:
        if done.ask == self._busy:
            self._busy = b""
        item = self._open.get(done.ask)
        if item is None or item.state != "working":
            return
        if done.payload:
            self._kept[item.id] = done.payload
            self._tell(item, member.Worked(codec.digest(done.payload), len(done.payload), self._answers.chunk), now)
        else:
            self._tell(item, member.Failed(*done.failure), now)

    # What the upper end says.

    def _announce(self, now: int) -> None:
        hello = self.roof.hello
        self._say(Status(state="up", birth=BIRTH, hello=self.roof.digest, software=hello.software), retain=True)
        self._heartbeat = now + self._pause
        self._pause = min(2 * self._pause, HEARTBEAT)

    def _say(self, body: Body, ask: bytes = b"", *, retain: bool = False) -> None:
        self._sends.append(Send(self.name, body, ask, retain=retain))

    def _receive(self, envelope: codec.Envelope, now: int) -> None:
        body, item = envelope.body, self._members.get(envelope.ask)
        match body:
            case Ask():
                self._asked(envelope.ask, body, now + (envelope.remaining_ms or 0), now)
            case Block():
                self._block(body, envelope.ask, now)
            case Request(what="hello"):
                self._say(self.roof.hello)
            case Request() if item is not None:
                self._tell(item, member.Cancelled(body.reason or "upper"), now)
            case Receipt() if item is not None and item.payload == body.payload:
                self._tell(item, member.Receipted(body.status, body.reason), now)

    def _asked(self, id: bytes, ask: Ask, deadline: int, now: int) -> None:
        assert ask.inline is not None
        known = self._members.get(id)
        if known is not None and known.state == "done" and any(one.ask.round > ask.round for one in self._members.values()):
            return  # done, and over: the run has gone on
        peers = list(self._open.values()) if known is None else []
        item = self._members[id] = known or member.Member()
        self._tell(item, member.Asked(id, msgspec.structs.replace(ask, inline=None), deadline), now)
        for other in peers:
            if other.state == "working" and other.ask.round <= ask.round:
                self._tell(other, member.Cancelled("newer"), now)

    def _block(self, block: Block, ask: bytes, now: int) -> None:
        fetch = self._fetch
        if fetch is None or fetch.blob != block.blob:
            return
        match fetch.take(block, now):
            case "done":
                self._program, self._fetch, self._sieve = block.blob, None, None
                self._answers.carried(fetch.size)
                for waiting in list(self._waiting):
                    self._begin(self._members[waiting], now)
            case "lacking":
                if ask in self._waiting:
                    self._tell(self._members[ask], member.Failed("no_blob", "the upper end does not have it"), now)
                self._again(fetch, now)
            case "more":
                self._pull(fetch.get(now))

    # What an Ask wants done.

    def _tell(self, item: member.Member, event: member.Event, now: int) -> None:
        effects = item.handle(event, now)
        if item.state == "done":
            self._open.pop(item.id, None)
        else:
            self._open[item.id] = item
        for effect in effects:
            match effect:
                case member.Reply(refusal, detail):
                    self._say(Refuse(reason=refusal, detail=detail) if refusal else Started(), item.id)
                case member.Work():
                    self._begin(item, now)
                case member.StopWork():
                    self._waiting.pop(item.id, None)
                    self._unwanted.append(item)
                case member.Offer(attempt):
                    self._sends.append(self._answers.manifest(item, self._kept[item.id], attempt))
                case member.Discard():
                    self._kept.pop(item.id, None)
                case member.Forget():
                    self._waiting.pop(item.id, None)
                    self._kept.pop(item.id, None)
                    if len(self._members) - len(self._open) > DONE:
                        del self._members[next(id for id, one in self._members.items() if one.state == "done")]
                case _:
                    raise AssertionError(f"{type(effect).__name__}, where there is one connection, and answers are small")

    def _begin(self, item: member.Member, now: int) -> None:
        ask = item.ask
        if ask.program == self._program:
            self._waiting.pop(item.id, None)
            self._wanted.append(item)
            return
        if self._fetch is None:
            self._sieve = self._sieve or Sieve()
            self._fetch = Fetch(self._sieve, ask.program, ask.program_size, self._answers.chunk, self._answers.room)
        if not self._fetch.begun:
            self._pull(self._fetch.get(now))
        self._waiting[item.id] = None

    def _pull(self, get: Get | None) -> None:
        asked = self._asking
        if asked is None:
            self._fetch = None
        elif get is not None:
            self._say(get, asked)

    @property
    def _asking(self) -> bytes | None:
        """An Ask that wants the program."""
        working = (id for id, item in self._open.items() if item.state == "working")
        return next((id for id in (*self._waiting, *working)), None)

    def _again(self, fetch: Fetch, now: int) -> None:
        if self._asking is None:
            self._fetch = None
        elif fetch.begun and fetch.wake is not None and fetch.wake <= now:
            self._pull(fetch.again(now))
