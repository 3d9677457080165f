"""Queries about tenants."""

from datetime import datetime

from sqlalchemy import select

from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.pages import Rows, Window, page
from folkmoot_cloud.statements import insert_new
from folkmoot_cloud.tables import Tenant


async def listing(session: ReadSession, tenant: str, window: Window) -> Rows[Tenant]:
    """Gives the tenants that a principal of `tenant` may see: its own."""
    return await page(session, select(Tenant).where(Tenant.id == tenant), window, Tenant.id)


async def find(session: ReadSession, tenant: str) -> Tenant | None:
    """Gives a tenant."""
    return await session.get(Tenant, tenant)


async def ensure(session: Session, tenant: str, at: datetime) -> None:
    """Makes the tenant where it is not there yet."""
    await insert_new(session, Tenant, {"id": tenant, "name": tenant, "created_at": at})
