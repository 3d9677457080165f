"""Model versions: what was learnt, how good it is, and which one is meant to be used."""

import asyncio
from datetime import datetime
from hashlib import sha256

import msgspec

from folkmoot import graft
from folkmoot.errors import PeerFault
from folkmoot.wire.bundle import Graft
from folkmoot.wire.layout import Layout
from folkmoot_cloud.blobs import repository as blobs
from folkmoot_cloud.blobs.service import Content
from folkmoot_cloud.blobs.store import BlobStore
from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.events import repository as events
from folkmoot_cloud.faults import Conflict, NotFound
from folkmoot_cloud.models import repository
from folkmoot_cloud.models.schemas import EvaluationView, ModelView
from folkmoot_cloud.pages import Page, Rows
from folkmoot_cloud.tables import Evaluation, Model, Run, Task
from folkmoot_cloud.tasks import repository as tasks


async def find(session: ReadSession, tenant: str, model_id: str) -> Model:
    """Gives a version. Raises NotFound."""
    found = await repository.find(session, tenant, model_id)
    if found is None:
        raise NotFound(f"there is no model {model_id}")
    return found


async def show(session: ReadSession, tenant: str, model_id: str) -> ModelView:
    """Gives a version and how good it was. Raises NotFound."""
    model = await find(session, tenant, model_id)
    return _view(model, await repository.evaluation(session, model))


async def views(session: ReadSession, models: Rows[Model]) -> Page[ModelView]:
    """Gives the versions of a page and how good they were."""
    known = await repository.evaluations(session, models.items)
    return Page(items=[_view(model, known.get(model.id)) for model in models.items], next=models.next)


def _view(model: Model, evaluation: Evaluation | None) -> ModelView:
    view = ModelView.model_validate({name: getattr(model, name) for name in ModelView.model_fields if name != "evaluation"})
    view.evaluation = EvaluationView.model_validate(evaluation) if evaluation is not None else None
    return view


async def learnt(
    session: Session,
    store: BlobStore,
    run: Run,
    version: int,
    parent: str,
    block: bytes,
    at: datetime,
    *,
    state: bytes | None = None,
) -> Model:
    """Stores what a round has learnt and gives the new version: `block` is the weights, `state` the server optimiser's."""
    weights = await blobs.put(session, store, run.tenant, block, at)
    kept = await blobs.put(session, store, run.tenant, state, at) if state is not None else None
    model = await repository.add(
        session,
        run.tenant,
        task_id=run.task_id,
        run_id=run.id,
        version=version,
        parent=parent,
        weights=weights,
        size=len(block),
        at=at,
        state=kept,
    )
    content = {"model": model.id, "version": version, "model_sha256": weights}
    events.append(session, run.tenant, "model.created", at, content, run.id)
    return model


async def promote(session: Session, tenant: str, model_id: str, at: datetime) -> ModelView:
    """Makes a version the one of its task that is meant to be used. Raises NotFound."""
    model = await find(session, tenant, model_id)
    await repository.lock(session, tenant, model.task_id)
    held = await repository.promotions(session, tenant, model.task_id, 1)
    if not held or held[0].model_id != model.id:
        await repository.promote(session, model, at)
        events.append(session, tenant, "model.promoted", at, {"model": model.id, "task": model.task_id}, model.run_id)
        await session.refresh(model)
    return _view(model, await repository.evaluation(session, model))


async def roll_back(session: Session, tenant: str, task: str, at: datetime) -> ModelView:
    """Makes the version that was promoted before the promoted one again; it can be done again and again.

    Raises NotFound for the task, Conflict where there was none before.
    """
    known = await tasks.find(session, tenant, task)
    if known is None:
        raise NotFound(f"there is no task {task}")
    await repository.lock(session, tenant, known.id)
    held = await repository.promotions(session, tenant, known.id, 2)
    if len(held) < 2:
        raise Conflict(f"no version of {known.name} was promoted before the present one: promote the one that you want")
    await repository.undo(session, held[0], held[1], at)
    model = await find(session, tenant, held[1].model_id)
    content = {"model": model.id, "task": known.id, "rolled_back": held[0].model_id}
    events.append(session, tenant, "model.promoted", at, content, model.run_id)
    return _view(model, await repository.evaluation(session, model))


async def program(session: ReadSession, store: BlobStore, tenant: str, model_id: str, kind: str) -> tuple[Content, str]:
    """Gives an inference-only .tflite with a version's weights, and a name for the file.

    Raises NotFound for the model and for a kind that its task does not have, Conflict where that program cannot be given
    other weights than the initial ones.
    """
    model = await find(session, tenant, model_id)
    task = await tasks.find(session, tenant, model.task_id, whole=True)
    assert task is not None  # a foreign key
    name = f"{task.name}-{task.version}-{model.version}-{kind}.tflite"
    if kind not in task.inference:
        has = ", ".join(sorted(task.inference)) or "none"
        raise NotFound(f"task {task.name} has no inference program {kind!r}; it has {has}")
    tflite = await _bytes(session, store, tenant, task.inference[kind])
    if model.model_sha256 != task.weights:
        if kind not in task.grafts:
            raise Conflict(
                f"the inference program {kind!r} of task {task.name} holds the initial weights in a form that others "
                "cannot take: author the task with another kind"
            )
        weights = await _bytes(session, store, tenant, model.model_sha256)
        tflite = await asyncio.to_thread(_graft, task, kind, tflite, weights)
    return Content(tenant, sha256(tflite).hexdigest(), len(tflite), tflite, store), name


def _graft(task: Task, kind: str, tflite: bytes, weights: bytes) -> bytes:
    places = tuple(Graft(tensor, offset, tuple(axes)) for tensor, offset, axes in task.grafts[kind])
    layout = msgspec.convert(task.manifest["layout"], Layout)
    try:
        return graft.apply(tflite, places, layout, weights)
    except PeerFault as fault:  # the bundle was checked when it came: the version's weights are of another layout
        raise Conflict(f"the model's weights do not fit its task: {fault}") from None


async def _bytes(session: ReadSession, store: BlobStore, tenant: str, digest: str) -> bytes:
    found = await blobs.get(session, store, tenant, digest)
    if found is None:
        raise NotFound(f"the blob {digest} is gone")
    return found
