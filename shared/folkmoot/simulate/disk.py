"""A machine's disk in memory: what is on it, what a power cut takes back, and every durable step as a place to crash at.

The stores here have the faces of folkmoot.store's, and a test holds both to the same behaviour. What survives what is as
decision 0011 says: a firm commit and all before it survive a power cut, soft ones may be lost, the newest first; a cached blob
and the newest map of a transfer are not synced.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from folkmoot.errors import PeerFault, StoreFault
from folkmoot.hop import events, member
from folkmoot.hop.answers import PREFIX as MEMBER
from folkmoot.hop.batch import Batch, Event
from folkmoot.store.spool import LIMIT
from folkmoot.wire import chunks, codec

EVENT = 16 << 20  # bytes of one journalled event


class Crash(Exception):
    """The machine has stopped at a durable step."""


def _nothing() -> None:
    """Nothing happens at a durable step."""


def _nobody(batches: Collection[Batch]) -> None:
    """Nobody wants to know."""


@dataclass(slots=True)
class _Commit:
    """One transaction."""

    events: list[tuple[str, int, Any]]
    keeps: list[tuple[str, bytes, bytes]]
    forgets: list[str]
    drops: list[tuple[str, bytes]]
    facts: dict[str, Any]
    rows: list[Any]  # what a node's tables are told in the same transaction


@dataclass(slots=True)
class _Part:
    """One transfer under way."""

    size: int
    chunk: int
    content: bytearray
    bitmap: chunks.Bitmap
    fresh: set[int] = field(default_factory=set)  # pieces that are not synced
    entered: bool = False  # whether the file itself is

    def length(self, index: int) -> int:
        """Gives how many bytes a piece has."""
        return min(self.chunk, self.size - index * self.chunk)


class _State:
    """What transactions have made of a ledger's file."""

    __slots__ = ("events", "facts", "payloads")

    def __init__(self) -> None:
        self.events: dict[str, list[tuple[int, Any]]] = {}
        self.payloads: dict[tuple[str, bytes], bytes] = {}
        self.facts: dict[str, Any] = {}

    def apply(self, commit: _Commit) -> None:
        """Takes one transaction in."""
        for owner in commit.forgets:
            self.events.pop(owner, None)
            for gone in [key for key in self.payloads if key[0] == owner]:
                del self.payloads[gone]
        for drop in commit.drops:
            self.payloads.pop(drop, None)
        for key, now, event in commit.events:
            self.events.setdefault(key, []).append((now, event))
        for owner, payload, content in commit.keeps:
            self.payloads[owner, payload] = content
        self.facts.update(commit.facts)


class Disk:
    """What is on the disk. `boot()` gives the stores of one life of the machine."""

    __slots__ = ("blobs", "commits", "committed", "fresh", "parts", "step", "synced")

    def __init__(self) -> None:
        self.step: Callable[[], None] = _nothing
        """Called before and after whatever becomes durable; raises Crash where the machine is to stop there."""
        self.committed: Callable[[Collection[Batch]], None] = _nobody
        """Hears of a step as soon as it is on the disk: also of one that nothing is done of any more."""
        self.commits: list[_Commit] = []
        self.synced = 0  # commits that a power cut cannot take back
        self.blobs: dict[bytes, bytes] = {}
        self.fresh: set[bytes] = set()  # blobs that are not synced
        self.parts: dict[bytes, _Part] = {}

    def boot(self) -> tuple["Ledger", "Cache", "Spool"]:
        """Gives the stores, as this disk has them."""
        return Ledger(self), Cache(self), Spool(self)

    def lose_power(self, rng: Random) -> None:
        """Takes back what was not synced, as far as chance has it."""
        kept = rng.randint(self.synced, len(self.commits))
        del self.commits[kept:]
        self.synced = kept
        for blob in sorted(self.fresh):
            if rng.random() < 0.5:
                self.blobs.pop(blob, None)
        self.fresh.clear()
        for payload, part in list(self.parts.items()):
            lost = {index for index in sorted(part.fresh) if rng.random() < 0.5}
            part.fresh.clear()
            if not part.entered and rng.random() < 0.5:
                del self.parts[payload]
            elif lost:
                bitmap, part.bitmap = part.bitmap, chunks.Bitmap(part.bitmap.total)
                for index in range(bitmap.total):
                    if index in bitmap and index not in lost:
                        part.bitmap.add(index)

    @property
    def rows(self) -> Iterator[Any]:
        """What the tables hold."""
        return (row for commit in self.commits for row in commit.rows)

    def share(self, blob: bytes, data: bytes) -> bytes:
        """Gives what is put down for a blob."""
        return data

    def risk(self, blob: bytes) -> None:
        """A power cut may take this blob back."""
        self.fresh.add(blob)

    def write(self, event: Event) -> Any:
        """Gives what is put down for an event."""
        return codec.dump(event)

    def read(self, written: Any, kind: Any) -> Event:
        """Gives the event that was put down."""
        event: Event = codec.load(written, kind, limit=EVENT)
        return event

    def state(self) -> _State:
        """Gives what a program finds that starts now."""
        found = _State()
        for commit in self.commits:
            found.apply(commit)
        return found

    def store(self, commit: _Commit, firm: bool) -> None:
        """Takes one transaction."""
        self.commits.append(commit)
        if firm:
            self.synced = len(self.commits)


BLOBS: dict[bytes, bytes] = {}  # what steady disks have, by sha256


class Steady(Disk):
    """A disk that loses nothing: what is written is there, and how it came to be is not remembered. For many machines."""

    __slots__ = ("_state", "table")

    def __init__(self) -> None:
        self.step, self.committed = _nothing, _nobody  # what else a disk has is about what can be lost
        self.blobs, self.parts = {}, {}
        self._state = _State()
        self.table: list[Any] = []  # the rows, oldest first

    @property
    def rows(self) -> Iterator[Any]:
        """What the tables hold."""
        return iter(self.table)

    def share(self, blob: bytes, data: bytes) -> bytes:
        """Gives the same bytes to all of them that have the same blob: a fleet has few programs, and a model a round."""
        return BLOBS.setdefault(blob, data)

    def risk(self, blob: bytes) -> None:
        """Loses nothing."""

    def write(self, event: Event) -> Any:
        """Gives the event: nothing damages it, and it never changes."""
        return event

    def read(self, written: Any, kind: Any) -> Event:
        """Gives it back."""
        event: Event = written
        return event

    def state(self) -> _State:
        """Gives what a program finds that starts now; it is what the ledger of that program goes on writing to."""
        return self._state

    def store(self, commit: _Commit, firm: bool) -> None:
        """Takes one transaction."""
        self.table += commit.rows

    def lose_power(self, rng: Random) -> None:
        """Loses nothing."""


class Ledger:
    """As folkmoot.store.ledger.Ledger."""

    __slots__ = ("_disk", "_state", "rows")

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._state = disk.state()
        self.rows: list[Any] = []  # to be stored with the next commit

    def commit(self, batches: Collection[Batch], facts: Mapping[str, Any], firm: bool = False) -> None:
        """Stores batches and facts, all or nothing."""
        rows, self.rows = self.rows, []
        write = self._disk.write
        commit = _Commit(
            [(key, batch.now, write(event)) for batch in batches for key, event in batch.rows],
            [(keep.owner, keep.payload, keep.content) for batch in batches for keep in batch.payloads],
            [owner for batch in batches for owner in batch.forgets],
            [drop for batch in batches for drop in batch.drops],
            dict(facts),
            rows,
        )
        self._disk.step()
        self._disk.store(commit, firm or any(batch.firm for batch in batches))
        self._state.apply(commit)
        self._disk.committed(batches)
        self._disk.step()

    def histories(self) -> Iterator[tuple[str, list[tuple[int, Event]]]]:
        """Gives every machine that is not forgotten: its key, and its events with their times, oldest first."""
        for key, history in list(self._state.events.items()):
            kind: Any = member.Event if key.startswith(MEMBER) else events.Event
            yield key, [(now, self._disk.read(event, kind)) for now, event in history]

    def payload(self, owner: str, payload: bytes) -> bytes | None:
        """Gives a kept payload, or None."""
        return self._state.payloads.get((owner, payload))

    def piece(self, owner: str, payload: bytes, start: int, size: int) -> bytes | None:
        """Gives `size` bytes of a kept payload from `start` on, or None."""
        found = self._state.payloads.get((owner, payload), b"")[start : start + size]
        return found if len(found) == size else None

    def fact(self, name: str, default: Any = None) -> Any:
        """Gives a stored fact."""
        return self._state.facts.get(name, default)

    def count(self, name: str) -> int:
        """Gives the next number of a counter that never goes back."""
        value = int(self.fact(name, 0)) + 1
        self.commit((), {name: value}, firm=True)
        return value

    def close(self) -> None:
        """Does nothing: there is no file."""

    @property
    def machines(self) -> list[str]:
        """The keys of the machines that are not forgotten."""
        return list(self._state.events)

    @property
    def kept(self) -> list[tuple[str, bytes]]:
        """Owners and digests of the payloads that are kept."""
        return list(self._state.payloads)


class Cache:
    """As folkmoot.store.cache.Cache, without a limit."""

    __slots__ = ("_disk", "synced")

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.synced = False  # whether what is put here stays through a power cut

    def has(self, blob: bytes) -> bool:
        """Whether the blob is here."""
        return blob in self._disk.blobs

    def path(self, blob: bytes) -> Path:
        """Gives the name that its file would have."""
        return Path(blob.hex())

    def read(self, blob: bytes) -> bytes:
        """Gives the blob's bytes. Raises StoreFault where it is not here."""
        try:
            return self._disk.blobs[blob]
        except KeyError:
            raise StoreFault(f"blob {blob.hex()[:16]} is not here") from None

    def put(self, data: bytes, blob: bytes = b"") -> bytes:
        """Stores a blob; gives its sha256. `blob`: that, where the caller has just worked it out."""
        blob = blob or codec.digest(data)
        if blob not in self._disk.blobs:
            self._disk.step()
            self._disk.blobs[blob] = self._disk.share(blob, data)
            if not self.synced:
                self._disk.risk(blob)
            self._disk.step()
        return blob


class Spool:
    """As folkmoot.store.spool.Spool: a piece that is written survives a crash, and a power cut when it was synced.

    The real one syncs once a second while pieces come, too: here a cut may take all that has come of a transfer.
    """

    __slots__ = ("_disk", "limit")

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.limit = LIMIT

    def fits(self, payload: bytes, size: int) -> bool:
        """Says yes: these disks are large."""
        return True

    def rest(self, payload: bytes) -> None:
        """Puts on the disk what is there of a transfer."""
        if payload in self._disk.parts:
            self._sync(self._disk.parts[payload])

    def resume(self, payload: bytes) -> int:
        """Gives the bytes of a piece of a transfer that pieces can be written to; 0 where there is none."""
        return self._disk.parts[payload].chunk if payload in self._disk.parts else 0

    def have(self, payload: bytes, size: int, chunk: int) -> chunks.Bitmap:
        """Gives which chunks are there, starting a new file where there is none of this size and chunk."""
        if size > LIMIT:
            raise PeerFault("oversized", f"a payload of {size} bytes; {LIMIT} are allowed")
        part = self._disk.parts.get(payload)
        if part is None or (part.size, part.chunk) != (size, chunk):
            self._disk.step()
            bitmap = chunks.Bitmap(chunks.count(size, chunk))
            part = self._disk.parts[payload] = _Part(size, chunk, bytearray(size), bitmap)
        return chunks.Bitmap(part.bitmap.total, bytes(part.bitmap))

    def write(self, payload: bytes, index: int, data: bytes) -> bool:
        """Stores one chunk; says whether all are there. Raises PeerFault("malformed") for one that does not fit."""
        part = self._disk.parts.get(payload)
        if part is None:
            raise PeerFault("malformed", f"chunk {index} of a payload that is not on its way")
        if not 0 <= index < part.bitmap.total or len(data) != part.length(index):
            raise PeerFault("malformed", f"chunk {index} of {len(data)} bytes")
        if index not in part.bitmap:
            self._disk.step()
            part.content[index * part.chunk : index * part.chunk + len(data)] = data
            part.bitmap.add(index)
            part.fresh.add(index)
        return part.bitmap.full

    def _sync(self, part: _Part) -> None:
        self._disk.step()
        part.fresh.clear()
        part.entered = True

    def read(self, payload: bytes) -> bytes:
        """Gives the whole payload."""
        return bytes(self._disk.parts[payload].content)

    def drop(self, payload: bytes) -> None:
        """Forgets a transfer."""
        self._disk.parts.pop(payload, None)

    def close(self) -> None:
        """Puts on the disk what is there."""
        for part in self._disk.parts.values():
            self._sync(part)
