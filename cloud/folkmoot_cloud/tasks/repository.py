"""Queries about tasks."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import undefer

from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.pages import Rows, Window, page
from folkmoot_cloud.statements import insert_new
from folkmoot_cloud.tables import Task


async def listing(session: ReadSession, tenant: str, window: Window, name: str | None = None) -> Rows[Task]:
    """Gives a page of the tasks, newest first; only those called `name` where it is given."""
    rows = select(Task).where(Task.tenant == tenant)
    if name is not None:
        rows = rows.where(Task.name == name)
    return await page(session, rows, window, Task.created_at, Task.id, newest_first=True)


async def find(session: ReadSession, tenant: str, task: str, *, whole: bool = False) -> Task | None:
    """Gives the task with this id, or else the newest one with this name; `whole`: with its manifest and grafts."""
    wanted = select(Task).where(Task.tenant == tenant, (Task.id == task) | (Task.name == task))
    if whole:
        wanted = wanted.options(undefer(Task.manifest), undefer(Task.grafts))
    return (await session.scalars(wanted.order_by((Task.id == task).desc(), Task.created_at.desc()).limit(1))).first()


async def same(session: ReadSession, tenant: str, digest: str) -> Task | None:
    """Gives the task that was uploaded as these bytes."""
    return (await session.scalars(select(Task).where(Task.tenant == tenant, Task.digest == digest))).one_or_none()


async def add(session: Session, row: Mapping[str, Any]) -> bool:
    """Stores a new task; says False where somebody else uploaded the same bytes meanwhile."""
    return await insert_new(session, Task, row)
