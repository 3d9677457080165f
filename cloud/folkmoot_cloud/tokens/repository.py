"""Queries about tokens."""

from datetime import datetime

from sqlalchemy import select, update

from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.pages import Rows, Window, page
from folkmoot_cloud.tables import Tenant, Token


async def find(session: ReadSession, token_id: str) -> Token | None:
    """Gives the token with this id, of whichever tenant: the id is all that a request says before it is known."""
    return (await session.scalars(select(Token).where(Token.id == token_id))).one_or_none()


async def listing(session: ReadSession, tenant: str, window: Window) -> Rows[Token]:
    """Gives a page of the tenant's tokens, newest first."""
    rows = select(Token).where(Token.tenant == tenant)
    return await page(session, rows, window, Token.created_at, Token.id, newest_first=True)


async def usable(session: Session, tenant: str) -> list[Token]:
    """Gives every token that is not revoked, and holds off everybody else who asks this until the commit."""
    await session.execute(select(Tenant.id).where(Tenant.id == tenant).with_for_update(key_share=True))
    found = await session.scalars(select(Token).where(Token.tenant == tenant, Token.revoked_at.is_(None)))
    return list(found)


async def add(session: Session, token: Token) -> None:
    """Stores a new token."""
    session.add(token)
    await session.flush()


async def revoke(session: Session, tenant: str, token_id: str, at: datetime) -> None:
    """Ends a token's life; one that is over stays as it is."""
    mine = (Token.tenant == tenant) & (Token.id == token_id) & Token.revoked_at.is_(None)
    await session.execute(update(Token).where(mine).values(revoked_at=at))
