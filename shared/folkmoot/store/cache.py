"""Content-addressed blobs that can be pulled again: programs and weights. A folder of files that are named by their sha256.

On a device nothing here is synced: a file that a power cut has damaged does not match its name, and is pulled anew. A gateway
syncs: without the program it could not add up again the answers that it has told ok. Cards rot: what is read is checked each
time, and what does not match its name is dropped.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path

from folkmoot.errors import StoreFault
from folkmoot.store import disk
from folkmoot.wire import codec

log = logging.getLogger(__name__)


class Cache:
    """The folder, kept below a size; what was used longest ago goes first."""

    def __init__(self, folder: Path, limit: int) -> None:
        """Makes the folder; `limit` in bytes. Raises StoreFault where it cannot be written."""
        self._folder = folder
        self._limit = limit
        self.synced = False  # whether what is put here stays through a power cut
        self._sound: set[bytes] = set()  # checked, or written, by this process
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._size = sum(path.stat().st_size for path in folder.iterdir())
        except OSError as error:
            raise disk.fault(folder, error) from None

    def path(self, blob: bytes) -> Path:
        """Gives where the blob is, if it is here."""
        return self._folder / blob.hex()

    def has(self, blob: bytes) -> bool:
        """Whether the blob is here, whole and sound."""
        return blob in self._sound or self.check(blob)

    def check(self, blob: bytes) -> bool:
        """As `has`, by the bytes that are on the disk now."""
        self._sound.discard(blob)
        try:
            data = self.path(blob).read_bytes()
        except OSError:
            return False
        return self._judge(blob, data)

    def read(self, blob: bytes) -> bytes:
        """Gives the blob's bytes. Raises StoreFault where it is not here, or is no longer sound: then it is dropped."""
        path = self.path(blob)
        self._sound.discard(blob)
        try:
            data = path.read_bytes()
            with suppress(OSError):  # of no more use than to know what was used last
                os.utime(path)
        except FileNotFoundError as error:
            raise StoreFault(f"blob {blob.hex()[:16]}: {error}") from None
        except OSError as error:
            raise disk.fault(path, error) from None
        if not self._judge(blob, data):
            raise StoreFault(f"blob {blob.hex()[:16]}: {path} is damaged")
        return data

    def _judge(self, blob: bytes, data: bytes) -> bool:
        """Says whether these are the blob's bytes; where not, its file goes."""
        if codec.digest(data) == blob:
            self._sound.add(blob)
            return True
        path = self.path(blob)
        log.warning("a damaged blob is dropped", extra={"path": str(path), "bytes": len(data)})
        with suppress(OSError):  # what comes in its place is written over it
            path.unlink(missing_ok=True)
        return False

    def put(self, data: bytes, blob: bytes = b"") -> bytes:
        """Stores a blob; gives its sha256. `blob`: that, where the caller has just worked it out.

        Raises DiskFault where there is no room.
        """
        blob = blob or codec.digest(data)
        if not self.has(blob):
            path = self.path(blob)
            fresh = path.with_suffix(".new")
            try:
                with fresh.open("wb") as file:
                    file.write(data)
                    if self.synced:
                        file.flush()
                        os.fsync(file.fileno())
                fresh.replace(path)
                if self.synced:
                    disk.enter(self._folder)
            except OSError as error:
                with suppress(OSError):
                    fresh.unlink(missing_ok=True)
                raise disk.fault(path, error) from None
            self._sound.add(blob)
            self._size += len(data)
            if self._size > self._limit:
                self._trim()
        return blob

    def _trim(self) -> None:
        """Makes room, but never of what has just come."""
        files = sorted((stat.st_mtime_ns, stat.st_size, path) for path in self._folder.iterdir() for stat in (path.stat(),))
        self._size = sum(size for _, size, _ in files)
        for _, size, path in files[:-1]:
            if self._size <= self._limit:
                return
            path.unlink(missing_ok=True)
            if path.suffix == "":
                self._sound.discard(bytes.fromhex(path.name))
            self._size -= size
