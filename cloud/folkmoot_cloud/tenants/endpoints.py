"""/v1/tenants."""

from typing import Annotated

from fastapi import APIRouter, Depends

from folkmoot_cloud.access import Reader, Route, reads
from folkmoot_cloud.faults import NotFound
from folkmoot_cloud.pages import Page, Rows, Window
from folkmoot_cloud.parameters import Id, window
from folkmoot_cloud.problems import responses
from folkmoot_cloud.tables import Tenant
from folkmoot_cloud.tenants import repository, service
from folkmoot_cloud.tenants.schemas import TenantView

router = APIRouter(prefix="/tenants", tags=["tenants"], route_class=Route)


@router.get("", response_model=Page[TenantView], summary="List the tenants")
async def listing(reader: Annotated[Reader, reads()], window: Annotated[Window, Depends(window)]) -> Rows[Tenant]:
    """The one that the token is of: `main`."""
    return await repository.listing(reader.session, reader.tenant, window)


@router.get("/{tenant_id}", response_model=TenantView, summary="Show a tenant", responses=responses(NotFound))
async def show(tenant_id: Id, reader: Annotated[Reader, reads()]) -> Tenant:
    """A tenant."""
    return await service.show(reader.session, reader.tenant, tenant_id)
