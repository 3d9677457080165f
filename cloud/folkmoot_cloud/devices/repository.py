"""Queries about devices."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, and_, case, select, type_coerce, update

from folkmoot.wire.messages import Device as Listed
from folkmoot_cloud.columns import milliseconds
from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.pages import Rows, Window, page
from folkmoot_cloud.statements import upsert
from folkmoot_cloud.tables import Device

CHUNK = 5_000  # names of one query: SQLite takes 32,766


async def listing(
    session: ReadSession, tenant: str, window: Window, *, gateway: str | None = None, state: str | None = None
) -> Rows[Device]:
    """Gives a page of the devices by name."""
    rows = select(Device).where(Device.tenant == tenant)
    for column, value in ((Device.gateway, gateway), (Device.state, state)):
        if value is not None:
            rows = rows.where(column == value)
    return await page(session, rows, window, Device.id)


async def find(session: ReadSession, tenant: str, device: str) -> Device | None:
    """Gives a device."""
    return await session.get(Device, (tenant, device))


async def known(session: ReadSession, tenant: str, names: Sequence[str]) -> set[str]:
    """Gives which of these a gateway has ever listed."""
    found: set[str] = set()
    for at in range(0, len(names), CHUNK):
        part = names[at : at + CHUNK]
        found.update(await session.scalars(select(Device.id).where(Device.tenant == tenant, Device.id.in_(part))))
    return found


async def below(session: Session, tenant: str, gateway: str, listed: Sequence[Listed], at: datetime) -> None:
    """Stores the devices that a gateway lists; those that it lists no more, and no other gateway does, are gone.

    A device that moved home belongs to the gateway that listed it last. One that is not there now keeps its `last_seen`.
    """
    await _count(session, (Device.tenant == tenant) & (Device.gateway == gateway), at)
    for names in _parts([one.name for one in listed]):  # those that were elsewhere
        await _count(session, (Device.tenant == tenant) & (Device.gateway != gateway) & Device.id.in_(names), at)
    mine = select(Device.id).where(Device.tenant == tenant, Device.gateway == gateway, Device.state != "gone")
    gone = set(await session.scalars(mine)) - {one.name for one in listed}
    for names in _parts(sorted(gone)):
        left = (Device.tenant == tenant) & (Device.gateway == gateway) & Device.id.in_(names)
        await session.execute(update(Device).where(left).values(state="gone"))
    counted = ("first_seen", "changed_at", "up_ms", "down_ms")
    for here, keep in ((True, counted), (False, (*counted, "last_seen"))):
        rows = [_row(tenant, gateway, one, at) for one in listed if (one.state in ("up", "sleeping")) == here]
        await upsert(session, Device, rows, keep)


async def _count(session: Session, those: ColumnElement[bool], at: datetime) -> None:
    """Adds to the time that devices were there, or were not, what has passed since that was done last."""
    passed = milliseconds(at) - type_coerce(Device.changed_at, BigInteger)
    up = and_(Device.state == "up", Device.why_not == "")
    values = {
        "up_ms": Device.up_ms + case((up, passed), else_=0),
        "down_ms": Device.down_ms + case((up, 0), else_=passed),
        "changed_at": at,
    }
    # A clock that was set back counts nothing twice.
    await session.execute(update(Device).where(those, Device.changed_at < at).values(values))


def _parts(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[at : at + CHUNK] for at in range(0, len(names), CHUNK)]


def _row(tenant: str, gateway: str, one: Listed, at: datetime) -> dict[str, object]:
    return {
        "tenant": tenant,
        "id": one.name,
        "gateway": gateway,
        "state": one.state,
        "examples": one.examples,
        "software": one.software,
        "runtime": one.runtime,
        "memory": one.memory,
        "data": one.data,
        "why_not": one.why_not,
        "first_seen": at,
        "last_seen": at,
        "changed_at": at,
        "up_ms": 0,
        "down_ms": 0,
    }
