"""INSERT that minds a row that is there already: the one statement that the databases' dialects make differently.

Statements are made once for each table and set of columns: making one costs as much as executing it.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import CursorResult
from sqlalchemy.dialects import postgresql, sqlite

from folkmoot_cloud.database import Session
from folkmoot_cloud.tables import Base

Row = Mapping[str, Any]


async def insert(session: Session, table: type[Base], rows: Sequence[Row]) -> None:
    """Inserts rows that all have the same columns; one with the key of another is an IntegrityError."""
    if rows:
        await session.execute(_plain(session.get_bind().dialect.name, table), [dict(row) for row in rows])


async def insert_new(session: Session, table: type[Base], row: Row) -> bool:
    """Inserts a row; says whether it is new. One with the same key is left as it is."""
    done = await session.execute(_new(session.get_bind().dialect.name, table), dict(row))
    return cast(CursorResult[Any], done).rowcount == 1


async def upsert(session: Session, table: type[Base], rows: Sequence[Row], keep: Sequence[str] = ()) -> None:
    """Inserts rows that all have the same columns; where one is there, updates all its columns but the key and `keep`."""
    if rows:
        statement = _newest(session.get_bind().dialect.name, table, tuple(rows[0]), tuple(keep))
        await session.execute(statement, [dict(row) for row in rows])


@cache
def _plain(dialect: str, table: type[Base]) -> Any:
    return (sqlite if dialect == "sqlite" else postgresql).insert(table.__table__)


@cache
def _new(dialect: str, table: type[Base]) -> Any:
    return _plain(dialect, table).on_conflict_do_nothing()


@cache
def _newest(dialect: str, table: type[Base], columns: tuple[str, ...], keep: tuple[str, ...]) -> Any:
    statement = _plain(dialect, table)
    key = [column.name for column in table.__table__.columns if column.primary_key]
    fresh = {name: statement.excluded[name] for name in columns if name not in key and name not in keep}
    return statement.on_conflict_do_update(index_elements=key, set_=fresh)
