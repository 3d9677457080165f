"""/v1/devices/{device}/contributions: what a device has given, as long as it can be taken back."""

from typing import Annotated

from fastapi import APIRouter, Path

from folkmoot_cloud.access import Route, Writer, writes
from folkmoot_cloud.contributions import service
from folkmoot_cloud.contributions.schemas import RetractionsView
from folkmoot_cloud.faults import Conflict, NotFound
from folkmoot_cloud.problems import responses
from folkmoot_cloud.words import NAME

router = APIRouter(prefix="/devices/{device}/contributions", tags=["contributions"], route_class=Route)


@router.delete(
    "",
    response_model=RetractionsView,
    status_code=202,
    summary="Take a device out of the open rounds",
    responses=responses(NotFound, Conflict),
)
async def retract(
    device: Annotated[str, Path(pattern=NAME, examples=["kitchen-1"])], writer: Annotated[Writer, writes("runs:write")]
) -> RetractionsView:
    """The open rounds that have asked it close as if it had never been asked: their models are the same to the bit.

    None of them closes before that is done. What it still trains is called off, and it is not asked again in these rounds; the
    next ones may ask it. A belated answer that holds it and counts in one of them is taken out as a whole, for its home cannot
    make it again. Doing it twice changes nothing. What closed rounds have learnt from it stays in their models.
    """
    return await service.retract(writer.session, writer.state["engine"], writer.tenant, device, writer.now)
