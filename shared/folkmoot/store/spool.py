"""Pieces of large payloads and blobs on their way in. Survives a crash and a power cut: what is known as there is there.

One preallocated file per payload: its bytes, behind them the crc32 of every piece that has come, and what the file is of. A
piece is noted as soon as it is written, without a sync. After a restart a piece counts as there if its bytes have the crc that
was noted: a process that dies loses nothing, and in which order the disk wrote what was not synced does not matter. Syncs only
bound what a power cut may cost (docs/decisions/0013).
"""

import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from folkmoot.errors import PeerFault
from folkmoot.store import disk
from folkmoot.wire import chunks

LIMIT = 2 << 30  # bytes of all transfers (protocol.md, Numbers to start from), hence also of one
# What a power cut costs at most of a transfer: so many bytes, 7 % of a model of 1 MB, or what PAUSE brings, where that is more.
# More syncs would cost time, and write the page of the notes and the file system's journal more often, which wears a card; on a
# fast link, where a model is here in a second, they were a quarter of the time.
SYNC = 65_536  # bytes
PAUSE = 1.0  # seconds
MOST = 64  # transfers at once: each has a file open, of the 1,024 that a process usually may have
FORGET = 7 * 86_400  # seconds after which an abandoned transfer goes: the broker forgets its sessions then, too
_CRC = struct.Struct("<I")
_END = struct.Struct("<8sQI")  # what it is, size of the payload, of a chunk
_MARK = b"folkpart"


@dataclass(slots=True)
class _Coming:
    size: int
    chunk: int
    bitmap: chunks.Bitmap
    synced: float  # when the last time, or when it was opened, in seconds of the spool's clock
    file: int = -1  # descriptor
    unsynced: int = 0  # bytes
    entered: bool = False  # the folder's entry for the file is on the disk

    def length(self, index: int) -> int:
        """Gives how many bytes a chunk has."""
        return min(self.chunk, self.size - index * self.chunk)

    def note(self, index: int) -> int:
        """Gives where the crc of a chunk stands."""
        return self.size + _CRC.size * index


class Spool:
    """The folder of transfers under way."""

    def __init__(self, folder: Path, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        """Makes the folder and drops transfers that nobody has gone on with for a week. Raises StoreFault.

        `limit`: bytes of all transfers; `clock`: seconds, of the time between two syncs alone.
        """
        self._folder = folder
        self._clock = clock
        self.limit = limit
        self._coming: dict[bytes, _Coming] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in folder.iterdir():
                if path.stat().st_mtime < time.time() - FORGET:
                    path.unlink()
        except OSError as error:
            raise disk.fault(self._folder, error) from None

    def fits(self, payload: bytes, size: int) -> bool:
        """Whether there is a place for a transfer of `size` bytes now, or it has one.

        What nobody goes on with, from an earlier life or at rest, makes room for it: the oldest first. Raises StoreFault.
        """
        if payload in self._coming:
            return True
        left = self.limit - size - sum(coming.size for coming in self._coming.values())
        if left < 0 or len(self._coming) >= MOST:
            return False
        try:
            idle = [(path.stat().st_mtime_ns, path.stat().st_size, path.stem) for path in self._folder.glob("*.part")]
        except OSError as error:
            raise disk.fault(self._folder, error) from None
        busy = {one.hex() for one in (*self._coming, payload)}
        for _, taken, name in sorted(idle, reverse=True):
            left -= taken if name not in busy else 0
            if left < 0 and name not in busy:
                self.drop(bytes.fromhex(name))
        return True

    def rest(self, payload: bytes) -> None:
        """Puts on the disk what is there of a transfer, which somebody may go on with, and closes its file."""
        coming = self._coming.get(payload)
        if coming is not None:
            with suppress(OSError):  # what does not get there comes again
                self._sync(coming)
        self._close(payload)

    def resume(self, payload: bytes) -> int:
        """Gives the bytes of a piece of a transfer that pieces can be written to, also of one that an earlier life has left.

        0 where there is none.
        """
        if payload not in self._coming:
            if len(self._coming) >= MOST:
                return 0
            try:
                with self._path(payload).open("rb") as file:
                    file.seek(-_END.size, os.SEEK_END)
                    mark, size, chunk = _END.unpack(file.read(_END.size))
            except OSError:  # it is not there, or too short
                return 0
            if mark != _MARK or not chunk > 0 or size > self.limit:
                return 0
            self.have(payload, size, chunk)
        return self._coming[payload].chunk

    def have(self, payload: bytes, size: int, chunk: int) -> chunks.Bitmap:
        """Gives which chunks are there, starting a new file where there is none of this size and chunk.

        Raises PeerFault("oversized") for more than the limit, before it makes room for any of it.
        """
        if size > self.limit:
            raise PeerFault("oversized", f"a payload of {size} bytes; {self.limit} are allowed")
        coming = self._coming.get(payload)
        if coming is None or (coming.size, coming.chunk) != (size, chunk):
            self._close(payload)
            try:
                coming = self._coming[payload] = self._open(payload, size, chunk)
            except OSError as error:
                raise disk.fault(self._folder, error) from None
        return chunks.Bitmap(coming.bitmap.total, bytes(coming.bitmap))

    def write(self, payload: bytes, index: int, data: bytes) -> bool:
        """Stores one chunk; says whether all are there.

        Raises PeerFault("malformed") for one that does not fit or of a payload that is not under way, StoreFault where the disk
        does not do.
        """
        coming = self._coming.get(payload)
        if coming is None:
            raise PeerFault("malformed", f"chunk {index} of a payload that is not on its way")
        if not 0 <= index < coming.bitmap.total or len(data) != coming.length(index):
            raise PeerFault("malformed", f"chunk {index} of {len(data)} bytes")
        if index not in coming.bitmap:
            try:
                os.pwrite(coming.file, data, index * coming.chunk)
                os.pwrite(coming.file, _CRC.pack(chunks.crc(data)), coming.note(index))
                coming.bitmap.add(index)
                coming.unsynced += len(data)
                if coming.unsynced >= SYNC and self._clock() >= coming.synced + PAUSE:
                    self._sync(coming)
            except OSError as error:
                raise disk.fault(self._folder, error) from None
        return coming.bitmap.full

    def read(self, payload: bytes) -> bytes:
        """Gives the whole payload. Raises StoreFault where the disk does not do."""
        coming = self._coming[payload]
        try:
            return os.pread(coming.file, coming.size, 0)
        except OSError as error:
            raise disk.fault(self._folder, error) from None

    def drop(self, payload: bytes) -> None:
        """Forgets a transfer. Raises StoreFault where the disk does not do."""
        self._close(payload)
        try:
            self._path(payload).unlink(missing_ok=True)
        except OSError as error:
            raise disk.fault(self._folder, error) from None

    def close(self) -> None:
        """Puts on the disk what is there, and closes every file."""
        for payload in list(self._coming):
            self.rest(payload)

    def _open(self, payload: bytes, size: int, chunk: int) -> _Coming:
        """Opens the file of a transfer, or makes it anew where it is not of this size and chunk. Raises OSError."""
        coming = _Coming(size, chunk, chunks.Bitmap(chunks.count(size, chunk)), self._clock())
        end, at = _END.pack(_MARK, size, chunk), coming.note(coming.bitmap.total)
        coming.file = os.open(self._path(payload), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(coming.file).st_size == at + len(end) and os.pread(coming.file, len(end), at) == end:
                self._recognise(coming)
                return coming
            os.ftruncate(coming.file, 0)  # what was noted for another size or chunk means nothing here
            os.posix_fallocate(coming.file, 0, at + len(end))
            os.pwrite(coming.file, end, at)
        except OSError:
            os.close(coming.file)
            with suppress(OSError):
                self._path(payload).unlink()  # what it has got of the disk is somebody else's
            raise
        return coming

    def _recognise(self, coming: _Coming) -> None:
        """Marks the chunks whose bytes are those that were noted. A note of 0 is none; if it is one, that chunk comes again."""
        total = coming.bitmap.total
        for index, (crc,) in enumerate(_CRC.iter_unpack(os.pread(coming.file, _CRC.size * total, coming.size))):
            if crc and chunks.crc(os.pread(coming.file, coming.length(index), index * coming.chunk)) == crc:
                coming.bitmap.add(index)

    def _sync(self, coming: _Coming) -> None:
        os.fdatasync(coming.file)
        if not coming.entered:
            disk.enter(self._folder)
        coming.unsynced, coming.synced, coming.entered = 0, self._clock(), True

    def _close(self, payload: bytes) -> None:
        coming = self._coming.pop(payload, None)
        if coming is not None:
            os.close(coming.file)

    def _path(self, payload: bytes) -> Path:
        return self._folder / f"{payload.hex()}.part"
