"""The cloud on both databases: every test that asks for one runs on SQLite and on PostgreSQL."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from folkmoot_cloud.database import Database
from folkmoot_cloud.migrations import upgrade
from folkmoot_cloud.settings import Settings, Storage, Tokens
from folkmoot_cloud.tables import Base
from tests.kit import cloud as kit
from tests.kit.cloud import Cloud
from tests.kit.postgres import Cluster


@dataclass(frozen=True)
class Source:
    """Two databases with the tables: one that tests share, one after the other, and one to be copied."""

    cluster: Cluster
    shared: str
    template: str


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives a file with the tables, to be copied."""
    file = tmp_path_factory.mktemp("template") / "cloud.sqlite"

    async def make() -> None:
        database = Database(f"sqlite:///{file}")
        await upgrade(database)
        await database.close()  # the last connection writes the log back into the file

    asyncio.run(make())
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres: Cluster) -> Source:
    """Gives the databases of a test run."""

    async def make() -> Source:
        template = await postgres.create()
        database = Database(postgres.url(template))
        await upgrade(database)
        await database.close()
        return Source(postgres, await postgres.create(template), template)

    return asyncio.run(make())


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def origin(request: pytest.FixtureRequest) -> Path | Source:
    """Gives what the test's database is a copy of."""
    found: Path | Source = request.getfixturevalue(f"{request.param}_template")
    return found


@pytest_asyncio.fixture
async def url(origin: Path | Source, tmp_path: Path) -> AsyncIterator[str]:
    """Gives a migrated database of the test's own."""
    if isinstance(origin, Path):
        file = tmp_path / "cloud.sqlite"
        shutil.copy(origin, file)
        yield f"sqlite:///{file}"
        return
    yield origin.cluster.url(origin.shared)
    # Emptied, not dropped: making a database costs more than most tests.
    tables = [f'DELETE FROM "{table.name}"' for table in reversed(Base.metadata.sorted_tables)]
    await origin.cluster.run("; ".join(["SET lock_timeout = '5s'", *tables]), origin.shared)


@pytest.fixture
def settings(url: str, tmp_path: Path) -> Settings:
    """Gives settings on that database."""
    return Settings(data=tmp_path / "data", database=Storage(url=url), tokens=Tokens(bootstrap_file=tmp_path / "token"))


@pytest_asyncio.fixture
async def cloud(settings: Settings) -> AsyncIterator[Cloud]:
    """Gives the application, running."""
    async with kit.running(settings) as found:
        yield found


@pytest_asyncio.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """Gives the database without the application."""
    found = Database(url)
    yield found
    await found.close()
