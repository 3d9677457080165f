"""The database: one engine, transactions to read and to write in, and what happens around a commit.

SQLite and PostgreSQL behave alike here: a writing transaction either has all of its effects durably or none, and whoever waits
for events is woken only once they are readable. Sessions are made here alone and committed here alone.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NewType

from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from folkmoot.errors import StoreFault, UserFault
from folkmoot_cloud import sqlite
from folkmoot_cloud.bell import Bell

# A session that reads, and one that may also write: a read path that writes is a type error.
ReadSession = NewType("ReadSession", AsyncSession)
Session = NewType("Session", ReadSession)

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
# Seconds that a writer waits for another process (a backup) before SQLite says "locked". Writers of this process never meet:
# they queue at `_turn`, because SQLite's own waiting sleeps up to 100 ms a time. PostgreSQL has as long to take a connection.
BUSY = 10
# Connections: readers and writers of some dozens of requests. Each waits for the disk, not for the processor.
POOL = 10


def url_of(text: str) -> URL:
    """Gives the URL with its asynchronous driver.

    Raises UserFault for anything but SQLite and PostgreSQL.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise UserFault(f"database.url is no URL: write sqlite:///path or postgresql://user@host/name, not {text!r}") from None
    driver = _DRIVERS.get(url.drivername.partition("+")[0])
    if driver is None:
        raise UserFault(f"database.url must begin with sqlite:// or postgresql://, not {url.drivername}://")
    if driver.startswith("sqlite") and url.database in (None, "", ":memory:"):
        raise UserFault("database.url names no file: write sqlite:///path, with a fourth slash where the path is absolute")
    return url.set(drivername=driver)


class Database:
    """One database, open."""

    def __init__(self, url: str) -> None:
        """Prepares the engine; nothing is connected yet. Raises UserFault for a URL that cannot be."""
        self.url = url_of(url)
        self.sqlite = self.url.drivername.startswith("sqlite")
        self.bell = Bell()  # rings when a commit has brought events
        # For SQLite the wait for a lock, for PostgreSQL the wait for a connection.
        arguments: dict[str, Any] = {"timeout": BUSY}
        if self.sqlite:
            arguments["async_creator_fn"] = sqlite.connect
        self.engine: AsyncEngine = create_async_engine(
            self.url, pool_size=POOL, max_overflow=2 * POOL, pool_pre_ping=not self.sqlite, connect_args=arguments
        )
        if self.sqlite:
            event.listen(self.engine.sync_engine, "connect", _connected)
        event.listen(self.engine.sync_engine, "begin", _begun_sqlite if self.sqlite else _begun_postgres)
        self._turn = asyncio.Lock()
        self._sessions = {
            mode: async_sessionmaker(self.engine.execution_options(mode=mode), expire_on_commit=False)
            for mode in ("read", "soft", "firm")
        }

    def touch(self) -> None:
        """Makes SQLite's file where it is not there yet. Raises OSError, which says why better than the driver would."""
        if self.sqlite and self.url.database is not None:
            file = Path(self.url.database)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """Gives a session that reads: one consistent view in SQLite, the newest commit at each query in PostgreSQL.

        Raises StoreFault where the database is away.
        """
        async with self._sessions["read"]() as session:
            await _connect(session)
            yield ReadSession(session)

    @asynccontextmanager
    async def write(self, firm: bool = True) -> AsyncIterator[Session]:
        """Gives a session that commits when the block ends and rolls back when it raises.

        Firm: on the disk when the block has ended. Otherwise a power cut (not a crash of this process) may take back the last
        moments, which is enough for what nobody has been told `ok` for. Raises StoreFault where the database is away.
        """
        async with AsyncExitStack() as stack:
            if self.sqlite:
                await stack.enter_async_context(self._turn)
            made = await stack.enter_async_context(self._sessions["firm" if firm else "soft"].begin())
            await _connect(made)
            session = Session(ReadSession(made))
            yield session
            for before in session.info.get("before", ()):
                await before(session)
        for after in session.info.get("after", ()):
            after()
        if session.info.get("rings"):
            self.bell.ring()

    async def check(self) -> None:
        """Does nothing where the database answers; raises what the driver raises where it does not."""
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Closes every connection."""
        await self.engine.dispose()


async def _connect(session: AsyncSession) -> None:
    """Has the session take its connection now: what fails here is the database being away, whatever the driver calls it."""
    try:
        await session.connection()
    except Exception as error:  # drivers raise their own kinds, the system OSError
        raise StoreFault(f"the database is away: {str(error).partition(chr(10))[0]}") from error


def before_commit(session: Session, call: Callable[[Session], Awaitable[None]]) -> None:
    """Has `call` done as the last thing in the transaction; the same function only once."""
    calls = session.info.setdefault("before", [])
    if call not in calls:
        calls.append(call)


def after_commit(session: Session, call: Callable[[], None]) -> None:
    """Has `call` done once the commit is durable, and never if it fails."""
    session.info.setdefault("after", []).append(call)


def ring(session: Session) -> None:
    """Wakes the listeners of the events once the commit is durable."""
    session.info["rings"] = True


def _connected(connection: Any, record: Any) -> None:
    """SQLite: durable, readers beside the one writer, foreign keys checked; BEGIN is ours, not the driver's."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    record.info["synchronous"] = "FULL"


def _begun_sqlite(connection: Connection) -> None:
    mode = connection.get_execution_options().get("mode", "firm")
    if mode == "read":
        connection.exec_driver_sql("BEGIN")
        return
    wanted = "NORMAL" if mode == "soft" else "FULL"
    if connection.info.get("synchronous") != wanted:
        connection.exec_driver_sql(f"PRAGMA synchronous = {wanted}")
        connection.info["synchronous"] = wanted
    # A deferred transaction that reads first and writes then can fail half way; this one cannot.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begun_postgres(connection: Connection) -> None:
    if connection.get_execution_options().get("mode") == "soft":
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
