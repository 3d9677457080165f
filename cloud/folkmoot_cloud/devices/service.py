"""Devices as operators see them."""

from folkmoot_cloud.database import ReadSession
from folkmoot_cloud.devices import repository
from folkmoot_cloud.faults import NotFound
from folkmoot_cloud.tables import Device


async def show(session: ReadSession, tenant: str, device: str) -> Device:
    """Gives a device. Raises NotFound."""
    found = await repository.find(session, tenant, device)
    if found is None:
        raise NotFound(f"there is no device {device}: no gateway has listed it")
    return found
