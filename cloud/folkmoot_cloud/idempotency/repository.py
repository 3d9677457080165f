"""Queries about the responses that are kept for whoever asks again."""

from datetime import datetime

from sqlalchemy import delete, update

from folkmoot_cloud.database import Session
from folkmoot_cloud.statements import insert_new
from folkmoot_cloud.tables import StoredResponse


async def claim(session: Session, row: StoredResponse) -> StoredResponse | None:
    """Takes the key of `row`; gives the row that holds it already, or None where it is ours now.

    Whoever claims the same key at the same time waits here for our commit, and then finds our response.
    """
    values = {column.key: getattr(row, column.key) for column in StoredResponse.__table__.columns}
    if await insert_new(session, StoredResponse, values):
        return None
    return await session.get_one(StoredResponse, (row.tenant, row.token, row.key))


async def keep(session: Session, row: StoredResponse) -> None:
    """Stores the response under the claimed key."""
    mine = (StoredResponse.tenant == row.tenant) & (StoredResponse.token == row.token) & (StoredResponse.key == row.key)
    values = {"status": row.status, "headers": row.headers, "body": row.body}
    await session.execute(update(StoredResponse).where(mine).values(values))


async def forget(session: Session, before: datetime) -> None:
    """Drops what is older."""
    await session.execute(delete(StoredResponse).where(StoredResponse.at < before))
