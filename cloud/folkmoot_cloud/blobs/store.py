"""Large blobs: bytes by their sha256, behind three methods, so that a folder can become S3."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from anyio import to_thread

from folkmoot.store import disk


class BlobStore(Protocol):
    """Keeps bytes by digest (64 hexadecimal digits) and tenant. What `put` has returned from survives a power cut."""

    async def put(self, tenant: str, digest: str, content: bytes) -> None:
        """Keeps `content`; keeping it twice is no fault. Raises StoreFault where it cannot."""
        ...

    async def get(self, tenant: str, digest: str, first: int = 0, count: int | None = None) -> bytes:
        """Gives `count` bytes from `first`, or all from there. Raises StoreFault where they are not there."""
        ...

    async def delete(self, tenant: str, digest: str) -> None:
        """Forgets it; forgetting what is not there is no fault."""
        ...


class Folder:
    """A folder as a store: `{tenant}/{first two digits}/{digest}`, written beside and renamed."""

    def __init__(self, root: Path) -> None:
        """Makes the folder. Raises StoreFault where it cannot be made or written."""
        self._root = root
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk.fault(root, error) from None

    async def put(self, tenant: str, digest: str, content: bytes) -> None:
        """See BlobStore."""
        await to_thread.run_sync(self._put, self._path(tenant, digest), content)

    async def get(self, tenant: str, digest: str, first: int = 0, count: int | None = None) -> bytes:
        """See BlobStore."""
        return await to_thread.run_sync(self._get, self._path(tenant, digest), first, count)

    async def delete(self, tenant: str, digest: str) -> None:
        """See BlobStore."""
        await to_thread.run_sync(lambda: self._path(tenant, digest).unlink(missing_ok=True))

    def _path(self, tenant: str, digest: str) -> Path:
        return self._root / tenant / digest[:2] / digest

    @staticmethod
    def _put(path: Path, content: bytes) -> None:
        if path.exists():
            return
        # Two uploads of the same bytes at once must not share a temporary file.
        fresh = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with fresh.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
            for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
                disk.enter(folder)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise disk.fault(path, error) from None

    @staticmethod
    def _get(path: Path, first: int, count: int | None) -> bytes:
        try:
            with path.open("rb") as file:
                file.seek(first)
                return file.read(-1 if count is None else count)
        except OSError as error:
            raise disk.fault(path, error) from None
