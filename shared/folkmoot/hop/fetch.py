"""Pulling one blob down, block by block, until its sha256 is right."""

from typing import Literal

from folkmoot.hop.ports import Spool
from folkmoot.wire import chunks, codec
from folkmoot.wire.messages import Block, Get

# Blocks under way at once: with 16 KiB they fill the 125 kB/s link of protocol.md 4 for a second, several times the way there
# and back. When half of them are here the next ones are asked for, so that the link never runs dry. Of large blocks fewer, for
# those of all members wait at the upper end.
WINDOW, LEAST = 8, 4
PATIENCE = 5_000  # ms without a block before the missing ones are asked for again
PATIENCE_CAP = 60_000


class Fetch:
    """One download. `get()` says what to ask for next, `take(block)` what came of a block."""

    def __init__(self, spool: Spool, blob: bytes, size: int, chunk: int, most: int = chunks.LARGE) -> None:
        """Goes on where an earlier life stopped: the spool knows which blocks are there. `size` and `chunk` in bytes.

        Until the first `get` it only takes what an earlier life may have asked for. What has begun in other blocks, of at most
        `most` bytes, goes on in them.
        """
        before = spool.resume(blob)
        if 0 < before <= most:
            chunk = before
        self.blob = blob
        self.size = size
        self.chunk = chunk
        self.wake: int | None = None
        self.begun = False
        self.content = b""
        """The blob, once it is done."""
        self._spool = spool
        self._have = spool.have(blob, size, chunk)
        self._coming: set[int] = set()  # blocks that have been asked for
        self._ahead = 0  # blocks before this one are here or asked for
        self._tries = 0
        self._window = min(WINDOW, max(LEAST, WINDOW * chunks.CHUNK // chunk))

    @property
    def done(self) -> bool:
        """Whether every block is there."""
        return self._have.full

    def get(self, now: int) -> Get | None:
        """Gives the next request: the first blocks that are neither here nor asked for. None: there is nothing to ask for."""
        self.begun = True
        self.wake = None if self.done else now + min(PATIENCE << self._tries, PATIENCE_CAP)
        first = next(self._have.missing(self._ahead), None)
        room = self._window - len(self._coming)
        if first is None or room <= 0:
            return None
        count = 1
        while count < room and first + count < self._have.total and first + count not in self._have:
            count += 1
        self._ahead = first + count
        self._coming.update(range(first, self._ahead))
        return Get(blob=self.blob, chunk=self.chunk, first=first, count=count)

    def again(self, now: int) -> Get | None:
        """Gives the request for what was asked for and is lost."""
        self._coming.clear()
        self._ahead = 0
        get = self.get(now)
        self._tries = min(self._tries + 1, 8)
        return get

    def rest(self) -> None:
        """Waits for nothing: there is no connection that a block could come over."""
        self.wake = None

    def resume(self, now: int) -> None:
        """Waits for what the broker has kept meanwhile."""
        if self.begun:
            self.wake = now + PATIENCE

    def take(self, block: Block, now: int) -> Literal["more", "wait", "done", "lacking", "damaged"]:
        """Takes one block.

        Gives what is next: `more`, ask for the next ones; `wait`, enough are under way; `done`; `lacking`, the upper end does
        not have the blob; `damaged`, the bytes are not the blob's and it starts over.
        """
        if block.size == 0:
            return "lacking"
        if block.size != self.size:
            return "wait"
        full = self._spool.write(self.blob, block.index, block.data)
        self._tries = 0
        self._have.add(block.index)
        self._coming.discard(block.index)
        if full:
            self.content = self._spool.read(self.blob)
            if codec.digest(self.content) == self.blob:
                return "done"
            self._spool.drop(self.blob)
            self._have = self._spool.have(self.blob, self.size, self.chunk)
            self._coming.clear()
            self._ahead = 0
            return "damaged"
        if not self.begun:
            return "wait"
        self.wake = now + PATIENCE
        return "more" if len(self._coming) <= self._window // 2 else "wait"
