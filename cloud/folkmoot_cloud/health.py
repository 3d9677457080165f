"""/healthz and /readyz: whether the process lives, and whether it can work. Open to everybody; they tell nothing else."""

import logging
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from folkmoot_cloud import state
from folkmoot_cloud.shortage import lacking

log = logging.getLogger(__name__)
router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process lives."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """What works: "ok", or one sentence why not."""

    status: Literal["ok", "unavailable"]
    database: str = Field(examples=["ok"])
    engine: str = Field(examples=["the broker at 127.0.0.1:1883 is away"])


@router.get("/healthz", response_model=Health, summary="Is the process alive?")
async def healthz() -> Health:
    """Restart the process when this does not answer."""
    return Health()


@router.get(
    "/readyz", response_model=Readiness, summary="Can it work?", responses={503: {"model": Readiness, "description": "No."}}
)
async def readyz(request: Request, response: Response) -> Readiness:
    """The API needs the database; rounds need the engine too. Send no requests here while the status is 503."""
    kept = state.of(request)
    database = "ok"
    try:
        await kept["database"].check()
    except Exception as error:  # whatever a driver raises: it does not answer
        log.warning("database away", extra={"error": str(error).partition("\n")[0]})
        database = "the database does not answer"
    if database == "ok":
        database = lacking(kept["settings"].data) or "ok"
    engine = kept["engine"].why_not_ready() or "ok"
    ready = database == engine == "ok"
    response.status_code = 200 if ready else 503
    return Readiness(status="ok" if ready else "unavailable", database=database, engine=engine)
