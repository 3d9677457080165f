"""SQLite for the cloud: a statement is one way to the connection's thread and back.

With aiosqlite it is four, for the cursor, the statement, its rows, and the cursor's end; and every session ends with two more,
for a rollback of nothing. Of 60 statements in a round, most of the time was spent on these.
"""

import sqlite3
from collections.abc import Iterable
from functools import partial
from typing import Any, Self

import aiosqlite

Found = tuple[list[Any], Any, int | None, int]
"""Rows, description, id of the last row, number of rows: what a cursor says of a statement."""


class Cursor:
    """What SQLAlchemy wants of a cursor: all rows are here when the statement is done."""

    arraysize = 1

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.lastrowid: int | None = None
        self.rowcount = -1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Iterable[Any] = ()) -> None:
        """Executes a statement. Raises sqlite3.Error."""
        await self._do("execute", sql, parameters)

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> None:
        """Executes a statement for each set of parameters. Raises sqlite3.Error."""
        await self._do("executemany", sql, parameters)

    async def fetchall(self) -> list[Any]:
        """Gives the rows, once."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Does nothing: SQLite's own cursor is closed already."""

    async def _do(self, method: str, sql: str, parameters: Iterable[Any]) -> None:
        found = await self._connection.done(method, sql, parameters)
        self._rows, self.description, self.lastrowid, self.rowcount = found


class Connection(aiosqlite.Connection):
    """A connection whose cursors are those above."""

    def cursor(self) -> Cursor:  # type: ignore[override]
        """Gives a cursor; nothing is done for it yet."""
        return Cursor(self)

    async def done(self, method: str, sql: str, parameters: Iterable[Any]) -> Found:
        """Executes a statement on the connection's thread. Raises sqlite3.Error."""
        found: Found = await self._execute(_done, self._conn, method, sql, parameters)  # type: ignore[no-untyped-call]
        return found

    async def rollback(self) -> None:
        """Rolls back, where there is a transaction."""
        if self._conn.in_transaction:
            await super().rollback()


def connect(database: str, **options: Any) -> Connection:
    """Gives a connection that is to be awaited, as aiosqlite.connect does; `options`: of sqlite3.connect."""
    connection = Connection(partial(sqlite3.connect, database, **options), iter_chunk_size=64)
    thread: Any = getattr(connection, "_thread", connection)  # before 0.22 it is a thread, since then it has one
    thread.daemon = True
    return connection


def _done(connection: sqlite3.Connection, method: str, sql: str, parameters: Iterable[Any]) -> Found:
    cursor = connection.cursor()
    try:
        getattr(cursor, method)(sql, parameters)
        rows = cursor.fetchall() if cursor.description is not None else []
        return rows, cursor.description, cursor.lastrowid, cursor.rowcount
    finally:
        cursor.close()
