"""The lower end of one Ask: take it, do the work, offer the answer until there is a receipt.

The same machine runs in a device, whose work is training, and in a gateway, whose work is a round below.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from folkmoot.errors import MisuseFault
from folkmoot.wire import chunks
from folkmoot.wire.messages import Ask

# No receipt: the manifest again after 30 s x 2^k, at most 10 min (protocol.md, Transfer of an answer, 6).
OFFER_AGAIN = 30_000
OFFER_CAP = 600_000
# A manifest that was sent twice brings two receipts `need`, and the second one does not know of the pieces that have left since
# the first. So long after one (ms) another is not believed: the manifest goes out again instead, behind those pieces.
HEEL = 5_000
# Reasons to stop after which no answer is of use, also where one may count when its round is over: it would hold whom somebody
# wants out, or it is gone.
FINAL = ("retracted", "lost")


class Local(msgspec.Struct, frozen=True):
    """That this Ask is a gateway's own: a local round, which it asks of its home while its upper end is away."""

    number: int  # from 1 on
    origin: bytes  # id of the upper end's Ask after which it comes
    weights: bytes  # what that Ask started from
    until: int  # ms of the timeline, after which no further one is begun


# Events.


class Asked(msgspec.Struct, frozen=True, tag=True):
    """The Ask is here; or here again."""

    id: bytes
    ask: Ask  # without inline weights: they are a blob of their own
    deadline: int  # ms of this node's timeline, from the remaining time when it came
    local: Local | None = None


class Worked(msgspec.Struct, frozen=True, tag=True):
    """The work is done and the answer stored."""

    payload: bytes
    size: int
    chunk: int = chunks.CHUNK  # bytes of a piece of it


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The work cannot be done, or is not allowed now."""

    reason: str
    detail: str = ""


class Cancelled(msgspec.Struct, frozen=True, tag=True):
    """The upper end no longer wants it."""

    reason: str


class Receipted(msgspec.Struct, frozen=True, tag=True):
    """The upper end says what became of the answer."""

    status: Literal["ok", "dup", "need", "bad", "late"]
    reason: str = ""
    have: bytes = b""


class Reconnected(msgspec.Struct, frozen=True, tag=True):
    """The link is up again, and the broker does not remember what was under way."""


class Woke(msgspec.Struct, frozen=True, tag=True):
    """The time that `wake` named has come."""


Event = Asked | Worked | Failed | Cancelled | Receipted | Reconnected | Woke


# Effects.


class Reply(msgspec.Struct, frozen=True):
    """Say that the work has started, or will not be done."""

    refusal: str = ""
    detail: str = ""


class Work(msgspec.Struct, frozen=True):
    """Do the work, unless it is being done."""


class StopWork(msgspec.Struct, frozen=True):
    """Stop working on it."""

    reason: str


class Offer(msgspec.Struct, frozen=True):
    """Send the answer's manifest."""

    attempt: int


class SendPieces(msgspec.Struct, frozen=True):
    """Send the chunks that the upper end does not have."""

    have: bytes


class AskAgain(msgspec.Struct, frozen=True):
    """Ask the upper end for the Ask once more, before working on what may be over."""


class Discard(msgspec.Struct, frozen=True):
    """Drop the stored answer: another one will take its place."""

    payload: bytes


class Forget(msgspec.Struct, frozen=True):
    """Nothing of this Ask is needed any more."""

    fate: str


Effect = Reply | Work | StopWork | Offer | SendPieces | AskAgain | Discard | Forget


def fewer(ask: Ask, known: Ask) -> bool:
    """Says whether an Ask names fewer leaves than it did: somebody was retracted since.

    No leaf ever comes back, so the same Ask with more leaves is an older message that was under way for longer.
    """
    if ask.each is None:
        return False
    return known.each is None or {leaf.device for leaf in ask.each} < {leaf.device for leaf in known.each}


class Member:
    """One Ask, seen from below. States: new, working, offering, done; the moves are in `_MOVES`."""

    __slots__ = (
        "_due",
        "_heel",
        "ask",
        "attempt",
        "began",
        "chunk",
        "deadline",
        "fate",
        "id",
        "local",
        "payload",
        "size",
        "state",
    )

    def __init__(self) -> None:
        self.state: Literal["new", "working", "offering", "done"] = "new"
        self.id = b""
        self.ask: Ask
        self.local: Local | None = None
        self.began = 0  # when it was taken
        self.deadline = 0
        self.payload = b""
        self.size = 0
        self.chunk = chunks.CHUNK
        self.fate = ""
        self.attempt = 0
        self._due: int | None = None
        self._heel = 0  # until then a receipt `need` is on the heels of another

    @property
    def wake(self) -> int | None:
        """When to send `Woke`, or None."""
        return self.deadline if self.state == "working" else self._due if self.state == "offering" else None

    @property
    def delivered(self) -> bool:
        """Whether the upper end has the answer, as far as this end has heard."""
        return self.fate.partition(":")[0] in ("ok", "dup")

    def handle(self, event: Event, now: int) -> list[Effect]:
        """Takes one event at the time `now`; gives what to do once it is stored.

        Raises MisuseFault for a move that the table lacks; then nothing has changed.
        """
        move = _MOVES.get((self.state, type(event)))
        if move is None:
            raise MisuseFault(f"a member that is {self.state} cannot take {type(event).__name__}")
        return move(self, event, now)

    def resume(self, now: int) -> list[Effect]:
        """Gives what to do after a replay: an answer is offered again, work is asked for again before it is begun."""
        if self.state == "working":
            return [AskAgain()] if self.local is None else [Work()]
        return self._offer(now) if self.state == "offering" else []

    def _take(self, event: Asked, now: int) -> list[Effect]:
        self.id, self.ask, self.deadline = event.id, event.ask, event.deadline
        self.local, self.began = event.local, now
        self.state = "working"
        return [*self._say(), Work()]

    def _say(self, refusal: str = "", detail: str = "") -> list[Effect]:
        """Tells the upper end how it stands, unless the Ask is our own."""
        return [Reply(refusal, detail)] if self.local is None else []

    def _offer(self, now: int) -> list[Effect]:
        self._due = now + min(OFFER_AGAIN << min(self.attempt, 8), OFFER_CAP)
        self.attempt += 1
        return [Offer(self.attempt - 1)]

    def _work(self, event: Worked, now: int) -> list[Effect]:
        self.payload, self.size, self.chunk, self.state = event.payload, event.size, event.chunk, "offering"
        return self._offer(now)

    def _fail(self, event: Failed, now: int) -> list[Effect]:
        return [*self._say(event.reason, event.detail), *self._end(f"refused:{event.reason}")]

    def _cancel(self, event: Cancelled, now: int) -> list[Effect]:
        if self.ask.offline is not None and event.reason not in FINAL:
            return [StopWork(event.reason)]  # what is done by then is an answer, and may count in the next round
        return [StopWork(event.reason), *self._end(f"cancelled:{event.reason}")]

    def _drop(self, event: Cancelled, now: int) -> list[Effect]:
        """Which answer it has, the upper end says in a receipt alone: this may be a word about one before a retraction.

        So it does where an answer may count belatedly.
        """
        if event.reason == "answered" or (self.ask.offline is not None and event.reason not in FINAL):
            return self._offer(now)
        return self._end(f"cancelled:{event.reason}")

    def _receipt(self, event: Receipted, now: int) -> list[Effect]:
        if event.status == "need":
            if now < self._heel:
                self._due = self._heel
                return []
            self._due, self._heel = now + OFFER_AGAIN, now + HEEL
            return [SendPieces(event.have)]
        return self._end(f"{event.status}:{event.reason}" if event.reason else event.status)

    def _end(self, fate: str) -> list[Effect]:
        self.state, self.fate, self._due = "done", fate, None
        return [Forget(fate)]

    def _expire(self, event: Woke, now: int) -> list[Effect]:
        """Works on a thing that is over: the upper end has said late by its own clock; here it only saves energy."""
        if now < self.deadline:
            return []
        return [StopWork("deadline"), *self._say("deadline"), *self._end("late")]

    def _offer_when_due(self, event: Woke, now: int) -> list[Effect]:
        return self._offer(now) if self._due is not None and now >= self._due else []

    def _offer_again(self, event: Asked, now: int) -> list[Effect]:
        return self._offer(now)

    def _offer_anew(self, event: Reconnected, now: int) -> list[Effect]:
        self._heel = 0  # the pieces that the broker had are gone
        return self._offer(now)

    def _take_again(self, event: Asked, now: int) -> list[Effect]:
        if fewer(event.ask, self.ask):
            self.ask = event.ask
        self.deadline = event.deadline
        return [Reply(), Work()]

    def _withdraw(self, event: Asked, now: int) -> list[Effect]:
        """The Ask again asks for the answer again; with fewer leaves, for another answer."""
        if not fewer(event.ask, self.ask):
            return self._offer(now)
        return [Discard(self.payload), *self._anew(event, now)]

    def _reconsider(self, event: Asked, now: int) -> list[Effect]:
        """An Ask that crossed our answer is of no use, unless it has fewer leaves; after the word `over` it is a new chance."""
        over = self.fate.startswith(("refused", "cancelled", "late"))
        return self._anew(event, now) if over or (self.delivered and fewer(event.ask, self.ask)) else []

    def _anew(self, event: Asked, now: int) -> list[Effect]:
        self.attempt, self.fate, self.payload, self._due = 0, "", b"", None
        return self._take(event, now)

    def _leave(self, event: Cancelled, now: int) -> list[Effect]:
        """What was kept for another answer can go: there will be none. That we have answered is no news."""
        return [] if event.reason == "answered" else [StopWork(event.reason)]

    def _ask_again(self, event: Reconnected, now: int) -> list[Effect]:
        return [AskAgain()] if self.local is None else []

    def _keep(self, event: Event, now: int) -> list[Effect]:
        return []


_MOVES: dict[tuple[str, type], Callable[..., list[Effect]]] = {
    ("new", Asked): Member._take,
    ("working", Asked): Member._take_again,
    ("working", Worked): Member._work,
    ("working", Failed): Member._fail,
    ("working", Cancelled): Member._cancel,
    ("working", Receipted): Member._keep,  # of an answer of an earlier life
    ("working", Reconnected): Member._ask_again,
    ("working", Woke): Member._expire,
    ("offering", Asked): Member._withdraw,
    ("offering", Receipted): Member._receipt,
    ("offering", Cancelled): Member._drop,
    ("offering", Reconnected): Member._offer_anew,
    ("offering", Woke): Member._offer_when_due,
    ("offering", Worked): Member._keep,
    ("offering", Failed): Member._keep,
    ("done", Asked): Member._reconsider,
    ("done", Cancelled): Member._leave,
    **{("done", kind): Member._keep for kind in (Worked, Failed, Receipted, Reconnected, Woke)},
}
