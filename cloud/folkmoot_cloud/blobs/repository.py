"""Queries about blobs. Bytes up to 1 MiB live in their row, larger ones in the store that is handed in."""

from datetime import datetime
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import undefer

from folkmoot_cloud.blobs.store import BlobStore
from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.statements import insert_new
from folkmoot_cloud.tables import Blob

# Bytes beyond which a row is a burden for the database: a page cache is better filled with other things.
INSIDE = 1 << 20


async def find(session: ReadSession, tenant: str, digest: str) -> Blob | None:
    """Gives the row, without the bytes."""
    return await session.get(Blob, (tenant, digest))


async def oldest_outside(session: ReadSession, tenant: str) -> Blob | None:
    """Gives the oldest blob whose bytes are in the store."""
    outside = select(Blob).where(Blob.tenant == tenant, Blob.inside.is_(False))
    return (await session.scalars(outside.order_by(Blob.created_at, Blob.digest).limit(1))).one_or_none()


async def put(
    session: Session, store: BlobStore, tenant: str, content: bytes, at: datetime, *, inside: bool | None = None
) -> str:
    """Keeps `content`; gives its sha256, hexadecimal. What is there already is not written again.

    `inside`: whether the row holds the bytes; None lets their size decide. A blob in the store is on the disk before its row is
    committed; after a crash between the two the same bytes are put again.
    """
    digest = sha256(content).hexdigest()
    held = len(content) <= INSIDE if inside is None else inside
    if not held:
        if await find(session, tenant, digest) is not None:
            return digest
        await store.put(tenant, digest, content)
    row = {
        "tenant": tenant,
        "digest": digest,
        "size": len(content),
        "content": content if held else None,
        "inside": held,
        "created_at": at,
    }
    await insert_new(session, Blob, row)
    return digest


async def get(session: ReadSession, store: BlobStore, tenant: str, digest: str) -> bytes | None:
    """Gives the bytes, or None where there is no such blob. Raises StoreFault where the store has lost them."""
    wanted = select(Blob).where(Blob.tenant == tenant, Blob.digest == digest).options(undefer(Blob.content))
    row = (await session.scalars(wanted)).one_or_none()
    if row is None:
        return None
    return row.content if row.content is not None else await store.get(tenant, digest)
