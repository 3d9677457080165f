"""The two ends of a hop without a network: what one says is handed to the other, or to a test."""

from pathlib import Path
from typing import Any

from folkmoot.hop.batch import Batch, Send
from folkmoot.hop.lower import Lower
from folkmoot.hop.ports import Judgement
from folkmoot.hop.upper import Upper
from folkmoot.store.cache import Cache
from folkmoot.store.ledger import Ledger
from folkmoot.store.spool import Spool
from folkmoot.wire import codec
from folkmoot.wire.messages import Answer, Body
from folkmoot.wire.topics import Tree

TREE = Tree("fl", "g1")
INLINE = 4_000


class Heap:
    """Sums that only keep what they are given (folkmoot.hop.ports.Sums)."""

    limit = 1_000_000

    def __init__(self) -> None:
        self.added: dict[str, bytes] = {}

    def judge(self, member: str, answer: Answer, data: bytes, below: Any, late: Any = None) -> Judgement:
        return Judgement(rejection="non_finite") if data.startswith(b"NaN") else Judgement((member,), content=data)

    def add(self, member: str, content: bytes) -> None:
        self.added[member] = content

    def clear(self) -> None:
        """Lets go of them."""
        self.added.clear()

    def remove(self, member: str, answer: Answer, data: bytes, late: Any = None) -> None:
        assert self.added.pop(member) == data


def upper(folder: Path) -> Upper:
    """Gives an upper end, the gateway g1."""
    return Upper(TREE, "g1", Spool(folder / "spool"), INLINE)


def lower(folder: Path, name: str = "d1") -> Lower:
    """Gives a lower end, a device of g1."""
    cache, spool = Cache(folder / "cache", 1 << 30), Spool(folder / "lower-spool")
    return Lower(TREE, name, cache, spool, Ledger(folder / f"{name}.db"), INLINE)


def message(src: str, dst: str, body: Body, ask: bytes = b"", remaining_ms: int | None = None) -> bytes:
    """Gives the bytes of a message."""
    envelope = codec.Envelope(id=bytes(16), src=src, dst=dst, body=body, ask=ask, remaining_ms=remaining_ms)
    return codec.seal(envelope)


def up(end: Upper, body: Body, *, now: int = 0, ask: bytes = b"", src: str = "d1", member: str = "d1") -> Batch:
    """Gives what an upper end makes of a message of a member; `src` may lie."""
    batch = Batch(now)
    end.receive(batch, TREE.topic(member, type(body)), message(src, "g1", body, ask))
    return batch


def down(
    end: Lower, body: Body, *, now: int = 0, ask: bytes = b"", remaining_ms: int | None = 60_000, dst: str = "d1"
) -> Batch:
    """Gives what a lower end makes of a message from above."""
    batch = Batch(now)
    end.receive(batch, TREE.topic("d1", type(body)), message("g1", dst, body, ask, remaining_ms))
    return batch


def bodies(batch: Batch) -> list[Body]:
    """Gives what is to be sent, in order."""
    return [send.body for send in batch.sends]


def sent(batch: Batch, kind: type[Body]) -> list[Send]:
    """Gives the sends of one kind."""
    return [send for send in batch.sends if isinstance(send.body, kind)]


def reasons(batch: Batch) -> list[str]:
    """Gives why messages were refused."""
    return [fault.reason for fault in batch.faults]
