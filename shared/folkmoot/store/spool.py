"""Pieces of large payloads and blobs on their way in. Survives a reboot: what is marked as there is there.

One preallocated file per payload, and beside it a small map that is written after the pieces are synced, every eighth piece:
a crash between costs at most seven pieces again, and an SD card is not worn by the bitmap.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from folkmoot.errors import PeerFault, StoreFault
from folkmoot.wire import chunks, codec

# Bytes of a payload: sums of the largest task there can be (folkmoot.wire.bundle), one byte a weight, are 2 GiB as int64. It
# keeps a bitmap below 512 KiB, whatever is announced.
LIMIT = 1 << 32
EVERY = 8  # pieces between two syncs
FORGET = 7 * 86_400  # seconds after which an abandoned transfer goes: the broker forgets its sessions then, too


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
        """Makes the folder and drops transfers that nobody has gone on with for a week. Raises StoreFault.

        `limit`: bytes of a payload that it takes at most.
        """
        self._folder = folder
        self._limit = limit
        self._coming: dict[bytes, _Coming] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in folder.iterdir():
                if path.stat().st_mtime < time.time() - FORGET:
                    path.unlink()
        except OSError as error:
            raise StoreFault(f"{folder}: {error}") from None

    def have(self, payload: bytes, size: int, chunk: int) -> chunks.Bitmap:
        """Gives which chunks are there, starting a new file where there is none of this size and chunk.

        Raises PeerFault("oversized") for more than the limit, before it makes room for any of it.
        """
        if size > self._limit:
            raise PeerFault("oversized", f"a payload of {size} bytes; {self._limit} are allowed")
        coming = self._coming.get(payload)
        if coming is not None and (coming.size, coming.chunk) == (size, chunk):
            return chunks.Bitmap(coming.bitmap.total, bytes(coming.bitmap))
        self._close(payload)
        bitmap = self._noted(payload, size, chunk) or chunks.Bitmap(chunks.count(size, chunk))
        try:
            if not any(bytes(bitmap)):
                # A map of another size says nothing of what is written from now on.
                self._map(payload).unlink(missing_ok=True)
            file = os.open(self._part(payload), os.O_RDWR | os.O_CREAT, 0o600)
            os.posix_fallocate(file, 0, max(size, 1))
        except OSError as error:
            raise StoreFault(f"{self._folder}: {error}") from None
        self._coming[payload] = _Coming(size, chunk, bitmap, file)
        return chunks.Bitmap(bitmap.total, bytes(bitmap))

    def write(self, payload: bytes, index: int, data: bytes) -> bool:
        """Stores one chunk; says whether all are there.

        Raises PeerFault("malformed") for one that does not fit or of a payload that is not under way, StoreFault where the disk
        does not do.
        """
        coming = self._coming.get(payload)
        if coming is None:
            raise PeerFault("malformed", f"chunk {index} of a payload that is not under way")
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
                raise StoreFault(f"{self._folder}: {error}") from None
        return coming.bitmap.full

    def read(self, payload: bytes) -> bytes:
        """Gives the whole payload."""
        coming = self._coming[payload]
        return os.pread(coming.file, coming.size, 0)

    def drop(self, payload: bytes) -> None:
        """Forgets a transfer."""
        self._close(payload)
        # In this order: a map that outlives its pieces would say that they are there.
        self._map(payload).unlink(missing_ok=True)
        self._part(payload).unlink(missing_ok=True)

    def close(self) -> None:
        """Notes what is there, and closes every file."""
        for payload, coming in list(self._coming.items()):
            self._sync(payload, coming)
            self._close(payload)

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

    def _noted(self, payload: bytes, size: int, chunk: int) -> chunks.Bitmap | None:
        """Gives what an earlier life has noted of this size and chunk; None where that is not sound or its pieces are gone."""
        try:
            known = codec.load(self._map(payload).read_bytes(), _Map, limit=1 << 20)
            if (known.size, known.chunk) != (size, chunk) or self._part(payload).stat().st_size < size:
                return None
            return chunks.Bitmap(chunks.count(size, chunk), known.bits)
        except (OSError, PeerFault):
            return None

    def _part(self, payload: bytes) -> Path:
        return self._folder / f"{payload.hex()}.part"

    def _map(self, payload: bytes) -> Path:
        return self._folder / f"{payload.hex()}.map"
