"""/v1/predictions: what a run would take, and /v1/runs/{run}/prediction: what it was predicted to take."""

from typing import Annotated

from fastapi import APIRouter, Query

from folkmoot_cloud.access import Reader, Route, reads
from folkmoot_cloud.clock import now
from folkmoot_cloud.faults import Conflict, NotFound
from folkmoot_cloud.parameters import Id
from folkmoot_cloud.predictions import service
from folkmoot_cloud.predictions.measured import Power
from folkmoot_cloud.predictions.schemas import ForeseenView, PredictionView
from folkmoot_cloud.problems import responses
from folkmoot_cloud.runs.schemas import RunNew

router = APIRouter(tags=["predictions"], route_class=Route)


@router.post("/predictions", response_model=PredictionView, summary="Predict a run", responses=responses(Conflict))
async def predict(
    new: RunNew,
    reader: Annotated[Reader, reads()],
    watts: Annotated[float, Query(ge=0, le=10_000, description="Of a device that trains, beyond rest.")] = service.USUAL.watts,
    joules_per_mb: Annotated[
        float, Query(ge=0, le=10_000, description="Of a device, for what it sends and receives.")
    ] = service.USUAL.joules_per_mb,
    seed: Annotated[int, Query(ge=0, lt=1 << 53, description="The same one gives the same prediction.")] = 0,
) -> PredictionView:
    """The body is that of `POST /v1/runs`; nothing is started, and nothing stored.

    Made from the newest rounds with the same program, by Monte Carlo: what devices took, how often they dropped out, and for
    how long they have been there. Devices that have never been asked are taken to be like others of their kind. Where no round
    has been measured yet, it is a conflict that says what to do.
    """
    return await service.predict(reader.session, reader.tenant, new, now(), Power(watts, joules_per_mb), seed)


@router.get(
    "/runs/{run_id}/prediction",
    response_model=ForeseenView,
    summary="Compare a run with its prediction",
    responses=responses(NotFound),
)
async def of_run(run_id: Id, reader: Annotated[Reader, reads()]) -> ForeseenView:
    """What was predicted when it was created, beside what it has taken."""
    return await service.of_run(reader.session, reader.tenant, run_id)
