"""/v1/tasks: what can be learnt."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.datastructures import UploadFile

from folkmoot_cloud.access import Reader, Route, Writer, authenticated, reads, writes
from folkmoot_cloud.faults import Conflict, Invalid, NotFound
from folkmoot_cloud.pages import Page, Rows, Window
from folkmoot_cloud.parameters import Id, window
from folkmoot_cloud.problems import responses
from folkmoot_cloud.tables import Task
from folkmoot_cloud.tasks import parcel, repository, service
from folkmoot_cloud.tasks.parcel import Parcel
from folkmoot_cloud.tasks.schemas import ManifestView, TaskView
from folkmoot_cloud.tokens.service import Principal
from folkmoot_cloud.words import NAME

router = APIRouter(prefix="/tasks", tags=["tasks"], route_class=Route)

_BINARY = {"type": "string", "format": "binary"}
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": _BINARY},
            "multipart/form-data": {"schema": {"type": "object", "required": ["bundle"], "properties": {"bundle": _BINARY}}},
        },
    }
}


async def uploaded(request: Request, principal: Annotated[Principal, Depends(authenticated("tasks:write"))]) -> Parcel:
    """Gives the bundle in the body, opened before the transaction begins. Raises Invalid."""
    content = await request.body()
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form(max_files=1, max_fields=10) as form:
            field = form.get("bundle")
            if not isinstance(field, UploadFile):
                raise Invalid("the form needs one file, in the field `bundle`")
            content = await field.read()
    return await parcel.unpack(content)


@router.post(
    "",
    response_model=TaskView,
    status_code=201,
    summary="Upload a task",
    openapi_extra=_UPLOAD,
    responses={200: {"model": TaskView, "description": "These bytes were uploaded before."}, **responses(Conflict)},
)
async def publish(
    bundle: Annotated[Parcel, Depends(uploaded)], writer: Annotated[Writer, writes("tasks:write")], response: Response
) -> Task:
    """The body is a bundle (.fmb) as `folkmoot author` writes it. The same bytes are the same task, however often they come."""
    task, new = await service.publish(writer.session, writer.state["blobs"], writer.tenant, bundle, writer.now)
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"/v1/tasks/{task.id}"
    return task


@router.get("", response_model=Page[TaskView], summary="List the tasks")
async def listing(
    reader: Annotated[Reader, reads()],
    window: Annotated[Window, Depends(window)],
    name: Annotated[str | None, Query(pattern=NAME, description="Only tasks with this name.")] = None,
) -> Rows[Task]:
    """Newest first."""
    return await repository.listing(reader.session, reader.tenant, window, name)


@router.get("/{task_id}", response_model=TaskView, summary="Show a task", responses=responses(NotFound))
async def show(task_id: Id, reader: Annotated[Reader, reads()]) -> Task:
    """By id, or the newest with that name."""
    return await service.show(reader.session, reader.tenant, task_id)


@router.get("/{task_id}/manifest", response_model=ManifestView, summary="Show a task's manifest", responses=responses(NotFound))
async def manifest(task_id: Id, reader: Annotated[Reader, reads()]) -> dict[str, Any]:
    """Its layout, data contract and local plan. Blocks of weights are read with the layout."""
    return (await service.show(reader.session, reader.tenant, task_id, whole=True)).manifest
