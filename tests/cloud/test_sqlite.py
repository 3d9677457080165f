"""Connections to SQLite: how often a statement goes to the thread, and what comes back."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from folkmoot_cloud.sqlite import Connection, connect


class Counted(Connection):
    """A connection that counts what goes to its thread."""

    ways = 0

    async def _execute(self, call: Callable[..., Any], *given: Any, **named: Any) -> Any:
        self.ways += 1
        return await super()._execute(call, *given, **named)  # type: ignore[no-untyped-call]


@pytest_asyncio.fixture
async def connection(tmp_path: Path) -> AsyncIterator[Counted]:
    """Gives a connection to a database with one table."""
    made = connect(str(tmp_path / "rows.sqlite"), isolation_level=None)
    made.__class__ = Counted
    async with made as found:
        assert isinstance(found, Counted)
        await found.cursor().execute("CREATE TABLE row (number INTEGER PRIMARY KEY, word TEXT UNIQUE)")
        found.ways = 0
        yield found


async def test_a_statement_is_one_way_and_its_rows_come_once(connection: Counted) -> None:
    cursor = await connection.cursor().__aenter__()  # as SQLAlchemy does
    await cursor.executemany("INSERT INTO row (word) VALUES (?)", [("a",), ("b",)])
    assert (cursor.rowcount, cursor.description, await cursor.fetchall()) == (2, None, [])
    await cursor.execute("SELECT word FROM row ORDER BY number")
    assert cursor.description[0][0] == "word"
    assert [await cursor.fetchall() for _ in range(2)] == [[("a",), ("b",)], []]
    await cursor.close()
    assert connection.ways == 2


async def test_what_sqlite_refuses_is_raised_and_the_connection_goes_on(connection: Counted) -> None:
    cursor = connection.cursor()
    await cursor.execute("INSERT INTO row (word) VALUES (?)", ("a",))
    with pytest.raises(sqlite3.IntegrityError):
        await cursor.execute("INSERT INTO row (word) VALUES (?)", ("a",))
    await cursor.execute("INSERT INTO row (word) VALUES (?)", ("b",))
    assert cursor.lastrowid == 2


async def test_only_a_transaction_is_rolled_back(connection: Counted) -> None:
    await connection.rollback()
    assert connection.ways == 0
    cursor = connection.cursor()
    await cursor.execute("BEGIN IMMEDIATE")
    await cursor.execute("INSERT INTO row (word) VALUES ('a')")
    await connection.rollback()
    await cursor.execute("SELECT count(*) FROM row")
    assert await cursor.fetchall() == [(0,)]
