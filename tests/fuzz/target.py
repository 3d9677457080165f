"""What a fuzz target is, and the law on memory that holds for every one of them."""

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from folkmoot.errors import PeerFault

# What reading may take beside the bytes it reads, in bytes for each of them: an empty map is one byte on the wire and, with its
# place in a list, 72 in Python; then structures are made of maps, and the oracle below holds both at once.
FACTOR = 160
# For a fault with its sentence and its traceback, whatever the size of what came.
ROOM = 65_536

# Who reads, and what it makes of it; raises PeerFault for what is malformed, AssertionError where a law is broken.
Run = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    """One reader of bytes from elsewhere, with its laws and with where to start from."""

    name: str
    run: Run
    seeds: tuple[bytes, ...]
    cbor: int | None = 0  # bytes in front of the CBOR item that an input is; None: it is no CBOR
    longest: int = 4_096  # bytes of an input that chance makes up


class Excess(AssertionError):
    """Reading took more memory than it may."""


def hold(target: Target, data: bytes) -> None:
    """Holds a target to its laws on one input; raises AssertionError where it breaks one.

    The law on memory is broken by what breaks it twice: the table of interned strings, to which every Path adds, doubles by
    itself once in a long while.
    """
    try:
        target.run(data)
    except Excess:
        target.run(data)


@contextmanager
def bounded(size: int) -> Iterator[None]:
    """Holds its block to `FACTOR` bytes for each of `size` and `ROOM` on top; tracemalloc must be tracing."""
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    try:
        yield
    finally:
        taken = tracemalloc.get_traced_memory()[1] - before
        if taken > FACTOR * size + ROOM:
            raise Excess(f"{taken} bytes of memory for {size} that came")


def refusal(read: Callable[[], object]) -> str:
    """Gives the reason for which reading is refused, or "" where it is not."""
    try:
        read()
    except PeerFault as fault:
        return fault.reason
    return ""
