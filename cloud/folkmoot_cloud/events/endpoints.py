"""/v1/events: what happens, as it happens."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from folkmoot_cloud import state
from folkmoot_cloud.access import Route, authenticated
from folkmoot_cloud.events import service
from folkmoot_cloud.events.schemas import EventView, Kind
from folkmoot_cloud.faults import Fault
from folkmoot_cloud.pages import LARGEST
from folkmoot_cloud.tokens.service import Principal
from folkmoot_cloud.words import NAME

router = APIRouter(prefix="/events", tags=["events"], route_class=Route)

PING = 15  # seconds: proxies close connections that are silent for 30 to 60
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events without end; each `data` is an EventView.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
        "model": EventView,
    }
}


@router.get(
    "",
    response_class=EventSourceResponse,
    response_model=None,
    summary="Listen to events",
    responses=STREAM,
)
async def listen(
    request: Request,
    principal: Annotated[Principal, Depends(authenticated("read"))],
    run: Annotated[str | None, Query(pattern=NAME, description="Only this run.")] = None,
    kind: Annotated[list[Kind] | None, Query(max_length=20, description="Only these kinds.")] = None,
    since: Annotated[int | None, Query(ge=0, le=LARGEST, description="Behind this sequence number; 0: from the first.")] = None,
    last_event_id: Annotated[str | None, Header(description="Behind this one; wins over `since`.")] = None,
) -> EventSourceResponse:
    """Without `since` or Last-Event-ID it begins now. What is older than the service keeps (7 days) is gone."""
    if last_event_id:
        if not last_event_id.isascii() or not last_event_id.isdigit() or int(last_event_id[:20]) > LARGEST:
            raise Fault("Last-Event-ID must be the id of an event that this stream gave")
        since = int(last_event_id)
    database = state.of(request)["database"]
    if since is None:  # found out before the response begins: what happens after that is heard
        since = await service.newest(database, principal.tenant)
    found = service.stream(database, principal.tenant, since, run, kind or ())
    return EventSourceResponse(_lines(found), ping=PING)


async def _lines(found: AsyncIterator[EventView]) -> AsyncIterator[ServerSentEvent]:
    async for event in found:
        yield ServerSentEvent(data=event.model_dump_json(), event=event.kind, id=str(event.sequence))
