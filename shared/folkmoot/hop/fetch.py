"""Pulling one blob down, block by block, until its sha256 is right."""

from typing import Literal

from folkmoot.hop.ports import Spool
from folkmoot.wire import chunks, codec
from folkmoot.wire.messages import Block, Get

# Blocks under way at once: with 32 KiB they fill the 125 kB/s link of protocol.md 4 for two seconds.
WINDOW = 8
PATIENCE = 5_000  # ms without a block before the missing ones are asked for again
PATIENCE_CAP = 60_000


class Fetch:
    """One download. `get()` says what to ask for next, `take(block)` what came of a block."""

    def __init__(self, spool: Spool, blob: bytes, size: int, chunk: int) -> None:
        """Goes on where an earlier life stopped: the spool knows which blocks are there. `size` and `chunk` in bytes."""
        self.blob = blob
        self.size = size
        self.chunk = chunk
        self.due: int | None = None
        self._spool = spool
        self._have = spool.have(blob, size, chunk)
        self._until = 0  # blocks before this one have been asked for
        self._tries = 0

    @property
    def done(self) -> bool:
        """Whether every block is there."""
        return self._have.full

    def get(self, now: int) -> Get | None:
        """Gives the next request: the first gap, at most a window of it."""
        first = next(self._have.missing(), None)
        if first is None:
            return None
        count = 1
        while count < WINDOW and first + count < self._have.total and first + count not in self._have:
            count += 1
        self._until = first + count
        self.due = now + min(PATIENCE << self._tries, PATIENCE_CAP)
        self._tries = min(self._tries + 1, 8)
        return Get(blob=self.blob, chunk=self.chunk, first=first, count=count)

    def take(self, block: Block, now: int) -> Literal["more", "wait", "done", "lacking", "damaged"]:
        """Takes one block.

        Gives what is next: `more`, ask for the next window; `wait`, the window is not through; `done`; `lacking`, the upper end
        does not have the blob; `damaged`, the bytes are not the blob's and it starts over.
        """
        if block.size == 0:
            return "lacking"
        if block.size != self.size or chunks.crc(block.data) != block.crc:
            return "wait"
        self._tries = 0
        whole = self._spool.write(self.blob, block.index, block.data)
        self._have.add(block.index)
        if whole:
            data = self._spool.read(self.blob)
            if codec.digest(data) == self.blob:
                return "done"
            self._spool.drop(self.blob)
            self._have = self._spool.have(self.blob, self.size, self.chunk)
            return "damaged"
        self.due = now + PATIENCE
        through = all(index in self._have for index in range(self._until))
        return "more" if through else "wait"
