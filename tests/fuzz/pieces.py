"""The chunk assembler: a spool and its bitmaps, through any sequence of pieces, restarts and damage.

An input is a tape of steps, each a byte and what it takes. Beside the spool goes a model that remembers everything.
"""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from folkmoot.store.spool import Spool
from folkmoot.wire import chunks
from tests.fuzz.target import Target, bounded, refusal

PAYLOADS = (b"p" * 32, b"q" * 32)
# From nothing to a few chunks, and what no disk holds: an announcement costs its sender nothing.
SIZES = (0, 1, 1_023, 1_024, 1_025, 4_096, 20_000, 40_000, 1 << 40, 1 << 60, (1 << 53) - 1)
CHUNKS = (1_024, 1_500, 4_096, 1 << 20)
LARGEST = 65_536  # of the sizes that there is a disk for
# In memory where there is such a folder: a sync costs nothing there, and the steps are the same.
ROOT = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Tape:
    """Bytes as decisions; zeros behind the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def over(self) -> bool:
        """Whether all of it has been read."""
        return self._at >= len(self._data)

    def below(self, count: int) -> int:
        """Gives a number from 0 to `count - 1`, of at most two bytes."""
        width = 1 if count <= 256 else 2
        found = int.from_bytes(self._data[self._at : self._at + width], "big") % count
        self._at += width
        return found


@dataclass
class Coming:
    """What the model knows of one transfer."""

    size: int
    chunk: int
    pieces: dict[int, bytes] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return chunks.count(self.size, self.chunk)

    def length(self, index: int) -> int:
        """Gives the bytes of chunk `index`; below 0 beyond the end."""
        return min(self.chunk, self.size - index * self.chunk)


class Assembly:
    """A spool in a folder, and what it must have."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spool = Spool(folder, limit=LARGEST)
        self.coming: dict[bytes, Coming] = {}  # that the spool has open
        self.past: dict[bytes, Coming] = {}  # that an earlier life had, all of whose pieces may be there
        self.owed: dict[bytes, int] = {}  # how many pieces that life may have lost

    def step(self, tape: Tape) -> None:
        """Does the next step of a tape."""
        move, payload = tape.below(9), PAYLOADS[tape.below(len(PAYLOADS))]
        match move:
            case 0 | 1:
                self.have(payload, SIZES[tape.below(len(SIZES))], CHUNKS[tape.below(len(CHUNKS))])
            case 2 | 3 | 4:
                self.write(payload, tape.below(300), tape.below(4), tape.below(256))
            case 5:
                self.read(payload)
            case 6:
                self.spool.drop(payload)
                self.coming.pop(payload, None)
                self.past.pop(payload, None)
            case 7:
                self.restart(orderly=bool(tape.below(2)))
            case _:
                self.damage(payload, tape)

    def have(self, payload: bytes, size: int, chunk: int) -> None:
        """Announces a payload."""
        found: list[chunks.Bitmap] = []
        with bounded(0):
            reason = refusal(lambda: found.append(self.spool.have(payload, size, chunk)))
        assert reason == ("" if size <= LARGEST else "oversized"), reason
        if reason:
            return  # refused: what was there is as it was
        (bitmap,) = found
        there = set(range(bitmap.total)) - set(bitmap.missing())
        before = self.coming.get(payload)
        if before is None or (before.size, before.chunk) != (size, chunk):
            past = self.past.get(payload) if before is None else None
            now = Coming(size, chunk)
            if past is not None and (past.size, past.chunk) == (size, chunk):
                assert there <= past.pieces.keys(), "a piece that never came"
                assert len(past.pieces) - len(there) <= self.owed[payload], "more pieces lost than a restart may cost"
                now.pieces = {index: past.pieces[index] for index in there}
            self.past.pop(payload, None)
            self.coming[payload] = before = now
        assert there == before.pieces.keys()
        assert bitmap.total == before.total
        assert bitmap.full == (len(there) == bitmap.total)
        again = chunks.Bitmap(bitmap.total, bytes(bitmap))
        assert list(again.missing()) == list(bitmap.missing())

    def write(self, payload: bytes, index: int, form: int, filler: int) -> None:
        """Brings a piece: of the right length, or one byte off."""
        coming = self.coming.get(payload)
        index = index if form else (1 << 53) - 1 - index
        right = coming.length(index) if coming else 10
        data = bytes([filler]) * max(0, min(right, 1 << 20) + (0, 0, 0, 1)[form])
        told: list[bool] = []
        with bounded(len(data)):
            reason = refusal(lambda: told.append(self.spool.write(payload, index, data)))
        if coming is None or not 0 <= index < coming.total or len(data) != right:
            assert reason == "malformed", reason
            return
        assert reason == "", reason
        coming.pieces.setdefault(index, data)
        assert told == [len(coming.pieces) == coming.total]

    def read(self, payload: bytes) -> None:
        """Looks at what is there."""
        coming = self.coming.get(payload)
        if coming is None:
            return
        data = self.spool.read(payload)
        assert len(data) == coming.size
        for index, piece in coming.pieces.items():
            assert chunks.piece(data, index, coming.chunk) == piece, f"chunk {index} is not what came"

    def restart(self, *, orderly: bool) -> None:
        """Ends the spool, as one does or as kill -9 does, and opens its folder again."""
        if orderly:
            self.spool.close()
        for payload, coming in self.coming.items():
            self.past[payload] = coming
            # A process that dies loses nothing but pieces whose crc is that of none.
            self.owed[payload] = sum(chunks.crc(piece) == 0 for piece in coming.pieces.values())
        self.coming.clear()
        self.end()
        self.spool = Spool(self.folder, limit=LARGEST)

    def end(self) -> None:
        """Closes what the spool has open, as the system does for a process that is killed."""
        for coming in self.spool._coming.values():
            os.close(coming.file)
        self.spool._coming.clear()

    def damage(self, payload: bytes, tape: Tape) -> None:
        """Restarts, and loses what there was of a transfer in between, or its end."""
        self.restart(orderly=True)
        for path in sorted(self.folder.glob(f"{payload.hex()}.*")):
            match tape.below(3):
                case 0:
                    path.unlink()
                case 1:
                    path.write_bytes(path.read_bytes()[: tape.below(1 << 16)])
                case _:
                    continue
            self.owed[payload] = 1 << 53  # all of it may be gone; none of it may be made up


def run(data: bytes) -> None:
    """Plays one tape."""
    tape = Tape(data)
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        assembly = Assembly(Path(folder))
        try:
            while not tape.over:
                assembly.step(tape)
        finally:
            assembly.end()


def seeds() -> tuple[bytes, ...]:
    """Gives tapes that announce, bring everything, look, restart and go on."""
    moves = {
        "all of it": [0, 0, 5, 0, *(step for index in range(4) for step in (2, 0, *divmod(index, 256), 1, index)), 5, 0],
        "most of it": [0, 0, 6, 0, *(step for index in range(19) for step in (2, 0, *divmod(index, 256), 1, index)), 7, 0, 0],
        "another size": [0, 0, 5, 0, 2, 0, 0, 1, 1, 7, 0, 0, 4, 1, 2, 0, 0, 0, 1, 9, 7, 0, 1, 0, 0, 5, 0, 5, 0],
        "what no disk holds": [0, 0, 8, 0, 0, 0, 9, 1],
    }
    again = [0, 0, 6, 0, 5, 0]
    return (*(bytes(tape) for tape in moves.values()), bytes([*moves["most of it"], *again]))


TARGET = Target("pieces", run, seeds(), cbor=None, longest=600)
