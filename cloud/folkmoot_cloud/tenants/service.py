"""Tenants: one, until there are more."""

from folkmoot_cloud.database import ReadSession
from folkmoot_cloud.faults import NotFound
from folkmoot_cloud.tables import Tenant
from folkmoot_cloud.tenants import repository

MAIN = "main"


async def show(session: ReadSession, mine: str, tenant: str) -> Tenant:
    """Gives a tenant. Raises NotFound for one that the token is not of."""
    found = await repository.find(session, tenant) if tenant == mine else None
    if found is None:
        raise NotFound(f"there is no tenant {tenant} that this token is of")
    return found
