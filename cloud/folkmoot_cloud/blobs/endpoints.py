"""/v1/blobs: programs and weights by digest, the faster way to what the MQTT blocks carry."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from folkmoot_cloud.access import Reader, Route, reads
from folkmoot_cloud.blobs import service
from folkmoot_cloud.blobs.responses import respond
from folkmoot_cloud.faults import BadRange, NotFound
from folkmoot_cloud.parameters import Digest
from folkmoot_cloud.problems import responses

router = APIRouter(prefix="/blobs", tags=["blobs"], route_class=Route)

BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "All of it.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    206: {"description": "The range that was asked for."},
    304: {"description": "The sender of If-None-Match has it."},
}
Range = Annotated[str | None, Header(description="One range of bytes (RFC 9110).", examples=["bytes=0-1023"])]


@router.head("/{digest}", include_in_schema=False, response_class=Response, response_model=None)
@router.get(
    "/{digest}",
    response_class=Response,
    response_model=None,
    summary="Download bytes by their sha256",
    responses={**BYTES, **responses(NotFound, BadRange)},
)
async def download(digest: Digest, request: Request, reader: Annotated[Reader, reads()], range: Range = None) -> Response:
    """The ETag is the digest, so the same bytes are never sent twice to a cache that keeps them."""
    blob = await service.content(reader.session, reader.state["blobs"], reader.tenant, digest)
    return respond(request, blob)
