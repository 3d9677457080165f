"""What an endpoint gets: who asks, and one transaction, in that order. The one place where the API commits.

`Route` opens nothing by itself. A dependency (`reads`, `writes`) authenticates, reads the body to its end, and only then opens
the transaction, so that a stranger or a slow sender never holds the writer's turn. When the endpoint's response is made, the
Idempotency-Key's row and the commit follow; the response leaves after that.
"""

from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.responses import Response

from folkmoot_cloud import state
from folkmoot_cloud.clock import now
from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.idempotency import service as idempotency
from folkmoot_cloud.state import State
from folkmoot_cloud.tokens import service as tokens
from folkmoot_cloud.tokens.service import Principal

_bearer = HTTPBearer(auto_error=False, description="A token: `fm_...`. The first start of the service prints one.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Made up by the client, new for each thing that it wants done: the request can be sent again safely.",
    ),
]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, and in which transaction."""

    principal: Principal
    session: ReadSession
    state: State

    @property
    def tenant(self) -> str:
        """Whose rows these are."""
        return self.principal.tenant


@dataclass(frozen=True, slots=True)
class Writer:
    """Who changes something, in which transaction, and when."""

    principal: Principal
    session: Session
    state: State
    now: datetime

    @property
    def tenant(self) -> str:
        """Whose rows these are."""
        return self.principal.tenant


class Route(APIRoute):
    """A route whose transaction ends before its response leaves."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Gives FastAPI's handler with the transaction around it."""
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                async with AsyncExitStack() as stack:
                    request.state.stack, request.state.keep = stack, None
                    response = await answer(request)
                    if request.state.keep is not None:
                        await request.state.keep(response)
            except idempotency.Replay as replay:
                return replay.response
            return response

        return handle


def authenticated(scope: str) -> Callable[..., Coroutine[Any, Any, Principal]]:
    """Gives the dependency that says who asks, and has no transaction: for responses that go on after the endpoint."""

    async def principal(request: Request, credentials: Credentials) -> Principal:
        async with state.of(request)["database"].read() as session:
            return await _known(session, credentials, scope)

    return principal


async def _known(session: ReadSession, credentials: Credentials, scope: str) -> Principal:
    """Gives who asks. Raises Unauthorized, Forbidden."""
    found = await tokens.authenticate(session, credentials.credentials if credentials else None)
    found.need(scope)
    return found


def reads(scope: str = "read") -> Any:
    """Gives the dependency of an endpoint that reads. Raises Unauthorized, Forbidden."""

    async def reader(request: Request, credentials: Credentials) -> Reader:
        kept = state.of(request)
        session = await request.state.stack.enter_async_context(kept["database"].read())
        return Reader(await _known(session, credentials, scope), session, kept)

    return Depends(reader)


def writes(scope: str) -> Any:
    """Gives the dependency of an endpoint that changes something. Raises Unauthorized, Forbidden, Conflict."""

    async def writer(
        request: Request,
        principal: Annotated[Principal, Depends(authenticated(scope))],
        idempotency_key: Key = None,
    ) -> Writer:
        body = await request.body()
        kept = state.of(request)
        session = await request.state.stack.enter_async_context(kept["database"].write())
        at = now()
        if idempotency_key is not None:
            print_ = idempotency.fingerprint(request.method, f"{request.url.path}?{request.url.query}", body)
            row = await idempotency.claim(session, principal.tenant, principal.token, idempotency_key, print_, at)
            request.state.keep = lambda response: idempotency.keep(session, row, response)
        return Writer(principal, session, kept, at)

    return Depends(writer)
