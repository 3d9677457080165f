"""/v1/gateways: the homes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from folkmoot_cloud.access import Reader, Route, reads
from folkmoot_cloud.faults import NotFound
from folkmoot_cloud.gateways import repository, service
from folkmoot_cloud.gateways.schemas import GatewayView, State
from folkmoot_cloud.pages import Page, Window
from folkmoot_cloud.parameters import window
from folkmoot_cloud.problems import responses
from folkmoot_cloud.words import NAME

router = APIRouter(prefix="/gateways", tags=["gateways"], route_class=Route)


@router.get("", response_model=Page[GatewayView], summary="List the gateways")
async def listing(
    reader: Annotated[Reader, reads()],
    window: Annotated[Window, Depends(window)],
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
) -> Page[GatewayView]:
    """By name: every gateway that has ever come up at the broker."""
    found = await repository.listing(reader.session, reader.tenant, window, state=state)
    return await service.views(reader.session, reader.tenant, found)


@router.get("/{gateway}", response_model=GatewayView, summary="Show a gateway", responses=responses(NotFound))
async def show(
    gateway: Annotated[str, Path(pattern=NAME, examples=["home-7"])], reader: Annotated[Reader, reads()]
) -> GatewayView:
    """A home, and how many devices it has."""
    return await service.show(reader.session, reader.tenant, gateway)
