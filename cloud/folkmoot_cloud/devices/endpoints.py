"""/v1/devices: the leaves."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from folkmoot_cloud.access import Reader, Route, reads
from folkmoot_cloud.devices import repository, service
from folkmoot_cloud.devices.schemas import DeviceView
from folkmoot_cloud.faults import NotFound
from folkmoot_cloud.gateways.schemas import State
from folkmoot_cloud.pages import Page, Rows, Window
from folkmoot_cloud.parameters import window
from folkmoot_cloud.problems import responses
from folkmoot_cloud.tables import Device
from folkmoot_cloud.words import NAME

router = APIRouter(prefix="/devices", tags=["devices"], route_class=Route)


@router.get("", response_model=Page[DeviceView], summary="List the devices")
async def listing(
    reader: Annotated[Reader, reads()],
    window: Annotated[Window, Depends(window)],
    gateway: Annotated[str | None, Query(pattern=NAME, description="Only those below this gateway.")] = None,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
) -> Rows[Device]:
    """By name: every device that a gateway has ever listed."""
    return await repository.listing(reader.session, reader.tenant, window, gateway=gateway, state=state)


@router.get("/{device}", response_model=DeviceView, summary="Show a device", responses=responses(NotFound))
async def show(
    device: Annotated[str, Path(pattern=NAME, examples=["kitchen-1"])], reader: Annotated[Reader, reads()]
) -> Device:
    """A device."""
    return await service.show(reader.session, reader.tenant, device)
