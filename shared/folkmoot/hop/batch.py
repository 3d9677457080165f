"""What comes out of one step of a node: first to be stored in one transaction, then to be done."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from folkmoot.hop import events, member
from folkmoot.wire.messages import Ask, Body, Get

Event = events.Event | member.Event
OBJECT = 1_000  # bytes of a message's objects in memory, without payloads: 500 for a receipt, 600 for an Ask, measured
LEAF = 8  # of one leaf that an Ask names: it is the round's, as are the weights that travel in an Ask


@dataclass(frozen=True, slots=True)
class Send:
    """A message for a peer. It is sealed when it leaves, so that the remaining time is right."""

    member: str  # the lower end of the hop: the topic names it, whichever way the message goes
    body: Body
    ask: bytes = b""
    shard: str = "-"
    deadline: int | None = None  # ms of the timeline
    retain: bool = False
    fill: Callable[[Any], Body | None] | None = field(default=None, compare=False)
    """Puts the content into the body when it leaves, so that what waits is small. None: it is gone, and nothing leaves."""

    @property
    def whole(self) -> Body | None:
        """The body as it leaves; None where there is none any more."""
        return self.body if self.fill is None else self.fill(self.body)

    @property
    def key(self) -> Hashable:
        """A message that is still waiting is replaced by a newer one with the same key."""
        body = self.body
        parts = (getattr(body, "blob", None), getattr(body, "payload", None), getattr(body, "index", None))
        return (type(body), self.member, self.ask, *parts, getattr(body, "first", None))

    @property
    def lasting(self) -> bool:
        """Whether it leaves again where a lost connection took the broker's acknowledgement with it.

        Not a request for blocks: said twice it brings them twice, and whoever lacks them will ask for what is missing by then.
        """
        return not (isinstance(self.body, Get) and self.body.blob)

    @property
    def weight(self) -> int:
        """About how many bytes of memory it alone takes: those of a payload that travels in it, and what every message has."""
        if isinstance(self.body, Ask):
            return OBJECT + LEAF * len(self.body.each or ())
        return OBJECT + sum(len(getattr(self.body, field, None) or b"") for field in ("inline", "data"))


@dataclass(frozen=True, slots=True)
class Keep:
    """A payload that must not be lost before its owner is forgotten."""

    owner: str  # key of the machine
    payload: bytes  # sha256
    content: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """A message that changed nothing, and why: for the log, once."""

    member: str
    reason: str
    detail: str


@dataclass(slots=True)
class Batch:
    """One transaction and what follows it.

    Stored together: `journal`, `keeps`, `forgets`, `drops` and the rows that a node adds itself. Done afterwards: `sends` and
    `acks`.
    """

    now: int  # ms of the timeline
    journal: list[tuple[str, Event]] = field(default_factory=list)
    keeps: list[Keep] = field(default_factory=list)
    forgets: list[str] = field(default_factory=list)  # machines that are done: see `forget`
    drops: list[tuple[str, bytes]] = field(default_factory=list)  # owner and sha256 of payloads that go: see `drop`
    sends: list[Send] = field(default_factory=list)
    acks: list[Any] = field(default_factory=list)  # tokens of the messages that this batch has taken in
    faults: list[Fault] = field(default_factory=list)
    firm: bool = False  # must survive a power cut before anything of it is done; otherwise a crash of the process is enough

    _gone: dict[str, tuple[int, int]] = field(default_factory=dict)  # machine to what of `journal` and `keeps` goes with it
    _dropped: dict[tuple[str, bytes], int] = field(default_factory=dict)  # payload to what of `keeps` goes with it

    def forget(self, machine: str) -> None:
        """Has a machine's journal and payloads go, and what stands of it here; what follows is of its next life."""
        self.forgets.append(machine)
        self._gone[machine] = (len(self.journal), len(self.keeps))

    def drop(self, owner: str, payload: bytes) -> None:
        """Has one payload go, whose owner stays; what follows is kept anew."""
        self.drops.append((owner, payload))
        self._dropped[owner, payload] = len(self.keeps)

    @property
    def rows(self) -> list[tuple[str, Event]]:
        """What of the journal is to be stored, once `forgets` are forgotten."""
        if not self._gone:  # most of them
            return self.journal
        return [entry for number, entry in enumerate(self.journal) if number >= self._gone.get(entry[0], (0, 0))[0]]

    @property
    def payloads(self) -> list[Keep]:
        """What of the payloads is to be stored, once `forgets` are forgotten and `drops` dropped."""
        if not self.keeps:
            return self.keeps
        return [
            keep
            for number, keep in enumerate(self.keeps)
            if number >= self._gone.get(keep.owner, (0, 0))[1] and number >= self._dropped.get((keep.owner, keep.payload), 0)
        ]

    def kept(self, owner: str, payload: bytes) -> bytes | None:
        """Gives a payload that is to be stored with this batch."""
        return next((keep.content for keep in self.payloads if (keep.owner, keep.payload) == (owner, payload)), None)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to store."""
        return not (self.journal or self.keeps or self.forgets or self.drops)
