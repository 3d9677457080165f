"""INSERT that minds a row that is there already: the one statement that the databases' dialects make differently."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite

from folkmoot_cloud.database import Session
from folkmoot_cloud.tables import Base


async def insert_new(session: Session, table: type[Base], row: Mapping[str, Any]) -> bool:
    """Inserts a row; says whether it is new. One with the same key is left as it is."""
    statement = _insert(session)(table.__table__).values(row).on_conflict_do_nothing()
    # What comes back tells it for certain; some drivers do not count the rows of such a statement.
    return (await session.execute(statement.returning(*_key(table)))).first() is not None


async def upsert(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]], keep: Sequence[str] = ()) -> None:
    """Inserts rows that all have the same columns; where one is there, updates all its columns but the key and `keep`."""
    if not rows:
        return
    key = [column.name for column in _key(table)]
    statement = _insert(session)(table.__table__)
    fresh = {name: statement.excluded[name] for name in rows[0] if name not in key and name not in keep}
    await session.execute(statement.on_conflict_do_update(index_elements=key, set_=fresh), [dict(row) for row in rows])


def _key(table: type[Base]) -> list[Any]:
    return [column for column in table.__table__.columns if column.primary_key]


def _insert(session: Session) -> Any:
    return sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
