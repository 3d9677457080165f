"""Content-addressed blobs that can be pulled again: programs and weights. A folder of files that are named by their sha256.

On a device nothing here is synced: a file that a power cut has damaged does not match its name, and is pulled anew. A gateway
syncs: without the program it could not add up again the answers that it has told ok.
"""

import os
from contextlib import suppress
from pathlib import Path

from folkmoot.errors import StoreFault
from folkmoot.store import disk
from folkmoot.wire import codec


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
        if blob in self._sound:
            return True
        try:
            data = self.path(blob).read_bytes()
        except OSError:
            return False
        if codec.digest(data) != blob:
            with suppress(OSError):  # what comes in its place is written over it
                self.path(blob).unlink(missing_ok=True)
            return False
        self._sound.add(blob)
        return True

    def read(self, blob: bytes) -> bytes:
        """Gives the blob's bytes. Raises StoreFault where it is not here."""
        path = self.path(blob)
        try:
            data = path.read_bytes()
            with suppress(OSError):  # of no more use than to know what was used last
                os.utime(path)
        except FileNotFoundError as error:
            raise StoreFault(f"blob {blob.hex()[:16]}: {error}") from None
        except OSError as error:
            raise disk.fault(path, error) from None
        return data

    def put(self, data: bytes) -> bytes:
        """Stores a blob; gives its sha256. Raises DiskFault where there is no room."""
        blob = codec.digest(data)
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
                    self._sync_folder()
            except OSError as error:
                with suppress(OSError):
                    fresh.unlink(missing_ok=True)
                raise disk.fault(path, error) from None
            self._sound.add(blob)
            self._size += len(data)
            if self._size > self._limit:
                self._trim()
        return blob

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

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
