"""Queries about model versions and their promotions."""

from datetime import datetime

from sqlalchemy import select, update

from folkmoot import ids
from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.pages import Rows, Window, page
from folkmoot_cloud.tables import Evaluation, Model, Promotion, Task


async def add(
    session: Session,
    tenant: str,
    *,
    task_id: str,
    run_id: str | None,
    version: int,
    parent: str | None,
    weights: str,
    size: int,
    at: datetime,
    state: str | None = None,
) -> Model:
    """Stores a version and gives it: `weights` and `state` are the digests of blobs, `parent` the model it was learnt from.

    A version never changes, and a run has each version once: adding it twice is an IntegrityError.
    """
    model = Model(
        tenant=tenant,
        id=ids.text(ids.fresh()),
        task_id=task_id,
        run_id=run_id,
        version=version,
        parent=parent,
        model_sha256=weights,
        size=size,
        state=state,
        created_at=at,
    )
    session.add(model)
    await session.flush()
    return model


async def listing(
    session: ReadSession,
    tenant: str,
    window: Window,
    *,
    task_id: str | None = None,
    run_id: str | None = None,
    promoted: bool | None = None,
) -> Rows[Model]:
    """Gives a page of the versions, newest first; only those of a task, of a run, or promoted ones."""
    rows = select(Model).where(Model.tenant == tenant)
    for column, value in ((Model.task_id, task_id), (Model.run_id, run_id), (Model.promoted, promoted)):
        if value is not None:
            rows = rows.where(column == value)
    return await page(session, rows, window, Model.created_at, Model.id, newest_first=True)


async def find(session: ReadSession, tenant: str, model_id: str) -> Model | None:
    """Gives a version."""
    return await session.get(Model, (tenant, model_id))


async def digests(session: ReadSession, tenant: str, run_id: str) -> dict[int, str]:
    """Gives the sha256 of the weights of every version that a run has learnt, by version."""
    wanted = select(Model.version, Model.model_sha256).where(Model.tenant == tenant, Model.run_id == run_id)
    return {row.version: row.model_sha256 for row in await session.execute(wanted)}


async def initial(session: ReadSession, tenant: str, task_id: str) -> Model:
    """Gives what came with the task."""
    wanted = select(Model).where(Model.tenant == tenant, Model.task_id == task_id, Model.run_id.is_(None), Model.version == 0)
    return (await session.scalars(wanted)).one()


async def evaluation(session: ReadSession, model: Model) -> Evaluation | None:
    """Gives how good a version was in its run; None before it was evaluated."""
    if model.run_id is None:
        return None
    return await session.get(Evaluation, (model.tenant, model.run_id, model.version))


async def evaluations(session: ReadSession, models: list[Model]) -> dict[str, Evaluation]:
    """Gives how good these versions were in their runs, by model id."""
    same = (Evaluation.tenant == Model.tenant) & (Evaluation.run_id == Model.run_id) & (Evaluation.version == Model.version)
    wanted = select(Model.id, Evaluation).join(Evaluation, same).where(Model.id.in_([model.id for model in models]))
    wanted = wanted.where(Model.tenant.in_({model.tenant for model in models}))
    return {row.id: row.Evaluation for row in await session.execute(wanted)}


async def lock(session: Session, tenant: str, task_id: str) -> None:
    """Holds off everybody else who promotes a version of this task until the commit."""
    await session.execute(select(Task.id).where(Task.tenant == tenant, Task.id == task_id).with_for_update(key_share=True))


async def promotions(session: ReadSession, tenant: str, task_id: str, most: int) -> list[Promotion]:
    """Gives the newest promotions that are not undone, newest first: the first one holds."""
    wanted = select(Promotion).where(Promotion.tenant == tenant, Promotion.task_id == task_id, Promotion.undone_at.is_(None))
    return list(await session.scalars(wanted.order_by(Promotion.sequence.desc()).limit(most)))


async def promote(session: Session, model: Model, at: datetime) -> None:
    """Makes a version the promoted one of its task."""
    mine = (Promotion.tenant == model.tenant) & (Promotion.task_id == model.task_id) & Promotion.holds
    await session.execute(update(Promotion).where(mine).values(holds=False))
    session.add(Promotion(tenant=model.tenant, task_id=model.task_id, model_id=model.id, at=at, undone_at=None, holds=True))
    await session.flush()


async def undo(session: Session, newest: Promotion, before: Promotion, at: datetime) -> None:
    """Takes a promotion back: the one before it holds again."""
    newest.undone_at, newest.holds = at, False
    await session.flush()
    before.holds = True
    await session.flush()
