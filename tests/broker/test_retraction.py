"""Devices are taken out of open rounds through the REST API, over real brokers, with real databases."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from folkmoot_cloud.clock import now
from folkmoot_cloud.contributions import repository as contributions
from folkmoot_cloud.tenants.service import MAIN
from tests.broker.test_round import EVERYBODY, HOMES, brokers, members
from tests.kit.federation import Federation
from tests.kit.postgres import Cluster
from tests.scenarios import oracle

OTHERS = [device for device in EVERYBODY if device != "a"]


async def waiting_for_e(federation: Federation, **fields: Any) -> str:
    """Gives a run whose first round has everybody's answer but that of e, which is held back."""
    await federation.up()
    federation.devices["e"].done.clear()
    run = await federation.launch(rounds=2, **fields)
    while (await gateways(federation, run)).get("g1") != "answered":
        await federation.event()
    return run


async def gateways(federation: Federation, run: str) -> dict[str, str]:
    """Gives what became of the gateways in the first round, as far as it is known; nothing before it is open."""
    answer = await federation.api.get(f"/v1/runs/{run}/rounds/1/members", params={"devices": False})
    return {one["gateway"]: one["fate"] for one in answer.json().get("items", ())}


async def models(federation: Federation, run: str) -> dict[int, str]:
    """Gives the sha256 of every version of a run."""
    found = (await federation.api.get("/v1/models", params={"run": run})).json()["items"]
    return {one["version"]: one["model_sha256"] for one in found}


async def reckoned(federation: Federation, run: str) -> dict[int, str]:
    """Gives what these must be, from who has answered according to the record."""
    rounds = []
    for number in (1, 2):
        leaves = [
            SimpleNamespace(device=name, fate="" if one["fate"] == "answered" else one["fate"])
            for name, one in (await members(federation, run, number)).items()
        ]
        found = (await federation.api.get(f"/v1/runs/{run}/rounds/{number}")).json()
        closed, sums = SimpleNamespace(outcome=found["outcome"]), SimpleNamespace(leaves=leaves)
        rounds.append(SimpleNamespace(number=number, closed=closed, sums=sums))
    return oracle.models(rounds, federation.parameters)  # type: ignore[arg-type]


async def laws(federation: Federation, run: str) -> None:
    """The run is complete; its first round is that of a run that has never asked a."""
    found = await federation.run(run)
    assert (found["outcome"], found["done"]) == ("completed", 2)
    first, second = [await members(federation, run, number) for number in (1, 2)]
    assert {name: one["fate"] for name, one in first.items()} == {"a": "retracted", **dict.fromkeys(OTHERS, "answered")}
    assert {name: one["fate"] for name, one in second.items()} == dict.fromkeys(EVERYBODY, "answered")
    learnt = await models(federation, run)
    assert learnt == await reckoned(federation, run)
    never = await federation.launch(rounds=1, cohort={"devices": OTHERS})
    await federation.run(never)
    assert (await models(federation, never))[1] == learnt[1]


@pytest.mark.broker
@pytest.mark.parametrize("parameters", [50, 60_000], ids=["inline", "chunked"])
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_what_a_device_gave_is_taken_back_before_the_round_closes(
    tmp_path: Path, parameters: int, database: str, request: pytest.FixtureRequest
) -> None:
    url = ""
    if database == "postgresql":
        cluster: Cluster = request.getfixturevalue("postgres")
        url = cluster.url(await cluster.create())
    with brokers("mosquitto", tmp_path) as (cloud, homes):
        async with Federation(tmp_path / "run", cloud, homes, HOMES, parameters=parameters, url=url) as federation:
            run = await waiting_for_e(federation)
            answer = await federation.api.delete("/v1/devices/a/contributions")
            assert (answer.status_code, answer.json()["rounds"][0]["run_id"]) == (202, run)
            while (await members(federation, run, 1))["a"]["fate"] != "retracted":
                await federation.event()
            assert (await federation.api.delete("/v1/devices/a/contributions")).json()["rounds"][0]["done_at"] is not None
            while (await gateways(federation, run))["g1"] != "answered":
                await federation.event()
            federation.devices["e"].done.set()
            await laws(federation, run)
            assert (await federation.api.delete("/v1/devices/a/contributions")).status_code == 409
            # Whose home answered twice has trained no more often than others.
            assert len({tuple(federation.devices[name].trained) for name in ("b", "c", "d")}) == 1


@pytest.mark.broker
async def test_a_round_does_not_close_over_a_request_that_nobody_told_the_runner_of(tmp_path: Path) -> None:
    with brokers("mosquitto", tmp_path) as (cloud, homes):
        async with Federation(tmp_path / "run", cloud, homes, HOMES) as federation:
            run = await waiting_for_e(federation)
            async with federation._database.write() as session:
                await contributions.retract(session, MAIN, run, 1, "a", now())
            federation.devices["e"].done.set()
            await laws(federation, run)


@pytest.mark.broker
async def test_a_request_is_not_forgotten_when_everything_is_switched_off(tmp_path: Path) -> None:
    with brokers("mosquitto", tmp_path) as (cloud, homes):
        async with Federation(tmp_path / "run", cloud, homes, HOMES) as federation:
            run = await waiting_for_e(federation)
            async with federation._database.write() as session:
                await contributions.retract(session, MAIN, run, 1, "a", now())
            await federation.stop_cloud()
        async with Federation(tmp_path / "run", cloud, homes, HOMES) as federation:
            assert (await federation.run(run))["outcome"] == "completed"
            fates = {name: one["fate"] for name, one in (await members(federation, run, 1)).items()}
            # e said goodbye, and its home answered without it; b and c had trained, and do not again.
            assert fates == {"a": "retracted", "b": "answered", "c": "answered", "d": "answered", "e": "silent"}
            assert await models(federation, run) == await reckoned(federation, run)
            assert not any(1 in federation.devices[name].trained for name in ("b", "c"))
