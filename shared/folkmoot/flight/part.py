"""The files of a recording: records with a checksum each, in parts of which the oldest go.

A part is a file `000017.flight`: a line that says what it is, then records. A record is 12 bytes (little-endian: length of its
head, length of what is attached, CRC-32 of those eight bytes and of all that follows), its head (folkmoot.flight.entry), and
what is attached: bytes that are not encoded again. Nothing here is synced. A program that is killed loses nothing that was
written; a power cut takes some of the end, and the checksums tell from where on.
"""

import errno
import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

MARK = b"folkmoot flight 1\n"
SUFFIX = ".flight"
LIMIT = 1 << 30  # bytes of a recording, where nobody says otherwise
LEAST = 16 << 20  # that one may ask for: a part of it holds a round of 20 devices with 100 kB each
PARTS = 8  # that the limit is cut into: with the oldest part goes an eighth of what is known
FILES = 1_000  # at the most: a program that is started again every second begins a part each time
# Bytes that stay free on the disk, whatever the limit says: a recorder must not take a node's last room. As much as what a node
# keeps of answers on its way in at the least (folkmoot.store.disk.SHARE).
SPARE = 64 << 20
LOOK = 4 << 20  # bytes that are written between two looks at how much is free
_HEAD = struct.Struct("<III")
_LENGTHS = struct.Struct("<II")
_NAME = re.compile(r"(\d{6,12})\.flight")
_PIECES = 512  # buffers in one call; POSIX wants 16 at least, Linux takes 1,024


def parts(folder: Path) -> list[tuple[int, Path]]:
    """Gives the parts in a folder by number, oldest first. Raises OSError."""
    found = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((int(name[1]), path) for name, path in found if name)


class Writer:
    """The newest part, and the limit of all of them."""

    def __init__(self, folder: Path, limit: int, spare: int = SPARE) -> None:
        """Makes the folder and begins a part; `limit`: bytes of all parts. Raises OSError."""
        self._folder = folder
        self._limit = limit
        self._spare = spare
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = -1
        self._size = 0
        self._unseen = 0  # bytes since the last look
        self.turn()

    @property
    def long(self) -> bool:
        """Whether it is time for another part."""
        return self._size >= self._limit // PARTS

    def turn(self) -> None:
        """Begins another part, and drops those that there is no more room for. Raises OSError."""
        self.close()
        self._make_room()
        self._look()
        known = parts(self._folder)
        number = known[-1][0] + 1 if known else 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._file = os.open(self._folder / f"{number:06}{SUFFIX}", flags, 0o600)
        self._size = 0
        self._put([MARK])

    def write(self, head: bytes, attached: Sequence[bytes]) -> None:
        """Writes one record. Raises OSError: there is no room, or the disk fails; then nothing of the record is there."""
        lengths = _LENGTHS.pack(len(head), sum(map(len, attached)))
        check = zlib.crc32(head, zlib.crc32(lengths))
        for piece in attached:
            check = zlib.crc32(piece, check)
        self._put([lengths + check.to_bytes(4, "little"), head, *attached])

    def close(self) -> None:
        """Ends the part."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _put(self, pieces: list[bytes]) -> None:
        size = sum(map(len, pieces))
        self._unseen += size
        if self._unseen >= LOOK:
            self._look()
        try:
            for at in range(0, len(pieces), _PIECES):
                self._all(pieces[at : at + _PIECES])
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size += size

    def _all(self, pieces: list[bytes]) -> None:
        """Writes every byte; the system may take fewer at a time."""
        written = os.writev(self._file, pieces)
        for piece in pieces:
            if written >= len(piece):
                written -= len(piece)
                continue
            rest = memoryview(piece)[written:]
            written = 0
            while rest:
                rest = rest[os.write(self._file, rest) :]

    def _look(self) -> None:
        """Makes sure that what is free stays free. Raises OSError where it does not, also without our older parts."""
        self._unseen = 0
        if self._free() < self._spare:
            for _, path in parts(self._folder)[:-1]:
                path.unlink(missing_ok=True)
                if self._free() >= self._spare:
                    return
            raise OSError(errno.ENOSPC, f"less than {self._spare} bytes are free")

    def _free(self) -> int:
        found = os.statvfs(self._folder)
        return found.f_bavail * found.f_frsize

    def _make_room(self) -> None:
        """Drops the oldest parts, so that the limit holds when another one is full."""
        known = parts(self._folder)
        sizes = [path.stat().st_size for _, path in known]
        left = sum(sizes) + self._limit // PARTS
        for place, ((_, path), size) in enumerate(zip(known, sizes, strict=True)):
            if left <= self._limit and len(known) - place < FILES:
                return
            path.unlink(missing_ok=True)
            left -= size


class Part:
    """One file of a recording, to be read once; `left` says afterwards what of it could not be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left = ""

    def __iter__(self) -> Iterator[tuple[bytes, memoryview]]:
        """Yields head and attached bytes of every record, as far as the checksums are right. Raises OSError."""
        with self.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if file.read(len(MARK)) != MARK:
                self.left = "it does not begin as a recording does, or is of another form" if size else "it is empty"
                return
            at = len(MARK)
            while at < size:
                lengths = file.read(_HEAD.size)
                if len(lengths) < _HEAD.size:
                    break
                head, attached, check = _HEAD.unpack(lengths)
                if not head or at + _HEAD.size + head + attached > size:
                    break
                content = file.read(head + attached)
                if zlib.crc32(content, zlib.crc32(lengths[: _LENGTHS.size])) != check:
                    break
                yield content[:head], memoryview(content)[head:]
                at += _HEAD.size + head + attached
            if at < size:
                self.left = f"its last {size - at} bytes are torn"
