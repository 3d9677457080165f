"""Queries about runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.pages import Rows, Window, page
from folkmoot_cloud.tables import Evaluation, Run


async def add(session: Session, run: Run) -> None:
    """Stores a new run."""
    session.add(run)
    await session.flush()


async def listing(
    session: ReadSession, tenant: str, window: Window, *, status: str | None = None, task_id: str | None = None
) -> Rows[Run]:
    """Gives a page of the runs with their tasks, newest first."""
    rows = select(Run).where(Run.tenant == tenant).options(joinedload(Run.task))
    for column, value in ((Run.status, status), (Run.task_id, task_id)):
        if value is not None:
            rows = rows.where(column == value)
    return await page(session, rows, window, Run.created_at, Run.id, newest_first=True)


async def find(session: ReadSession, tenant: str, run_id: str) -> Run | None:
    """Gives a run with its task."""
    held = _held(session, tenant, run_id)
    if held is not None:
        return held
    wanted = select(Run).where(Run.tenant == tenant, Run.id == run_id).options(joinedload(Run.task))
    return (await session.scalars(wanted)).one_or_none()


async def locked(session: Session, tenant: str, run_id: str) -> Run | None:
    """Gives a run with its task, as it is now, and holds off everybody else who wants to change it until the commit."""
    held = _held(session, tenant, run_id)
    if held is not None:
        return held
    wanted = select(Run).where(Run.tenant == tenant, Run.id == run_id).options(joinedload(Run.task))
    # key_share: whoever only refers to the run (a round, a member) is not held off. Otherwise the runner, which inserts such
    # rows first and locks the run then, and an operator's wish in between are a deadlock in PostgreSQL.
    wanted = wanted.with_for_update(of=Run, key_share=True).execution_options(populate_existing=True)
    found = (await session.scalars(wanted)).one_or_none()
    if found is not None:
        session.info.setdefault("runs", {})[tenant, run_id] = found
    return found


def _held(session: ReadSession, tenant: str, run_id: str) -> Run | None:
    """Gives a run that this transaction has locked: nobody else can have changed it since."""
    found: Run | None = session.info.get("runs", {}).get((tenant, run_id))
    return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """What operators want of a run."""

    id: str
    desired: str
    rounds: int


async def unfinished(session: ReadSession, tenant: str) -> list[Wanted]:
    """Gives the runs that are not finished, oldest first. Every replica asks every second: it gets no more than it needs."""
    wanted = select(Run.id, Run.desired, Run.rounds).where(Run.tenant == tenant, Run.status != "finished")
    found = await session.execute(wanted.order_by(Run.created_at, Run.id))
    return [Wanted(row.id, row.desired, row.rounds) for row in found]


async def evaluations(session: ReadSession, tenant: str, runs: Sequence[str]) -> dict[tuple[str, bool], Evaluation]:
    """Gives how good these runs were when they began (run, False) and are now (run, True)."""
    newest = (
        select(Evaluation.run_id, func.max(Evaluation.version).label("version"))
        .where(Evaluation.tenant == tenant, Evaluation.run_id.in_(runs))
        .group_by(Evaluation.run_id)
        .subquery()
    )
    wanted = (
        select(Evaluation)
        .join(newest, Evaluation.run_id == newest.c.run_id)
        .where(Evaluation.tenant == tenant, (Evaluation.version == newest.c.version) | (Evaluation.version == 0))
    )
    found: dict[tuple[str, bool], Evaluation] = {}
    for row in await session.scalars(wanted):
        found[row.run_id, row.version > 0] = row
    return found
