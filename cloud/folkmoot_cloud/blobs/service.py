"""Blobs, and where their bytes are."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from folkmoot.errors import StoreFault
from folkmoot_cloud.blobs import repository
from folkmoot_cloud.blobs.store import BlobStore
from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.faults import NotFound

PIECE = 1 << 20  # bytes read from the store at a time


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes to be sent: here, or still in the store of large blobs."""

    tenant: str
    digest: str
    size: int
    held: bytes | None
    store: BlobStore

    async def pieces(self, first: int, end: int) -> AsyncIterator[bytes]:
        """Gives the bytes from `first` up to `end`, a piece at a time."""
        for at in range(first, end, PIECE):
            count = min(PIECE, end - at)
            held = self.held
            yield held[at : at + count] if held is not None else await self.store.get(self.tenant, self.digest, at, count)


async def content(session: ReadSession, store: BlobStore, tenant: str, digest: str) -> Content:
    """Gives what is to be sent of a blob. Raises NotFound."""
    row = await repository.find(session, tenant, digest)
    if row is None:
        raise NotFound(f"there is no blob {digest}")
    held = await repository.get(session, store, tenant, digest) if row.inside else None
    return Content(tenant, digest, row.size, held, store)


async def anchored(session: Session, store: BlobStore, tenant: str, at: datetime) -> bool:
    """Whether this is the store that the tenant's large blobs are in; it becomes that where there are none yet."""
    oldest = await repository.oldest_outside(session, tenant)
    if oldest is None:
        await repository.put(session, store, tenant, os.urandom(32), at, inside=False)
        return True
    try:
        return len(await store.get(tenant, oldest.digest)) == oldest.size
    except StoreFault:
        return False
