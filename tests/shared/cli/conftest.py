"""A whole federation of real processes, once for all tests that ask it something."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from folkmoot_cli.demo.federation import Federation
from folkmoot_cli.demo.plan import Plan
from tests.kit.command import Command


@dataclass(frozen=True)
class Village:
    """Two homes with a device each, and the cloud that knows them."""

    url: str
    token_file: Path


async def _begin(folder: Path) -> Federation:
    federation = await Federation(Plan(gateways=2, devices=2), folder).__aenter__()
    try:
        async with federation.api() as cloud:
            await federation.gather(cloud)
    except BaseException:
        await federation.stop()
        raise
    return federation


@pytest.fixture(scope="session")
def running_village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    """Gives the federation; it runs until the last test."""
    folder = tmp_path_factory.mktemp("village")
    with asyncio.Runner() as runner:
        federation = runner.run(_begin(folder))
        yield Village(federation.url, folder / "cloud" / "token")
        runner.run(federation.stop())


@pytest.fixture
def village(running_village: Village, monkeypatch: pytest.MonkeyPatch) -> Village:
    """Gives the federation, with its address and token in the environment."""
    monkeypatch.setenv("FOLKMOOT_URL", running_village.url)
    monkeypatch.setenv("FOLKMOOT_TOKEN_FILE", str(running_village.token_file))
    return running_village


@pytest.fixture
def learnt(village: Village, folkmoot: Command) -> str:
    """Gives the id of a run of two rounds that is over."""
    assert folkmoot("task", "publish", "digits-mlp").code == 0
    said = folkmoot("run", "start", "--task", "digits-mlp", "--rounds", 2, "--watch", "--json")
    assert said.code == 0, said.err
    return str(said.lines[-1]["id"])
