"""Two cloud replicas on one PostgreSQL, with real brokers and training: whoever holds a run may die, stop or be cut off."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from folkmoot import tasks
from folkmoot.wire.messages import Plan
from folkmoot_cloud.leases.watch import LEASE
from tests.kit import replicas, retraining
from tests.kit.processes import Town
from tests.kit.replicas import Twins

HOMES = {"g1": ["a", "b"], "g2": ["c", "d"]}
EVERYBODY = sorted(device for devices in HOMES.values() for device in devices)
EPOCHS = 60  # a round lasts about a second: there is a middle to kill in
OTHER = {"one": "two", "two": "one"}

pytestmark = [pytest.mark.broker, pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def twins(tmp_path: Path) -> Iterator[Twins]:
    """Gives two replicas that share the shards, with everybody up."""
    with replicas.server() as cluster, Twins(tmp_path, HOMES, cluster) as town:
        town.up(4)
        town.join()
        yield town


def opened(town: Town, run: str, number: int) -> bool:
    """Whether a round has begun."""
    return bool(town.get(f"/v1/runs/{run}/rounds/{number}"))


def check(town: Town, folder: Path, task: bytes, found: dict[str, Any], rounds: int) -> None:
    """Every round closed once with everybody in it, and trained again from the record every model is the same to the bit."""
    run = found["id"]
    assert (found["outcome"], found["done"]) == ("completed", rounds)
    closed = {one["number"]: one for one in town.get(f"/v1/runs/{run}/rounds", limit=100)["items"]}
    assert sorted(closed) == list(range(1, rounds + 1))
    answered = {
        number: sorted(name for name, one in town.members(run, number).items() if one["fate"] == "answered")
        for number in closed
    }
    assert answered == dict.fromkeys(closed, EVERYBODY)
    stores = {name: folder / name / "examples.db" for name in EVERYBODY}
    expected = retraining.models(folder, task, msgspec.convert(found["plan"], Plan), answered, stores)
    shas = {one["id"]: one["model_sha256"] for one in town.get("/v1/models", run=run, limit=100)["items"]}
    assert {number: shas[one["model"]] for number, one in closed.items()} == expected


def test_the_run_of_a_replica_that_is_killed_goes_on_at_the_other(twins: Twins, tmp_path: Path) -> None:
    task = tasks.read("digits-mlp")
    run = twins.launch(task, rounds=4, plan={"epochs": EPOCHS}, deadline_seconds=60)
    twins.until(lambda: opened(twins, run, 2))
    victim = twins.holder(run)
    twins.turn_to(OTHER[victim])
    twins.clouds[victim].kill()
    killed = time.monotonic()
    twins.until(lambda: twins.holder(run) == OTHER[victim])
    taken = time.monotonic() - killed
    assert taken < LEASE + 10, taken
    check(twins, tmp_path, task, twins.finished(run), 4)
    assert twins.shares() == {OTHER[victim]: 256}
    print(f"taken up {taken:.1f} s after the kill, finished {time.monotonic() - killed:.1f} s after")


def test_a_replica_that_slept_through_its_lease_writes_nothing_and_says_nothing(twins: Twins, tmp_path: Path) -> None:
    task = tasks.read("digits-mlp")
    run = twins.launch(task, rounds=8, plan={"epochs": EPOCHS}, deadline_seconds=60)
    twins.until(lambda: opened(twins, run, 2))
    sleeper = twins.holder(run)
    twins.turn_to(OTHER[sleeper])
    twins.clouds[sleeper].send(signal.SIGSTOP)
    twins.until(lambda: twins.holder(run) == OTHER[sleeper])
    twins.until(lambda: opened(twins, run, 4))  # two rounds that the sleeper knows nothing of, but hears of when it wakes
    twins.clouds[sleeper].send(signal.SIGCONT)
    check(twins, tmp_path, task, twins.finished(run), 8)
    twins.until(lambda: twins.shares() == {"one": 128, "two": 128})
    assert "were taken up by another replica" in twins.clouds[sleeper].said()
    assert twins.holder(run) == OTHER[sleeper] or twins.get(f"/v1/runs/{run}")["status"] == "finished"


def test_a_replica_that_is_told_to_stop_hands_its_runs_over_at_once(twins: Twins, tmp_path: Path) -> None:
    task = tasks.read("digits-mlp")
    run = twins.launch(task, rounds=4, plan={"epochs": EPOCHS}, deadline_seconds=60)
    twins.until(lambda: opened(twins, run, 2))
    holder = twins.holder(run)
    twins.turn_to(OTHER[holder])
    assert twins.clouds[holder].stop() == 0
    twins.until(lambda: twins.holder(run) == OTHER[holder], patience=LEASE / 2)
    check(twins, tmp_path, task, twins.finished(run), 4)


def test_either_replica_takes_an_operators_word_about_any_run(twins: Twins) -> None:
    run = twins.launch(tasks.read("digits-mlp"), rounds=1_000)
    twins.until(lambda: opened(twins, run, 1))
    twins.turn_to(OTHER[twins.holder(run)])
    twins.post(f"/v1/runs/{run}/pause")
    twins.until(lambda: twins.get(f"/v1/runs/{run}")["status"] == "paused")
    twins.post(f"/v1/runs/{run}/resume")
    twins.until(lambda: twins.get(f"/v1/runs/{run}")["status"] == "running")
    twins.post(f"/v1/runs/{run}/stop")
    assert twins.finished(run)["outcome"] == "stopped"


def test_a_database_that_is_killed_and_comes_back_costs_nothing_but_time(tmp_path: Path) -> None:
    task = tasks.read("digits-mlp")
    with replicas.server() as cluster, Twins(tmp_path, HOMES, cluster) as town:
        town.up(4)
        town.join()
        run = town.launch(task, rounds=4, plan={"epochs": EPOCHS}, deadline_seconds=60)
        town.until(lambda: opened(town, run, 2))
        with replicas.away(cluster):
            for api in town.apis.values():
                refused = town.until(lambda api=api: (found := api.get(f"/v1/runs/{run}")).status_code != 200 and found)  # type: ignore[misc]
                assert refused.status_code == 503
                assert refused.json()["type"] == "urn:folkmoot:problem:unavailable"
                assert "\n" not in refused.json()["detail"]
                assert api.get("/healthz").status_code == 200
                ready = api.get("/readyz")
                assert (ready.status_code, ready.json()["database"]) == (503, "the database does not answer")
            # Both replicas have ended the life that they were in: nothing is under way when the database is back.
            town.until(lambda: all("runner starts again" in cloud.said() for cloud in town.clouds.values()))
        with replicas.ended(cluster):
            check(town, tmp_path, task, town.finished(run), 4)
            assert sorted(town.shares().values()) == [128, 128]
            assert all("Traceback" not in cloud.said() for cloud in town.clouds.values())
            for cloud in town.clouds.values():
                assert cloud.stop() == 0


def test_of_two_processes_of_one_name_the_newer_runs_and_the_older_says_that_it_stands_by(tmp_path: Path) -> None:
    with replicas.server() as cluster, Twins(tmp_path, {"g1": ["a"]}, cluster) as town:
        town.up(1)
        older, newer = town.clouds["one"], town.clouds["two"]
        settings = tmp_path / "two.toml"
        settings.write_text(settings.read_text().replace('replica = "two"', 'replica = "one"'))
        newer.start()

        def stands_by() -> bool:
            ready = town.apis["one"].get("/readyz")
            return ready.status_code == 503 and "another process runs as replica 'one'" in ready.json()["engine"]

        town.until(stands_by)
        town.until(lambda: town.answers("two") and town.apis["two"].get("/readyz").status_code == 200)
        task = tasks.read("digits-mlp")
        assert town.finished(town.launch(task, rounds=2))["outcome"] == "completed"  # whose API it is asked by is the same
        assert stands_by()
        newer.kill()
        town.until(lambda: town.apis["one"].get("/readyz").status_code == 200)
        assert town.finished(town.launch(task, rounds=1))["outcome"] == "completed"
        said = older.said()
        assert said.count("another process runs as replica 'one', and this one stands by: give each its own `replica`") == 1
        assert said.count("broker connected") + said.count("broker back") <= 4  # they do not throw each other out in turn
