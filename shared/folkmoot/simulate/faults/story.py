"""What happened in a run, as lines for people: when, to whom, what."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from folkmoot.hop import events, member
from folkmoot.hop.batch import Batch, Event, Send
from folkmoot.simulate.faults.world import World
from folkmoot.wire.messages import Answer, Ask, Block, Chunk, Get, Receipt, Refuse, Request, Status


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened."""

    at: int  # ms
    who: str
    what: str
    kind: str  # befell, moved, sent, refused or told

    def concerns(self, names: Collection[str]) -> bool:
        """Whether this is about one of some machines; of none in particular: yes."""
        named = any(f" {name} " in f" {self.what} " for name in names)
        return not names or named or self.who in names or self.who.startswith("broker")

    def __str__(self) -> str:
        return f"{self.at / 1000:10.3f} s  {self.who:<12} {self.what}"


@dataclass(slots=True)
class Story:
    """Listens to a world. `also` hears what the world does beside it."""

    world: World
    lines: list[Line] = field(default_factory=list)
    _facts: int = 0

    def attend(self) -> None:
        """Begins to listen; who listened before goes on hearing."""
        ears = self.world.ears
        committed, stepped = ears.committed, ears.stepped

        def store(name: str, batches: Collection[Batch]) -> None:
            self._store(name, batches)
            committed(name, batches)

        def step(name: str, batches: Collection[Batch]) -> None:
            self._step(name, batches)
            stepped(name, batches)

        ears.committed, ears.stepped = store, step
        ears.happened = lambda who, what: self._add(who, what, "befell")

    def _store(self, name: str, batches: Collection[Batch]) -> None:
        for batch in batches:
            for key, event in batch.journal:
                self._add(name, f"{_short(key)}: {_event(event)}", "moved")

    def _step(self, name: str, batches: Collection[Batch]) -> None:
        for batch in batches:
            for fault in batch.faults:
                self._add(name, f"refuses a message of {fault.member}: {fault.reason} ({fault.detail})", "refused")
            for send in batch.sends:
                if not isinstance(send.body, Status):  # the heartbeat
                    self._add(name, _send(send), "sent")
        facts = self.world.cloud.facts if name == "cloud" else ()
        for fact in facts[self._facts :]:
            if type(fact).__name__ not in ("GatewayTold", "AnswerTaken"):
                self._add("cloud", _fact(fact), "told")
        self._facts = max(self._facts, len(facts))

    def _add(self, who: str, what: str, kind: str) -> None:
        self.lines.append(Line(self.world.now, who, what, kind))


def _short(key: str) -> str:
    kind, _, name = key.partition("/")
    return f"Ask {name[:8]}" if kind == "m" else f"round {name if '/' in name else name[:8]}"


def _event(event: Event) -> str:
    match event:
        case member.Asked(_, ask):
            return f"asked to {ask.phase} for round {ask.round}"
        case member.Worked():
            return "the answer is stored"
        case member.Receipted(status, reason):
            return f"receipt {status} {reason}".rstrip()
        case events.Opened(_, ask, _, members):
            return f"opened to {ask.phase}, round {ask.round}, with " + ", ".join(one.member for one in members)
        case events.Answered(who, _, leaves, rejection):
            return f"{who} answered: " + (rejection or f"{len(leaves)} devices")
        case _:
            about = getattr(event, "member", "")
            reason = getattr(event, "reason", "")
            return " ".join(word for word in (about, type(event).__name__.lower(), reason) if word)


def _send(send: Send) -> str:
    body: Any = send.body
    match body:
        case Ask(round=number, phase=phase):
            words = f"Ask to {phase} for round {number}"
        case Receipt(status=status, reason=reason):
            words = f"receipt {status} {reason}".rstrip()
        case Answer(attempt=attempt, size=size):
            words = f"answer of {size} bytes, attempt {attempt}"
        case Chunk(index=index):
            words = f"chunk {index}"
        case Get(first=first, count=count, blob=blob):
            words = f"wants blocks {first} to {first + count - 1} of {blob.hex()[:8]}" if blob else "wants the Ask again"
        case Block(index=index, blob=blob):
            words = f"block {index} of {blob.hex()[:8]}"
        case Refuse(reason=reason, detail=detail):
            words = f"refuses: {reason} {detail}".rstrip()
        case Request(what=what, reason=reason):
            words = f"request {what} {reason}".rstrip()
        case _:
            words = type(body).__name__.lower()
    return f"-> {send.member or 'all'} : {words}" + (f" [{send.ask.hex()[:8]}]" if send.ask else "")


def _fact(fact: Any) -> str:
    kind = type(fact).__name__
    match kind:
        case "RoundClosed":
            devices = ", ".join(f"{leaf.device} {leaf.fate}".rstrip() for leaf in fact.sums.leaves)
            return f"record: round {fact.number} {fact.closed.outcome} ({fact.closed.reason}): {devices or 'nobody'}"
        case "Learnt":
            return f"record: model {fact.campaign.digest.hex()[:8]} after round {fact.number}"
        case "RunMoved":
            return f"record: run {fact.run} {fact.status} {fact.outcome or ''} {fact.reason}".rstrip()
        case _:
            return f"record: {kind}"
