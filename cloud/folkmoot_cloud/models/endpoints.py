"""/v1/models: what was learnt; and the promoted version of each task."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from folkmoot_cloud.access import Reader, Route, Writer, reads, writes
from folkmoot_cloud.blobs import service as blobs
from folkmoot_cloud.blobs.endpoints import BYTES, Range
from folkmoot_cloud.blobs.responses import respond
from folkmoot_cloud.faults import BadRange, Conflict, NotFound
from folkmoot_cloud.models import repository, service
from folkmoot_cloud.models.schemas import ModelView
from folkmoot_cloud.pages import Page, Window
from folkmoot_cloud.parameters import Id, window
from folkmoot_cloud.problems import responses
from folkmoot_cloud.words import NAME, WORD

router = APIRouter(tags=["models"], route_class=Route)


@router.get("/models", response_model=Page[ModelView], summary="List the models")
async def listing(
    reader: Annotated[Reader, reads()],
    window: Annotated[Window, Depends(window)],
    task: Annotated[str | None, Query(pattern=NAME, description="Only of the task with this id.")] = None,
    run: Annotated[str | None, Query(pattern=NAME, description="Only what this run has learnt.")] = None,
    promoted: Annotated[bool | None, Query(description="Only promoted ones, or only others.")] = None,
) -> Page[ModelView]:
    """Newest first."""
    found = await repository.listing(reader.session, reader.tenant, window, task_id=task, run_id=run, promoted=promoted)
    return await service.views(reader.session, found)


@router.get("/models/{model_id}", response_model=ModelView, summary="Show a model", responses=responses(NotFound))
async def show(model_id: Id, reader: Annotated[Reader, reads()]) -> ModelView:
    """A version, and how good it was."""
    return await service.show(reader.session, reader.tenant, model_id)


@router.head("/models/{model_id}/weights", include_in_schema=False, response_class=Response, response_model=None)
@router.get(
    "/models/{model_id}/weights",
    response_class=Response,
    response_model=None,
    summary="Download a model's weights",
    responses={**BYTES, **responses(NotFound, BadRange)},
)
async def weights(model_id: Id, request: Request, reader: Annotated[Reader, reads()], range: Range = None) -> Response:
    """One block, as the layout in the task's manifest has it: little-endian, tensors sorted by name, no gaps."""
    model = await service.find(reader.session, reader.tenant, model_id)
    blob = await blobs.content(reader.session, reader.state["blobs"], reader.tenant, model.model_sha256)
    return respond(request, blob, f"{model.id}.weights")


@router.head("/models/{model_id}/tflite", include_in_schema=False, response_class=Response, response_model=None)
@router.get(
    "/models/{model_id}/tflite",
    response_class=Response,
    response_model=None,
    summary="Download a model as an inference-only .tflite",
    responses={**BYTES, **responses(NotFound, Conflict, BadRange)},
)
async def tflite(
    model_id: Id,
    request: Request,
    reader: Annotated[Reader, reads()],
    kind: Annotated[str, Query(pattern=WORD, description="One of the task's `inference` kinds.")] = "float",
    range: Range = None,
) -> Response:
    """The task's inference program with this version's weights in it. It runs on any TensorFlow Lite interpreter."""
    blob, name = await service.program(reader.session, reader.state["blobs"], reader.tenant, model_id, kind)
    return respond(request, blob, name)


@router.post(
    "/models/{model_id}/promote", response_model=ModelView, summary="Promote a model", responses=responses(NotFound, Conflict)
)
async def promote(model_id: Id, writer: Annotated[Writer, writes("models:write")]) -> ModelView:
    """It becomes the one version of its task that is meant to be used. Promoting the promoted one changes nothing."""
    return await service.promote(writer.session, writer.tenant, model_id, writer.now)


@router.post(
    "/tasks/{task_id}/rollback",
    response_model=ModelView,
    summary="Roll back a promotion",
    responses=responses(NotFound, Conflict),
)
async def roll_back(task_id: Id, writer: Annotated[Writer, writes("models:write")]) -> ModelView:
    """The version of the task that was promoted before is promoted again, and is what the response shows."""
    return await service.roll_back(writer.session, writer.tenant, task_id, writer.now)
