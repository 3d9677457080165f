"""The cloud's REST API, from the side of those who ask."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from httpx_sse import SSEError, aconnect_sse

from folkmoot.errors import FolkmootError, UserFault
from folkmoot_cli.options import URL

PAGE = 200  # rows of a page, at most
ATTEMPTS = 3  # of a request that got no answer; each carries the same Idempotency-Key
PAUSE = 0.3  # seconds between them
CONNECT = 5.0  # seconds
ANSWER = 60.0  # seconds: an upload is checked while its sender waits
SILENCE = 40.0  # seconds without a word, after which a stream of events is dead; the service says one every 15
# Where a proxy is set for everything, this machine is still reached directly.
LOCAL = {"all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None}

Json = dict[str, Any]


class Unreachable(UserFault):
    """Nobody answers there."""


class ServiceFault(FolkmootError):
    """The cloud itself has failed."""


class Cloud:
    """One cloud's API. Every method raises UserFault for what the cloud refuses, in its own words."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        """`http` knows address and token."""
        self._http = http

    async def get(self, *path: str, **query: Any) -> Json:
        """Gives what there is at `path`, below /v1."""
        found: Json = (await self._ask("GET", path, query=query)).json()
        return found

    async def post(self, *path: str, body: Json | bytes | None = None, **query: Any) -> Json:
        """Has something done, once, however often the request must be sent; `body` is JSON or a file."""
        found: Json = (await self._ask("POST", path, query=query, body=body)).json()
        return found

    async def download(self, *path: str, **query: Any) -> bytes:
        """Gives bytes."""
        return (await self._ask("GET", path, query=query)).content

    async def listing(self, *path: str, limit: int = 0, **query: Any) -> list[Json]:
        """Gives the rows of a list, page after page, at most `limit`; 0: all."""
        rows: list[Json] = []
        cursor = None
        while True:
            size = min(PAGE, limit - len(rows)) if limit else PAGE
            page = await self.get(*path, limit=size, cursor=cursor, **query)
            rows += page["items"]
            cursor = page["next"]
            if cursor is None or 0 < limit <= len(rows):
                return rows

    async def events(self, run: str, since: int) -> AsyncIterator[Json]:
        """Gives what happens to a run, from behind the event with the number `since`, until the connection is lost.

        Raises Unreachable then.
        """
        query = {"run": run, "since": since}
        timeout = httpx.Timeout(ANSWER, connect=CONNECT, read=SILENCE)
        try:
            async with aconnect_sse(self._http, "GET", "events", params=query, timeout=timeout) as source:
                if source.response.is_error:
                    await source.response.aread()
                    _refuse(source.response)
                async for event in source.aiter_sse():
                    if event.data:  # httpx-sse gives an event without any for the comment that keeps the connection alive
                        found: Json = event.json()
                        yield found
        except (httpx.TransportError, SSEError) as error:
            raise self._unreachable(error) from None
        raise Unreachable(f"{self._http.base_url.host} has ended the stream of events")

    async def _ask(
        self, method: str, path: tuple[str, ...], query: Mapping[str, Any] | None = None, body: Json | bytes | None = None
    ) -> httpx.Response:
        wanted = {name: value for name, value in (query or {}).items() if value is not None}
        content: Json = {"json": body} if isinstance(body, dict) else {"content": body}
        headers = {"Idempotency-Key": uuid.uuid4().hex} if method == "POST" else {}
        place = "/".join(quote(step, safe="") for step in path)
        try:
            request = self._http.build_request(method, place, params=wanted, headers=headers, **content)
        except ValueError:  # JSON has no infinity
            raise UserFault("every number must be finite") from None
        response = await self._send(request)
        if response.is_error:
            _refuse(response)
        return response

    async def _send(self, request: httpx.Request) -> httpx.Response:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._http.send(request)
            except httpx.TransportError as error:
                if attempt == ATTEMPTS or isinstance(error, httpx.UnsupportedProtocol):
                    raise self._unreachable(error) from None
            await asyncio.sleep(PAUSE)
        raise AssertionError  # the last attempt has raised or returned

    def _unreachable(self, error: Exception) -> Unreachable:
        where = str(self._http.base_url).removesuffix("/v1/")
        why = str(error) or type(error).__name__
        return Unreachable(f"no cloud answers at {where} ({why}): start it, or say where it is with --url or FOLKMOOT_URL")


def _refuse(response: httpx.Response) -> None:
    """Raises what an error response says (RFC 9457)."""
    try:
        detail = str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"{response.status_code} {response.reason_phrase} from {response.url}: is that a cloud of Folkmoot?"
    if response.status_code >= 500:
        raise ServiceFault(detail)
    raise UserFault(detail)


@asynccontextmanager
async def connect(url: str, token_file: Path | None, environment: Mapping[str, str] = os.environ) -> AsyncIterator[Cloud]:
    """Gives the API at `url`, for the token in a file or else in the variable FOLKMOOT_TOKEN. Raises UserFault."""
    headers = {"Authorization": f"Bearer {token(token_file, environment)}"}
    timeout = httpx.Timeout(ANSWER, connect=CONNECT)
    try:
        http = httpx.AsyncClient(base_url=f"{url.rstrip('/')}/v1/", headers=headers, timeout=timeout, mounts=LOCAL)
    except httpx.InvalidURL as error:
        raise UserFault(f"--url {url}: {error}; it looks like {URL}") from None
    async with http:
        yield Cloud(http)


def token(file: Path | None, environment: Mapping[str, str]) -> str:
    """Gives the token to the API. Raises UserFault where there is none."""
    if file is None:
        found = environment.get("FOLKMOOT_TOKEN", "").strip()
    else:
        try:
            found = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = (getattr(error, "strerror", None) or "it is no text").lower()
            raise UserFault(f"the token's file {file} cannot be read: {why}") from None
    if not found:
        raise UserFault(
            "no token: set FOLKMOOT_TOKEN to the one that the first start of the cloud printed, or give --token-file"
        )
    if not (found.isascii() and found.isprintable()):
        raise UserFault("the token is none: it is one word that begins with fm_")
    return found
