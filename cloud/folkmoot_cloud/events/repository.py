"""Queries about events, and how they get their order: the order in which they become readable."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, text

from folkmoot_cloud.database import ReadSession, Session, before_commit, ring
from folkmoot_cloud.statements import insert
from folkmoot_cloud.tables import Event

# Any number that no other program on the server uses.
LOCK = 0x666F6C65


def append(
    session: Session, tenant: str, kind: str, at: datetime, content: Mapping[str, Any], run_id: str | None = None
) -> None:
    """Tells the listeners that something happened; they hear it if and when this transaction commits.

    `kind` is `noun.verb` (events/schemas.py lists them), `content` is JSON.
    """
    row = {"tenant": tenant, "kind": kind, "run_id": run_id, "content": dict(content), "at": at}
    session.info.setdefault("events", []).append(row)
    before_commit(session, _store)


async def _store(session: Session) -> None:
    """Numbers the events last thing before the commit.

    A listener resumes behind the last number that it saw. Numbers given earlier would let a slow transaction publish number 7
    after a fast one has published 8, and 7 would never be seen; so PostgreSQL's writers take turns for these few moments.
    """
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    await insert(session, Event, session.info["events"])
    ring(session)


async def after(
    session: ReadSession, tenant: str, sequence: int, limit: int, run_id: str | None = None, kinds: Sequence[str] = ()
) -> Sequence[Event]:
    """Gives the events behind `sequence`, oldest first."""
    wanted = select(Event).where(Event.tenant == tenant, Event.sequence > sequence)
    if run_id is not None:
        wanted = wanted.where(Event.run_id == run_id)
    if kinds:
        wanted = wanted.where(Event.kind.in_(kinds))
    return (await session.scalars(wanted.order_by(Event.sequence).limit(limit))).all()


async def last(session: ReadSession, tenant: str) -> int:
    """Gives the number of the newest event; 0 for none."""
    return (await session.scalar(select(func.max(Event.sequence)).where(Event.tenant == tenant))) or 0


async def forget(session: Session, before: datetime) -> None:
    """Drops what is older."""
    await session.execute(delete(Event).where(Event.at < before))
