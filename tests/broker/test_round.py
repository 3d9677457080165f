"""Rounds over real brokers, with a real database, through the REST API; only the training is made up."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from folkmoot.link.broker import Broker, amqtt_broker, mosquitto_broker
from tests.kit import broker as kit
from tests.kit.federation import Federation
from tests.kit.postgres import Cluster
from tests.scenarios import oracle

HOMES = {"g1": ["a", "b", "c"], "g2": ["d", "e"]}
EVERYBODY = sorted(device for devices in HOMES.values() for device in devices)


MAKERS = {
    "mosquitto": lambda folder: mosquitto_broker(kit.program(), "home", folder),
    "mosquitto-defaults": kit.default_mosquitto,
    "amqtt": amqtt_broker,
}


@contextmanager
def brokers(kind: str, folder: Path) -> Iterator[tuple[Broker, dict[str, Broker]]]:
    """Gives a broker for the cloud and one for each home."""
    with ExitStack() as stack:
        made = {name: stack.enter_context(MAKERS[kind](folder / f"broker-{name}")) for name in ("cloud", *HOMES)}
        yield made.pop("cloud"), made


async def members(federation: Federation, run: str, number: int) -> dict[str, dict[str, Any]]:
    """Gives what became of every device in a round."""
    answer = await federation.api.get(f"/v1/runs/{run}/rounds/{number}/members", params={"limit": 100})
    return {one["device"]: one for one in answer.json()["items"] if one["device"]}


async def learnt(federation: Federation, run: str, number: int) -> list[str]:
    """Gives the devices whose updates are in a round's model, according to the record."""
    found = await members(federation, run, number)
    return sorted(name for name, one in found.items() if one["fate"] == "answered")


async def model(federation: Federation, run: str) -> str:
    """Gives the sha256 of the newest model of a run."""
    found = (await federation.api.get(f"/v1/runs/{run}")).json()["model"]
    return str((await federation.api.get(f"/v1/models/{found}")).json()["model_sha256"])


@pytest.mark.broker
@pytest.mark.parametrize("parameters", [50, 60_000], ids=["inline", "chunked"])
@pytest.mark.parametrize("kind", MAKERS)
async def test_every_broker_ends_in_the_same_model(tmp_path: Path, kind: str, parameters: int) -> None:
    with brokers(kind, tmp_path) as (cloud, homes):
        async with Federation(tmp_path / "run", cloud, homes, HOMES, parameters=parameters) as federation:
            await federation.up()
            run = await federation.launch(rounds=2)
            found = await federation.run(run)
            assert (found["outcome"], found["done"]) == ("completed", 2)
            assert [await learnt(federation, run, number) for number in (1, 2)] == [EVERYBODY, EVERYBODY]
            assert await model(federation, run) == oracle.chain((tuple(EVERYBODY),) * 2, parameters)[-1]


@pytest.mark.broker
@pytest.mark.parametrize("kind", ["mosquitto", "amqtt"])
async def test_receipts_make_up_for_a_broker_that_forgets_everything(tmp_path: Path, kind: str) -> None:
    """Killed in mid-round, a broker loses its sessions and all it has acknowledged; every answer counts all the same."""
    with brokers(kind, tmp_path) as (cloud, homes):
        async with Federation(tmp_path / "run", cloud, homes, HOMES, parameters=60_000) as federation:
            await federation.up()
            run = await federation.launch(rounds=2)
            for broker in (homes["g1"], cloud):
                while not any(device.trained for device in federation.devices.values()):
                    await federation.event()
                broker.kill()
                await asyncio.to_thread(broker.start)
            found = await federation.run(run)
            assert (found["outcome"], found["done"]) == ("completed", 2)
            rounds = [await members(federation, run, number) for number in (1, 2)]
            assert all(one["fate"] == "answered" for round in rounds for one in round.values())


@pytest.mark.broker
@pytest.mark.postgres
async def test_postgresql_serves_as_sqlite_does(tmp_path: Path, postgres: Cluster) -> None:
    url = postgres.url(await postgres.create())
    with brokers("mosquitto", tmp_path) as (cloud, homes):
        async with Federation(tmp_path / "run", cloud, homes, HOMES, url=url) as federation:
            await federation.up()
            run = await federation.launch(rounds=2, strategy={"name": "fedopt", "options": {"optimizer": "adam"}})
            found = await federation.run(run)
            assert (found["outcome"], found["done"]) == ("completed", 2)


@pytest.mark.broker
async def test_operators_pause_resume_stop_and_launch_one_more_round(tmp_path: Path) -> None:
    with brokers("mosquitto", tmp_path) as (cloud, homes):
        async with Federation(tmp_path / "run", cloud, homes, HOMES) as federation:
            await federation.up()
            run = await federation.launch(rounds=2)
            await federation.run(run)
            answer = await federation.api.post(f"/v1/runs/{run}/rounds")
            assert answer.status_code < 300, answer.text
            while (await federation.api.get(f"/v1/runs/{run}")).json()["done"] < 3:
                await federation.event()
            assert (await federation.run(run))["outcome"] == "completed"

            long = await federation.launch(rounds=10_000)
            await federation.api.post(f"/v1/runs/{long}/pause")
            paused = await federation.run(long, "paused")
            await federation.api.post(f"/v1/runs/{long}/resume")
            while (await federation.api.get(f"/v1/runs/{long}")).json()["done"] <= paused["done"]:
                await federation.event()
            await federation.api.post(f"/v1/runs/{long}/stop")
            assert (await federation.run(long))["outcome"] == "stopped"


@pytest.mark.broker
async def test_a_run_waits_for_devices_and_goes_on_when_they_come(tmp_path: Path) -> None:
    with brokers("mosquitto", tmp_path) as (cloud, homes):
        async with Federation(tmp_path / "run", cloud, homes, HOMES) as federation:
            await federation.up()
            await federation.devices["a"].stop()
            while (await federation.api.get("/v1/devices/a")).json()["state"] == "up":
                await federation.event()
            run = await federation.launch(rounds=1, min_answers=5)
            while not (await federation.api.get(f"/v1/runs/{run}")).json()["reason"]:
                await federation.event()
            federation.devices["a"].start()
            found = await federation.run(run)
            assert (found["outcome"], found["reason"]) == ("completed", "")


@pytest.mark.broker
async def test_a_cohort_is_as_large_as_it_was_asked_to_be(tmp_path: Path) -> None:
    with brokers("mosquitto", tmp_path) as (cloud, homes):
        async with Federation(tmp_path / "run", cloud, homes, HOMES) as federation:
            await federation.up()
            run = await federation.launch(rounds=3, cohort={"devices": 2})
            await federation.run(run)
            cohorts = [sorted(await members(federation, run, number)) for number in (1, 2, 3)]
            assert [len(cohort) for cohort in cohorts] == [2, 2, 2]


@pytest.mark.broker
async def test_a_run_that_cannot_be_gone_on_with_fails_and_does_not_stand_in_the_way(tmp_path: Path) -> None:
    with brokers("mosquitto", tmp_path) as (cloud, homes):
        async with Federation(tmp_path / "run", cloud, homes, HOMES) as federation:
            await federation.up()
            damaged = await federation.launch(rounds=2, cohort={"gateways": ["g1"]}, min_answers=5)  # g1 has three: it waits
            while not (await federation.api.get(f"/v1/runs/{damaged}")).json()["reason"]:
                await federation.event()
        with closing(sqlite3.connect(tmp_path / "run" / "cloud" / "cloud.sqlite")) as db:
            db.execute("UPDATE runs SET strategy = json_replace(strategy, '$.name', 'of_tomorrow')")
            db.commit()
        async with Federation(tmp_path / "run", cloud, homes, HOMES) as federation:
            found = await federation.run(damaged)
            assert found["outcome"] == "failed"
            assert "of_tomorrow" in found["reason"]
            await federation.up()
            assert (await federation.run(await federation.launch(rounds=1)))["outcome"] == "completed"
