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
from folkmoot.wire.messages import Ask, Block, Get, Receipt, Refuse, Request, Started, Status


@dataclass(frozen=True, slots=True)
class Done:
    """Work has ended."""

    ask: bytes
    payload: bytes = b""
    failure: tuple[str, str] = ("", "")  # reason and detail, where there is no payload


class Step:
    """What comes of one step."""

    __slots__ = ("now", "sends", "unwanted", "wanted")

    def __init__(self, now: int) -> None:
        self.now = now
        self.sends: list[Send] = []
        self.wanted: list[member.Member] = []
        self.unwanted: list[member.Member] = []


class StandIn(Voice):
    """One device. What it does not need it does not keep: there may be a million."""

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
        "_sieve",
        "_stop",
        "_waiting",
        "trade",
    )

    def __init__(self, name: str, roof: Roof, trade: Trade, make_id: Callable[[], bytes]) -> None:
        super().__init__(name, roof, make_id)
        self.trade = trade
        self._answers: Answers
        self._inbox: list[Connack | Delivery | Done] = []
        self._heartbeat: int | None = None
        self._pause = HEARTBEAT_FIRST
        self._members: dict[bytes, member.Member] = {}
        self._open: list[member.Member] = []  # those of them that are not done
        self._kept: dict[bytes, bytes] = {}  # answers without a receipt, by Ask
        self._program = b""  # sha256 of the one that is here
        self._sieve: Sieve | None = None  # there while blocks of it come
        self._fetch: Fetch | None = None
        self._waiting: list[bytes] = []  # Asks that wait for it
        self._queue: list[member.Member] = []  # to be worked on
        self._busy = self._deed = self._stop = b""  # the Ask that is worked on: for the agent, for its trainer; to be ended

    def be(self, why_not: str) -> None:
        """Takes part, always."""
        assert not why_not

    def hear(self, packet: Connack | Delivery | Done) -> None:
        """Takes what is to be answered in a step."""
        self._inbox.append(packet)
        self.rouse()

    def turn(self) -> int | None:
        """Takes all that has come, or does what is due; gives when the next thing is."""
        now, came = self.agenda.now, self._inbox
        if came or ((wake := self._wake) is not None and wake <= now):
            self._inbox = []
            step = Step(now)
            for one in came:
                match one:
                    case Delivery():
                        self._receive(step, codec.unseal(one.payload, limit=self.roof.max_packet))
                    case Done():
                        self._worked(step, one)
                    case Connack():
                        self._answers = Answers(self.roof.tree, self.name, None, self.roof.inline)  # type: ignore[arg-type]
                        self._answers.limits(self.roof.max_packet - ROOM)
                        self._announce(step)
            self._tick(step)
            self._sort(step)
            if step.sends:
                self.say(step.sends)
            for one in came:
                if type(one) is Delivery and one.token is not None:
                    self._circuit.up(Puback(one.token))
            self._perform(now)
        return self._wake

    @property
    def _wake(self) -> int | None:
        wake = self._heartbeat
        for due in (*[item.wake for item in self._open], self._fetch.wake if self._fetch else None):
            if due is not None and (wake is None or due < wake):
                wake = due
        return wake

    def _tick(self, step: Step) -> None:
        if self._heartbeat is not None and self._heartbeat <= step.now:
            self._announce(step)
        for item in self._open.copy():
            if item.wake is not None and item.wake <= step.now:
                self._tell(step, item, member.Woke())
        if self._fetch is not None:
            self._again(step, self._fetch)

    # The work.

    def _sort(self, step: Step) -> None:
        for item in step.unwanted:
            self._queue = [other for other in self._queue if other is not item]
            if item.id == self._busy:
                self._stop = item.id
        for item in step.wanted:
            if item.id != self._busy and item not in self._queue:
                self._queue.append(item)

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

    def _worked(self, step: Step, done: Done) -> None:
        if done.ask == self._busy:
            self._busy = b""
        item = self._members.get(done.ask)
        if item is None or item.state != "working":
            return
        if done.payload:
            self._kept[item.id] = done.payload
            self._tell(step, item, member.Worked(codec.digest(done.payload), len(done.payload), self._answers.chunk))
        else:
            self._tell(step, item, member.Failed(*done.failure))

    # What the upper end says.

    def _announce(self, step: Step) -> None:
        status = Status(state="up", birth=BIRTH, hello=self.roof.digest, software=self.roof.hello.software)
        step.sends.append(Send(self.name, status, retain=True))
        self._heartbeat = step.now + self._pause
        self._pause = min(2 * self._pause, HEARTBEAT)

    def _receive(self, step: Step, envelope: codec.Envelope) -> None:
        body, item = envelope.body, self._members.get(envelope.ask)
        match body:
            case Ask():
                self._asked(step, envelope.ask, body, step.now + (envelope.remaining_ms or 0))
            case Block():
                self._block(step, body, envelope.ask)
            case Request(what="hello"):
                step.sends.append(Send(self.name, self.roof.hello))
            case Request() if item is not None:
                self._tell(step, item, member.Cancelled(body.reason or "upper"))
            case Receipt() if item is not None and item.payload == body.payload:
                self._tell(step, item, member.Receipted(body.status, body.reason))

    def _asked(self, step: Step, id: bytes, ask: Ask, deadline: int) -> None:
        assert ask.inline is not None
        known = self._members.get(id)
        if known is not None and known.state == "done" and any(one.ask.round > ask.round for one in self._members.values()):
            return  # done, and over: the run has gone on
        peers = self._open.copy() if known is None else []
        item = self._members[id] = known or member.Member()
        self._tell(step, item, member.Asked(id, msgspec.structs.replace(ask, inline=None), deadline))
        for other in peers:
            if other.state == "working" and other.ask.round <= ask.round:
                self._tell(step, other, member.Cancelled("newer"))

    def _block(self, step: Step, block: Block, ask: bytes) -> None:
        fetch = self._fetch
        if fetch is None or fetch.blob != block.blob:
            return
        match fetch.take(block, step.now):
            case "done":
                self._program, self._fetch, self._sieve = block.blob, None, None
                self._answers.carried(fetch.size)
                for waiting in self._waiting.copy():
                    self._begin(step, self._members[waiting])
            case "lacking":
                if ask in self._waiting:
                    self._tell(step, self._members[ask], member.Failed("no_blob", "the upper end does not have it"))
                self._again(step, fetch)
            case "more":
                self._pull(step, fetch.get(step.now))

    # What an Ask wants done.

    def _tell(self, step: Step, item: member.Member, event: member.Event) -> None:
        before = item.state
        effects = item.handle(event, step.now)
        if item.state == "done" != before:
            self._open.remove(item)
        elif before in ("new", "done") and item.state != before:
            self._open.append(item)
        for effect in effects:
            match effect:
                case member.Reply(refusal, detail):
                    body = Refuse(reason=refusal, detail=detail) if refusal else Started()
                    step.sends.append(Send(self.name, body, item.id))
                case member.Work():
                    self._begin(step, item)
                case member.StopWork():
                    self._wait(item, yes=False)
                    step.unwanted.append(item)
                case member.Offer(attempt):
                    step.sends.append(self._answers.manifest(item, self._kept[item.id], attempt))
                case member.Discard():
                    self._drop(item)
                case member.Forget():
                    self._wait(item, yes=False)
                    self._drop(item)
                    if len(self._members) - len(self._open) > DONE:
                        del self._members[next(id for id, one in self._members.items() if one.state == "done")]
                case _:
                    raise AssertionError(f"{type(effect).__name__}, where there is one connection, and answers are small")

    def _drop(self, item: member.Member) -> None:
        self._kept = {ask: payload for ask, payload in self._kept.items() if ask != item.id}

    def _wait(self, item: member.Member, *, yes: bool) -> None:
        if not yes and item.id in self._waiting:
            self._waiting.remove(item.id)
        elif yes and item.id not in self._waiting:
            self._waiting.append(item.id)

    def _begin(self, step: Step, item: member.Member) -> None:
        ask = item.ask
        if ask.program == self._program:
            self._wait(item, yes=False)
            step.wanted.append(item)
            return
        if self._fetch is None:
            self._sieve = self._sieve or Sieve()
            self._fetch = Fetch(self._sieve, ask.program, ask.program_size, self._answers.chunk, self._answers.room)
        if not self._fetch.begun:
            self._pull(step, self._fetch.get(step.now))
        self._wait(item, yes=True)

    def _pull(self, step: Step, get: Get | None) -> None:
        asked = self._asking
        if asked is None:
            self._fetch = None
        elif get is not None:
            step.sends.append(Send(self.name, get, asked))

    @property
    def _asking(self) -> bytes | None:
        """An Ask that wants the program."""
        working = (item.id for item in self._open if item.state == "working")
        return next((ask for ask in (*self._waiting, *working)), None)

    def _again(self, step: Step, fetch: Fetch) -> None:
        if self._asking is None:
            self._fetch = None
        elif fetch.begun and fetch.wake is not None and fetch.wake <= step.now:
            self._pull(step, fetch.again(step.now))
