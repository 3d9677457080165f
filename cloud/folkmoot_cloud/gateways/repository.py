"""Queries about gateways."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.pages import Rows, Window, page
from folkmoot_cloud.statements import upsert
from folkmoot_cloud.tables import Device, Gateway

CHUNK = 5_000  # names of one query: SQLite takes 32,766


async def listing(session: ReadSession, tenant: str, window: Window, *, state: str | None = None) -> Rows[Gateway]:
    """Gives a page of the gateways by name."""
    rows = select(Gateway).where(Gateway.tenant == tenant)
    if state is not None:
        rows = rows.where(Gateway.state == state)
    return await page(session, rows, window, Gateway.id)


async def find(session: ReadSession, tenant: str, gateway: str) -> Gateway | None:
    """Gives a gateway."""
    return await session.get(Gateway, (tenant, gateway))


async def known(session: ReadSession, tenant: str, names: Sequence[str]) -> set[str]:
    """Gives which of these have ever come up."""
    found: set[str] = set()
    for at in range(0, len(names), CHUNK):
        part = names[at : at + CHUNK]
        found.update(await session.scalars(select(Gateway.id).where(Gateway.tenant == tenant, Gateway.id.in_(part))))
    return found


async def homes(session: ReadSession, tenant: str, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Gives how many devices in which state are below each of these gateways."""
    wanted = (
        select(Device.gateway, Device.state, func.count())
        .where(Device.tenant == tenant, Device.gateway.in_(names))
        .group_by(Device.gateway, Device.state)
    )
    found: dict[str, dict[str, int]] = {name: {} for name in names}
    for gateway, state, count in await session.execute(wanted):
        found[gateway][state] = count
    return found


async def put(session: Session, row: Mapping[str, Any]) -> None:
    """Stores what is known of a gateway now; when it was first seen stays."""
    await upsert(session, Gateway, [row], keep=("first_seen",))
