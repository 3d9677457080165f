"""/v1/runs: training jobs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from folkmoot_cloud import state
from folkmoot_cloud.access import Reader, Route, Writer, authenticated, reads, writes
from folkmoot_cloud.clock import now
from folkmoot_cloud.faults import Conflict, NotFound
from folkmoot_cloud.pages import Page, Window
from folkmoot_cloud.parameters import Id, window
from folkmoot_cloud.predictions import service as predictions
from folkmoot_cloud.problems import responses
from folkmoot_cloud.runs import repository, service
from folkmoot_cloud.runs.schemas import RunNew, RunView, Status
from folkmoot_cloud.tokens.service import Principal
from folkmoot_cloud.words import NAME

router = APIRouter(prefix="/runs", tags=["runs"], route_class=Route)
Operator = Annotated[Writer, writes("runs:write")]


async def _foreseen(
    new: RunNew, request: Request, principal: Annotated[Principal, Depends(authenticated("runs:write"))]
) -> dict[str, Any] | None:
    """Gives what the run is going to take. Before its transaction begins: meanwhile nobody waits for the writer's turn."""
    return await predictions.foresee(state.of(request)["database"], principal.tenant, new, now())


@router.post("", response_model=RunView, status_code=201, summary="Start a run", responses=responses(Conflict))
async def create(
    new: RunNew, prediction: Annotated[dict[str, Any] | None, Depends(_foreseen)], writer: Operator, response: Response
) -> RunView:
    """What can never hold is refused here, with a sentence that says which settings exclude each other."""
    run = await service.create(writer.session, writer.state["engine"], writer.tenant, new, writer.now, prediction)
    response.headers["Location"] = f"/v1/runs/{run.id}"
    return run


@router.get("", response_model=Page[RunView], summary="List the runs")
async def listing(
    reader: Annotated[Reader, reads()],
    window: Annotated[Window, Depends(window)],
    status: Annotated[Status | None, Query(description="Only runs in this state.")] = None,
    task: Annotated[str | None, Query(pattern=NAME, description="Only runs of the task with this id.")] = None,
) -> Page[RunView]:
    """Newest first."""
    found = await repository.listing(reader.session, reader.tenant, window, status=status, task_id=task)
    return await service.views(reader.session, reader.tenant, found)


@router.get("/{run_id}", response_model=RunView, summary="Show a run", responses=responses(NotFound))
async def show(run_id: Id, reader: Annotated[Reader, reads()]) -> RunView:
    """A run, and how good its models are."""
    return await service.show(reader.session, reader.tenant, run_id)


@router.post("/{run_id}/stop", response_model=RunView, summary="Stop a run", responses=responses(NotFound, Conflict))
async def stop(run_id: Id, writer: Operator) -> RunView:
    """Its open round is called off, and it ends as `stopped`. What it has learnt stays."""
    return await service.want(writer.session, writer.state["engine"], writer.tenant, run_id, "stop", writer.now)


@router.post("/{run_id}/pause", response_model=RunView, summary="Pause a run", responses=responses(NotFound, Conflict))
async def pause(run_id: Id, writer: Operator) -> RunView:
    """Its open round goes on to its end; the next one waits."""
    return await service.want(writer.session, writer.state["engine"], writer.tenant, run_id, "pause", writer.now)


@router.post("/{run_id}/resume", response_model=RunView, summary="Resume a run", responses=responses(NotFound, Conflict))
async def resume(run_id: Id, writer: Operator) -> RunView:
    """The opposite of pausing it."""
    return await service.want(writer.session, writer.state["engine"], writer.tenant, run_id, "run", writer.now)


@router.post(
    "/{run_id}/rounds",
    response_model=RunView,
    status_code=202,
    summary="Launch one more round",
    responses=responses(NotFound, Conflict),
)
async def launch_round(run_id: Id, writer: Operator, response: Response) -> RunView:
    """Also for a finished run, which is taken up again. `Location` is the round's; it is there once it begins."""
    run, number = await service.launch_round(writer.session, writer.state["engine"], writer.tenant, run_id, writer.now)
    response.headers["Location"] = f"/v1/runs/{run_id}/rounds/{number}"
    return run
