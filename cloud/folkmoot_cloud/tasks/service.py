"""Tasks: bundles that were uploaded, each with version 0 of its model."""

from datetime import datetime
from typing import Any

from folkmoot import ids
from folkmoot_cloud.blobs import repository as blobs
from folkmoot_cloud.blobs.store import BlobStore
from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.events import repository as events
from folkmoot_cloud.faults import NotFound
from folkmoot_cloud.models import repository as models
from folkmoot_cloud.tables import Task
from folkmoot_cloud.tasks import repository
from folkmoot_cloud.tasks.parcel import Parcel


async def show(session: ReadSession, tenant: str, task: str, *, whole: bool = False) -> Task:
    """Gives the task with this id, or the newest one with this name. Raises NotFound."""
    found = await repository.find(session, tenant, task, whole=whole)
    if found is None:
        raise NotFound(f"there is no task {task}: upload its bundle first")
    return found


async def publish(session: Session, store: BlobStore, tenant: str, parcel: Parcel, at: datetime) -> tuple[Task, bool]:
    """Gives the task that these bytes are, and whether it is new."""
    known = await repository.same(session, tenant, parcel.digest)
    if known is not None:
        return known, False
    opened = parcel.bundle
    program = await blobs.put(session, store, tenant, opened.program, at)
    weights = await blobs.put(session, store, tenant, opened.weights, at)
    inference = {kind: await blobs.put(session, store, tenant, tflite, at) for kind, tflite in sorted(opened.inference.items())}
    row = _row(parcel, tenant, at) | {"program": program, "weights": weights, "inference": inference}
    if not await repository.add(session, row):  # somebody uploaded the same at the same time, and was first
        return await show_same(session, tenant, parcel.digest), False
    await models.add(
        session,
        tenant,
        task_id=row["id"],
        run_id=None,
        version=0,
        parent=None,
        weights=weights,
        size=len(opened.weights),
        at=at,
    )
    events.append(session, tenant, "task.created", at, {"task": row["id"], "name": row["name"], "version": row["version"]})
    return await show(session, tenant, row["id"]), True


async def show_same(session: ReadSession, tenant: str, digest: str) -> Task:
    """Gives the task that was uploaded as these bytes. Raises NotFound."""
    found = await repository.same(session, tenant, digest)
    if found is None:
        raise NotFound(f"there is no task with the digest {digest}")
    return found


def _row(parcel: Parcel, tenant: str, at: datetime) -> dict[str, Any]:
    manifest = parcel.manifest
    grafts = {kind: [[one.tensor, one.offset, list(one.axes)] for one in places] for kind, places in parcel.grafts.items()}
    return {
        "tenant": tenant,
        "id": ids.text(ids.fresh()),
        "name": manifest.task,
        "version": manifest.version,
        "title": manifest.title,
        "digest": parcel.digest,
        "program_size": len(parcel.bundle.program),
        "weights_size": len(parcel.bundle.weights),
        "parameters": manifest.parameters,
        "contract": manifest.contract.name,
        "grafts": grafts,
        "manifest": parcel.described,
        "created_at": at,
    }
