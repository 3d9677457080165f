"""Every error as an RFC 9457 problem: one form, one place, whoever raised it."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from folkmoot.errors import StoreFault, UserFault
from folkmoot_cloud import state
from folkmoot_cloud.faults import Fault, Invalid, Unavailable
from folkmoot_cloud.shortage import shortage

log = logging.getLogger(__name__)

MEDIA = "application/problem+json"
TYPES = "urn:folkmoot:problem:"


class FieldError(BaseModel):
    """One field that is wrong."""

    pointer: str = Field(examples=["body/rounds"], description="Where it stands: body, query, path or header, then the field.")
    detail: str = Field(examples=["Input should be greater than or equal to 1"])


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = Field(examples=[TYPES + "invalid"], description="A word that programs can rely on.")
    title: str = Field(examples=[Invalid.title])
    status: int = Field(examples=[422])
    detail: str = Field(
        examples=["there is no strategy 'fedsgd'; there are fedavg, fedopt, fedprox"],
        description="One sentence that says what to do.",
    )
    errors: list[FieldError] = Field(default=[], description="The single fields that are wrong, if it is about fields.")


def responses(*kinds: type[Fault]) -> dict[int | str, dict[str, Any]]:
    """Gives what OpenAPI says about the faults that an endpoint may end with."""
    content = {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {kind.status: {"description": kind.title, "content": content, "model": Problem} for kind in kinds}


def install(app: FastAPI) -> None:
    """Renders every error of `app` as a problem."""
    app.add_exception_handler(Fault, _fault)
    app.add_exception_handler(UserFault, _fault)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    # The database is away, or gave up on a transaction: not the client's fault, and worth another try.
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(StoreFault, _store)
    app.add_exception_handler(OSError, _system)
    app.add_exception_handler(Exception, _bug)


def render(fault: Fault) -> Response:
    """Gives the response that says `fault`."""
    return _problem(fault.status, fault.kind, fault.title, fault.detail, fault.errors, fault.headers)


def _problem(
    status: int,
    kind: str,
    title: str,
    detail: str,
    errors: Sequence[Any] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    body: dict[str, Any] = {"type": TYPES + kind, "title": title, "status": status, "detail": detail}
    if errors:
        body["errors"] = list(errors)
    return JSONResponse(body, status, headers, media_type=MEDIA)


def _fault(request: Request, error: Exception) -> Response:
    return render(error if isinstance(error, Fault) else Invalid(str(error)))


def _validation(request: Request, error: Exception) -> Response:
    """The fields that are wrong, without the values that came: those may be secrets, or no Unicode at all."""
    assert isinstance(error, RequestValidationError)
    errors = [
        {"pointer": "/".join(_clean(str(step)) for step in one["loc"])[:200], "detail": _clean(one["msg"])[:300]}
        for one in error.errors()[:20]
    ]
    first = errors[0] if errors else {"pointer": "request", "detail": "malformed"}
    return render(Invalid(f"{first['pointer']}: {first['detail']}", errors=errors))


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _http(request: Request, error: Exception) -> Response:
    """What the framework itself refuses: unknown paths, methods, bodies that are no JSON."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    detail = {
        404: f"there is no {request.method} {_clean(request.url.path)[:200]}; /docs lists what there is",
        405: f"{request.method} is not possible here; /docs lists what is",
    }.get(error.status_code, str(error.detail))
    kind = phrase.lower().replace(" ", "-")
    return _problem(error.status_code, kind, phrase, detail, headers=dict(error.headers or {}))


def _database(request: Request, error: Exception) -> Response:
    assert isinstance(error, DBAPIError)
    # A server that ends a connection has no kind of its own with asyncpg; what else is of no such kind is a bug of ours,
    # unless a disk is full.
    if not (isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated):
        return _system(request, error)
    log.error("database failed", extra={"error": str(error).partition("\n")[0]})
    return _short(request, error) or render(
        Unavailable("the database did not do it: try again in a moment; the service's log says why")
    )


def _store(request: Request, error: Exception) -> Response:
    log.error("store failed", extra={"error": str(error)})
    return _short(request, error) or render(
        Unavailable("what the service stores on did not do it: try again in a moment; its log says why")
    )


def _system(request: Request, error: Exception) -> Response:
    """What a driver or the system says: a bug of ours, unless a disk is full."""
    found = _short(request, error)
    if found is None:
        raise error
    log.error("store failed", extra={"error": str(error).partition("\n")[0]})
    return found


def _short(request: Request, error: Exception) -> Response | None:
    """Gives the response where a disk has no room, or fails."""
    found = shortage(error, state.of(request)["settings"].data)
    if found is None:
        return None
    return render(Unavailable(f"{found.why}: nothing of this was stored; try again when the service's host has been seen to"))


def _bug(request: Request, error: Exception) -> Response:
    """A bug of ours. The server logs the traceback; the client gets no more than that it happened."""
    return _problem(500, "internal", "A fault of the service", "this is a bug of the service; its log says more")
