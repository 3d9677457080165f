"""Pieces of large payloads and blobs on their way in. Survives a reboot: what is marked as there is there.

One preallocated file per payload, and beside it a small map that is written after the pieces are synced, every eighth piece:
a crash between costs at most seven pieces again, and an SD card is not worn by the bitmap.
"""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from folkmoot.errors import PeerFault
from folkmoot.store import disk
from folkmoot.wire import chunks, codec

EVERY = 8  # pieces between two syncs
FORGET = 7 * 86_400  # seconds after which an abandoned transfer goes: the broker forgets its sessions then, too
LIMIT = 2 << 30  # bytes of all transfers (protocol.md, Numbers to start from)
MOST = 64  # transfers at once: each has a file open, of the 1,024 that a process usually may have


class _Map(msgspec.Struct, frozen=True):
    size: int
    chunk: int
    bits: bytes


@dataclass(slots=True)
class _Coming:
    size: int
    chunk: int
    bitmap: chunks.Bitmap
    file: int  # descriptor
    unsynced: int = 0


class Spool:
    """The folder of transfers under way."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        """Makes the folder and drops transfers that nobody has gone on with for a week; `limit` in bytes. Raises StoreFault."""
        self._folder = folder
        self.limit = limit
        self._coming: dict[bytes, _Coming] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in folder.iterdir():
                if path.stat().st_mtime < time.time() - FORGET:
                    path.unlink()
        except OSError as error:
            raise disk.fault(folder, error) from None

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
        """Notes what is there of a transfer, which somebody may go on with, and closes its file."""
        with suppress(OSError):  # what cannot be noted comes again
            self._sync(payload, self._coming[payload])
        self._close(payload)

    def have(self, payload: bytes, size: int, chunk: int) -> chunks.Bitmap:
        """Gives which chunks are there, starting a new file where there is none of this size and chunk."""
        coming = self._coming.get(payload)
        if coming is not None and (coming.size, coming.chunk) == (size, chunk):
            return chunks.Bitmap(coming.bitmap.total, bytes(coming.bitmap))
        self._close(payload)
        known = self._known(payload)
        bits = known.bits if known is not None and (known.size, known.chunk) == (size, chunk) else b""
        bitmap = chunks.Bitmap(chunks.count(size, chunk), bits)
        try:
            file = os.open(self._part(payload), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise disk.fault(self._folder, error) from None
        self._coming[payload] = _Coming(size, chunk, bitmap, file)
        try:
            os.posix_fallocate(file, 0, max(size, 1))
        except OSError as error:
            self._close(payload)
            if known is None:  # what it has got of the disk is somebody else's; a map without pieces would be a lie
                with suppress(OSError):
                    self._part(payload).unlink()
            raise disk.fault(self._folder, error) from None
        return chunks.Bitmap(bitmap.total, bytes(bitmap))

    def write(self, payload: bytes, index: int, data: bytes) -> bool:
        """Stores one chunk; says whether all are there.

        Raises PeerFault("malformed") for one that does not fit, StoreFault where the disk does not do.
        """
        coming = self._coming[payload]
        expected = min(coming.chunk, coming.size - index * coming.chunk)
        if not 0 <= index < coming.bitmap.total or len(data) != expected:
            raise PeerFault("malformed", f"chunk {index} of {len(data)} bytes")
        if index not in coming.bitmap:
            try:
                os.pwrite(coming.file, data, index * coming.chunk)
                coming.bitmap.add(index)
                coming.unsynced += 1
                if coming.unsynced >= EVERY:
                    self._sync(payload, coming)
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
            self._map(payload).unlink(missing_ok=True)  # first: it says that there is something in the other
            self._part(payload).unlink(missing_ok=True)
        except OSError as error:
            raise disk.fault(self._folder, error) from None

    def close(self) -> None:
        """Notes what is there, and closes every file."""
        for payload in list(self._coming):
            self.rest(payload)

    def _sync(self, payload: bytes, coming: _Coming) -> None:
        os.fdatasync(coming.file)
        fresh = self._map(payload).with_suffix(".new")
        fresh.write_bytes(codec.dump(_Map(coming.size, coming.chunk, bytes(coming.bitmap))))
        fresh.replace(self._map(payload))
        coming.unsynced = 0

    def _close(self, payload: bytes) -> None:
        coming = self._coming.pop(payload, None)
        if coming is not None:
            os.close(coming.file)

    def _known(self, payload: bytes) -> _Map | None:
        """Gives what an earlier life has noted; None where there is nothing sound."""
        try:
            return codec.load(self._map(payload).read_bytes(), _Map, limit=1 << 20)
        except (OSError, PeerFault):
            return None

    def _part(self, payload: bytes) -> Path:
        return self._folder / f"{payload.hex()}.part"

    def _map(self, payload: bytes) -> Path:
        return self._folder / f"{payload.hex()}.map"
