"""A cap on the bytes of a request, before anything reads it."""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from folkmoot_cloud import problems
from folkmoot_cloud.faults import TooLarge


class BodyLimit:
    """ASGI middleware: a body that is announced or turns out to be larger than its path allows is refused as a problem."""

    def __init__(self, app: ASGIApp, usual: int, uploads: Mapping[str, int]) -> None:
        """`usual` bytes for every path but those in `uploads`."""
        self._app = app
        self._usual = usual
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Takes one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._uploads.get(scope["path"], self._usual)
        announced = Headers(scope=scope).get("content-length", "0")
        refusal = problems.render(TooLarge(f"the body is larger than the {limit:,} bytes that are taken here"))
        if announced.isdigit() and int(announced[:20]) > limit:
            await refusal(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            """Gives the next piece; where it is too much, the application is told that the client has gone."""
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            return {"type": "http.disconnect"} if taken > limit else message

        async def answered(message: Message) -> None:
            """Sends on what the application says, but not what it makes of our pretence."""
            if taken <= limit:
                await send(message)

        try:
            await self._app(scope, counted, answered)
        except Exception:
            if taken <= limit:
                raise
        if taken > limit:
            await refusal(scope, receive, send)
