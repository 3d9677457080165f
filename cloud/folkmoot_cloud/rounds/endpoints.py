"""/v1/runs/{run}/rounds: the record of each round."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from folkmoot_cloud.access import Reader, Route, reads
from folkmoot_cloud.faults import NotFound
from folkmoot_cloud.pages import Page, Window
from folkmoot_cloud.parameters import Id, window
from folkmoot_cloud.problems import responses
from folkmoot_cloud.rounds import service
from folkmoot_cloud.rounds.fates import Word
from folkmoot_cloud.rounds.schemas import MemberView, RoundView
from folkmoot_cloud.words import NAME

router = APIRouter(prefix="/runs/{run_id}/rounds", tags=["rounds"], route_class=Route)
Number = Annotated[int, Path(ge=1, le=1 << 40, description="The first round is 1.", examples=[1])]


@router.get("", response_model=Page[RoundView], summary="List the rounds", responses=responses(NotFound))
async def listing(
    run_id: Id, reader: Annotated[Reader, reads()], window: Annotated[Window, Depends(window)]
) -> Page[RoundView]:
    """First one first."""
    return await service.listing(reader.session, reader.tenant, run_id, window)


@router.get("/{number}", response_model=RoundView, summary="Show a round", responses=responses(NotFound))
async def show(run_id: Id, number: Number, reader: Annotated[Reader, reads()]) -> RoundView:
    """Its figures; `/members` says what became of whom."""
    return await service.show(reader.session, reader.tenant, run_id, number)


@router.get(
    "/{number}/members", response_model=Page[MemberView], summary="List a round's members", responses=responses(NotFound)
)
async def members(
    run_id: Id,
    number: Number,
    reader: Annotated[Reader, reads()],
    window: Annotated[Window, Depends(window)],
    gateway: Annotated[str | None, Query(pattern=NAME, description="Only this gateway and what is below it.")] = None,
    fate: Annotated[Word | None, Query(description="Only whom this became of.")] = None,
    devices: Annotated[bool | None, Query(description="true: only devices; false: only gateways.")] = None,
) -> Page[MemberView]:
    """Who was asked, and what became of each: gateways, and behind each its devices."""
    return await service.members(
        reader.session, reader.tenant, run_id, number, window, gateway=gateway, fate=fate, devices=devices
    )
