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
from tests.kit import cloud as kit
from tests.kit.cloud import Cloud
from tests.kit.postgres import Cluster


@dataclass(frozen=True)
class Source:
    """A database in a cluster."""

    cluster: Cluster
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
    """Gives a database with the tables, to be copied."""

    async def make() -> str:
        name = await postgres.create()
        database = Database(postgres.url(name))
        await upgrade(database)
        await database.close()
        return name

    return Source(postgres, asyncio.run(make()))


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
    name = await origin.cluster.create(origin.template)
    yield origin.cluster.url(name)
    await origin.cluster.drop(name)


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
