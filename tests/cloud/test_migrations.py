import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from folkmoot.errors import UserFault
from folkmoot_cloud import migrations
from folkmoot_cloud.database import Database
from folkmoot_cloud.tables import Base
from tests.cloud.conftest import Source


@pytest_asyncio.fixture
async def empty(origin: Path | Source) -> AsyncIterator[str]:
    """Gives an empty database."""
    if isinstance(origin, Path):
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/empty.sqlite"
        return
    name = await origin.cluster.create()
    yield origin.cluster.url(name)
    await origin.cluster.drop(name)


async def differences(database: Database) -> list[object]:
    def compare(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata))

    async with database.engine.connect() as connection:
        return await connection.run_sync(compare)


async def test_an_empty_database_gets_all_tables_and_needs_nothing_the_second_time(empty: str) -> None:
    database = Database(empty)
    await migrations.upgrade(database)
    await migrations.upgrade(database)
    async with database.engine.connect() as connection:
        found = await connection.run_sync(lambda held: set(inspect(held).get_table_names()))
    await database.close()
    assert found == {*Base.metadata.tables, "alembic_version"}


async def test_the_migrations_and_the_tables_say_the_same(url: str) -> None:
    database = Database(url)
    assert await differences(database) == []
    await database.close()


async def test_replicas_that_start_at_once_do_not_disturb_one_another(empty: str) -> None:
    replicas = [Database(empty) for _ in range(4)]
    await asyncio.gather(*(migrations.upgrade(replica) for replica in replicas))
    assert await differences(replicas[0]) == []
    for replica in replicas:
        await replica.close()


OLD = """
INSERT INTO tenants (id, name, created_at) VALUES ('main', 'main', 1);
INSERT INTO gateways (tenant, id, state, birth, hello, software, runtime, memory, features, max_packet, ready, why_not,
    first_seen, last_seen) VALUES ('main', 'g1', 'up', 1, '', '', '', 0, '[]', 1, true, '', 5, 77);
INSERT INTO devices (tenant, id, gateway, state, examples, software, runtime, memory, data, why_not, first_seen, last_seen)
    VALUES ('main', 'd1', 'g1', 'up', 3, '', '', 0, 'toy', '', 5, 78)
"""


async def test_a_fleet_that_was_there_before_its_presence_was_counted_is_counted_from_then_on(empty: str) -> None:
    database = Database(empty)
    async with database.engine.begin() as connection:
        await connection.run_sync(lambda held: command.upgrade(migrations.configuration(held), "0005"))
        for statement in OLD.split(";"):
            await connection.execute(text(statement))
    await migrations.upgrade(database)
    async with database.engine.connect() as connection:
        for table, seen in (("gateways", 77), ("devices", 78)):
            found = (await connection.execute(text(f"SELECT changed_at, up_ms, down_ms FROM {table}"))).all()
            assert [tuple(row) for row in found] == [(seen, 0, 0)]
    assert await differences(database) == []
    await database.close()


async def test_a_database_of_a_newer_program_is_left_alone(empty: str) -> None:
    database = Database(empty)
    await migrations.upgrade(database)
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UserFault, match=r"newer program \(revision 9999\): update folkmoot"):
        await migrations.upgrade(database)
    await database.close()


def test_the_migrations_are_one_line_of_ancestors() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert len(scripts.get_heads()) == 1
