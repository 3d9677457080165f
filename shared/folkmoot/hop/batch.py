"""What comes out of one step of a node: first to be stored in one transaction, then to be done."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from folkmoot.hop import member, round
from folkmoot.wire.messages import Body

Event = round.Event | member.Event


@dataclass(frozen=True, slots=True)
class Send:
    """A message for a peer. It is sealed when it leaves, so that the remaining time is right."""

    member: str  # the lower end of the hop: the topic names it, whichever way the message goes
    body: Body
    ask: bytes = b""
    shard: str = "-"
    deadline: int | None = None  # ms of the timeline
    retain: bool = False

    @property
    def key(self) -> Hashable:
        """A message that is still waiting is replaced by a newer one with the same key."""
        parts = tuple(getattr(self.body, field, None) for field in ("blob", "payload", "index", "first"))
        return (type(self.body), self.member, self.ask, parts)


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

    Stored together: `forgets` and `drops`, then `journal` and `keeps`, and the rows that a node adds itself. Done afterwards:
    `sends`, `acks`.
    """

    now: int  # ms of the timeline
    journal: list[tuple[str, Event]] = field(default_factory=list)
    keeps: list[Keep] = field(default_factory=list)
    forgets: list[str] = field(default_factory=list)  # machines that are done: what is stored of them goes, before the rest
    drops: list[tuple[str, bytes]] = field(default_factory=list)  # kept payloads (owner, sha256) that go, before the rest
    sends: list[Send] = field(default_factory=list)
    acks: list[Any] = field(default_factory=list)  # tokens of the messages that this batch has taken in
    faults: list[Fault] = field(default_factory=list)
    firm: bool = False  # must survive a power cut before anything of it is done; otherwise a crash of the process is enough

    @property
    def empty(self) -> bool:
        """Whether there is nothing to store."""
        return not (self.journal or self.keeps or self.forgets or self.drops)

    def forget(self, machine: str) -> None:
        """Drops a machine and all that is kept for it. It may begin anew in the same batch."""
        self.journal = [entry for entry in self.journal if entry[0] != machine]
        self.keeps = [keep for keep in self.keeps if keep.owner != machine]
        self.forgets.append(machine)

    def drop(self, owner: str, payload: bytes) -> None:
        """Drops one kept payload."""
        self.keeps = [keep for keep in self.keeps if (keep.owner, keep.payload) != (owner, payload)]
        self.drops.append((owner, payload))

    def kept(self, owner: str, payload: bytes) -> bytes | None:
        """Gives a payload that is to be kept with this batch."""
        return next((keep.content for keep in self.keeps if (keep.owner, keep.payload) == (owner, payload)), None)
