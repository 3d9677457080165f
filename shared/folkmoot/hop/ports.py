"""What the two ends of a hop need of the node that they live in: numbers, disks, nothing else."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

from folkmoot.wire import chunks
from folkmoot.wire.messages import Answer

# What a CBOR envelope, its keys and an Ask's own fields take at most beside the inline bytes.
ROOM = 4_096


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of looking at an answer: a rejection, or what there is to add."""

    leaves: tuple[str, ...] = ()
    rejection: str = ""
    detail: str = ""
    content: Any = None  # opaque: goes into `Sums.add`


@dataclass(frozen=True, slots=True)
class Late:
    """What an answer to an Ask of an earlier round is relative to, and what it counts in this one."""

    base: int
    weights: bytes
    factor: int  # in 1,024ths (folkmoot.parts.staleness)
    reserved: int = 0  # weight that must stay free for the answers that this round waits for


class Sums(Protocol):
    """The numeric side of one open round (folkmoot.serve.sums)."""

    limit: int
    """Bytes beyond which no payload of this round can be sound."""

    def judge(
        self, member: str, answer: Answer, data: bytes, below: Collection[str] | None, late: Late | None = None
    ) -> Judgement:
        """Screens one whole answer; changes nothing. `below`: the devices that the member may answer for; None: any.

        `late`: it answers an Ask of an earlier round, and is held against that one; the rejection `full` says that it may come
        again to another round.
        """
        ...

    def add(self, member: str, content: Any) -> None:
        """Adds what `judge` gave."""
        ...

    def clear(self) -> None:
        """Lets go of all that was added."""
        ...

    def remove(self, member: str, answer: Answer, data: bytes, late: Late | None = None) -> None:
        """Takes an answer that was added out again: to the bit as if it had never come."""
        ...


class Spool(Protocol):
    """Where the pieces of large payloads wait for each other (folkmoot.store.spool)."""

    limit: int
    """Bytes that it takes at most."""

    def fits(self, payload: bytes, size: int) -> bool:
        """Whether there is a place for a transfer of `size` bytes now, or it has one."""
        ...

    def rest(self, payload: bytes) -> None:
        """Keeps what is there of a transfer, and gives its place to another one."""
        ...

    def resume(self, payload: bytes) -> int:
        """Gives the bytes of a piece of a transfer that pieces can be written to, also of one that an earlier life has left.

        0 where there is none.
        """
        ...

    def have(self, payload: bytes, size: int, chunk: int) -> chunks.Bitmap:
        """Gives which chunks are there, starting a new file where there is none."""
        ...

    def write(self, payload: bytes, index: int, data: bytes) -> bool:
        """Stores one chunk; says whether all are there. Raises PeerFault("malformed") for one that does not fit."""
        ...

    def read(self, payload: bytes) -> bytes:
        """Gives the whole payload."""
        ...

    def drop(self, payload: bytes) -> None:
        """Forgets it."""
        ...


class Library(Protocol):
    """Content-addressed blobs that can be pulled again: programs and weights (folkmoot.store.cache)."""

    def has(self, blob: bytes) -> bool:
        """Whether the blob is here, whole and sound."""
        ...

    def put(self, data: bytes, blob: bytes = b"") -> bytes:
        """Stores a blob; gives its sha256. `blob`: that, where the caller has just worked it out."""
        ...


class Blobs(Library, Protocol):
    """A library that its node reads as well."""

    def read(self, blob: bytes) -> bytes:
        """Gives the blob's bytes. Raises StoreFault where it is not here, or is no longer sound."""
        ...


class Outbox(Protocol):
    """Answers that are stored and not yet receipted (folkmoot.store.ledger)."""

    def payload(self, owner: str, payload: bytes) -> bytes | None:
        """Gives what `Keep` stored, or None where it is gone."""
        ...

    def piece(self, owner: str, payload: bytes, start: int, size: int) -> bytes | None:
        """Gives `size` bytes of it from `start` on, or None where they are gone; nobody has compared them with the sha256."""
        ...
