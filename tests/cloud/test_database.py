import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from folkmoot.errors import UserFault
from folkmoot_cloud.clock import now
from folkmoot_cloud.database import Database, Session, after_commit, before_commit, ring, url_of
from folkmoot_cloud.tables import Tenant
from folkmoot_cloud.tenants import repository as tenants


async def names(database: Database) -> list[str]:
    async with database.read() as session:
        return sorted(await session.scalars(select(Tenant.id)))


async def test_a_write_is_there_when_its_block_has_ended(database: Database) -> None:
    async with database.write() as session:
        await tenants.ensure(session, "one", now())
    assert await names(database) == ["one"]


async def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.write() as session:
            await tenants.ensure(session, "one", now())
            raise ZeroDivisionError
    assert await names(database) == []


async def test_what_follows_a_commit_happens_after_it_and_only_then(database: Database) -> None:
    seen: list[str] = []

    async def last(session: Session) -> None:
        seen.append("before")

    async with database.write() as session:
        after_commit(session, lambda: seen.append("after"))
        before_commit(session, last)
        before_commit(session, last)
        seen.append("body")
    assert seen == ["body", "before", "after"]
    with pytest.raises(ZeroDivisionError):
        async with database.write() as session:
            after_commit(session, lambda: seen.append("never"))
            raise ZeroDivisionError
    assert seen == ["body", "before", "after"]


async def test_what_fails_last_thing_in_the_transaction_takes_all_of_it_back(database: Database) -> None:
    async def fails(session: Session) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with database.write() as session:
            await tenants.ensure(session, "one", now())
            before_commit(session, fails)
    assert await names(database) == []


async def test_the_bell_rings_for_commits_that_say_so(database: Database) -> None:
    ticket = database.bell.ticket()
    async with database.write() as session:
        await tenants.ensure(session, "one", now())
    assert not ticket.is_set()
    async with database.write() as session:
        ring(session)
        assert not ticket.is_set()
    assert ticket.is_set()


async def test_many_writers_at_once_all_succeed(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.write(firm=number % 2 == 0) as session:
            await session.scalars(select(Tenant))  # reads first: a deferred transaction would fail to become a writer
            await tenants.ensure(session, f"t{number}", now())

    await asyncio.gather(*(write(number) for number in range(40)))
    assert len(await names(database)) == 40


async def test_readers_are_not_held_up_by_a_writer(database: Database) -> None:
    async with database.write() as session:
        await tenants.ensure(session, "one", now())
        assert await names(database) == []


async def test_foreign_keys_hold(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.write() as session:
            await session.execute(text("INSERT INTO tokens VALUES ('nobody', 'x', 'x', '', '[]', 0, NULL)"))


async def test_sqlite_is_durable_where_it_is_to_be(sqlite_template: Path) -> None:
    database = Database(f"sqlite:///{sqlite_template}")
    level = {}
    for firm in (True, False, True):
        async with database.write(firm=firm) as session:
            level[firm] = await session.scalar(text("PRAGMA synchronous"))
            assert await session.scalar(text("PRAGMA journal_mode")) == "wal"
    await database.close()
    assert level == {True: 2, False: 1}  # FULL, NORMAL


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("nonsense", "database.url is no URL: write sqlite:///path"),
        ("mysql://host/name", "must begin with sqlite:// or postgresql://, not mysql://"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_a_url_that_cannot_be_is_one_sentence(given: str, sentence: str) -> None:
    with pytest.raises(UserFault) as caught:
        url_of(given)
    assert sentence in str(caught.value)


def test_the_drivers_are_filled_in() -> None:
    assert url_of("sqlite:////a/b.sqlite").drivername == "sqlite+aiosqlite"
    assert url_of("postgres://u@h/n").drivername == "postgresql+asyncpg"
    assert url_of("postgresql+psycopg://u@h/n").drivername == "postgresql+asyncpg"
