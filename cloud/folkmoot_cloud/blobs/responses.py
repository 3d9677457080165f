"""Blobs as HTTP gives them: whole or a range of them, and not again to whoever has them."""

import re

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from folkmoot_cloud.blobs.service import Content
from folkmoot_cloud.faults import BadRange

_RANGE = re.compile(r"^bytes=(\d{0,19})-(\d{0,19})$")


def respond(request: Request, blob: Content, filename: str | None = None) -> Response:
    """Gives the response: 304 to whoever has it, 206 for one range (RFC 9110, 14), else 200 with everything.

    Raises BadRange for a range that lies behind the end.
    """
    etag = f'"{blob.digest}"'
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, max-age=31536000, immutable"}
    if _holds(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    if filename is not None:
        headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    first, end = 0, blob.size
    wanted = _RANGE.match(request.headers.get("range", ""))
    # Several ranges, and units that we do not know, may be ignored; so must be a range of an older version.
    asked = wanted is not None and wanted[0] != "bytes=-" and request.headers.get("if-range", etag) == etag
    if wanted is not None and asked:
        first, end = _span(wanted[1], wanted[2], blob.size)
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{blob.size}"
    headers["Content-Length"] = str(end - first)
    status = 206 if asked else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type="application/octet-stream")
    return StreamingResponse(blob.pieces(first, end), status, headers, media_type="application/octet-stream")


def _holds(wanted: str | None, etag: str) -> bool:
    return wanted is not None and (
        wanted.strip() == "*" or etag in (one.strip().removeprefix("W/") for one in wanted.split(","))
    )


def _span(first: str, last: str, size: int) -> tuple[int, int]:
    """Gives the first byte of a range and the one behind its last."""
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start >= size or end <= start:
        raise BadRange(f"the blob has {size} bytes", headers={"Content-Range": f"bytes */{size}"})
    return start, end
