"""A whole federation on virtual time: real programs, real files, brokers in memory."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from folkmoot.hop.effects import Closed
from folkmoot.link.adversary import Adversary
from tests.kit import toy
from tests.kit.world import World
from tests.scenarios import oracle

HOMES = {"g1": ["a", "b", "c"], "g2": ["d", "e"]}


def federation(folder: Path, homes: dict[str, list[str]] | None = None, **fields: object) -> World:
    """Gives a world that has booted and begun a run of three rounds."""
    world = World(folder, homes or HOMES, **fields)  # type: ignore[arg-type]
    world.start()
    world.cloud.enter(toy.campaign(world.parameters))
    return world


def laws(world: World) -> None:
    """Every round closed once and in order, nobody counted twice, and every model is what its record says it must be."""
    assert [closed.number for closed in world.rounds] == [1, 2, 3]
    assert world.cloud.models == {
        ("run1", number): sha for number, sha in oracle.models(world.rounds, world.parameters).items()
    }


def test_three_rounds_learn_from_everybody(tmp_path: Path) -> None:
    world = federation(tmp_path)
    world.run(lambda: world.finished)
    laws(world)
    assert all(closed.closed == Closed("complete", "all") for closed in world.rounds)
    assert [leaf.device for leaf in world.rounds[-1].sums.leaves] == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("parameters", [50, 30_000], ids=["inline", "chunked"])
def test_a_tree_of_homes_ends_in_the_same_bits_as_one_home(tmp_path: Path, parameters: int) -> None:
    ends = set()
    for number, homes in enumerate([{"g1": list("abcde")}, HOMES, {f"g{name}": [name] for name in "abcde"}]):
        world = federation(tmp_path / str(number), homes, seed=number, parameters=parameters)
        world.run(lambda world=world: world.finished)  # type: ignore[misc]
        ends.add(world.cloud.models["run1", 3])
    assert len(ends) == 1


def test_what_is_pulled_is_pulled_once_a_home(tmp_path: Path) -> None:
    world = federation(tmp_path, parameters=100_000)
    world.run(lambda: world.finished)
    for closed in world.rounds:
        for _, down in closed.traffic.values():
            assert down < 1.1 * 400_000


def test_a_device_that_is_killed_in_mid_round_shows_in_the_record(tmp_path: Path) -> None:
    world = federation(tmp_path)
    world.run(lambda: any(open.round.state == "open" for open in world.gateways["g1"].node._below.rounds.values()))
    world.devices["b"].kill()
    world.run(lambda: world.finished)
    laws(world)
    assert {leaf.device: leaf.fate for leaf in world.rounds[0].sums.leaves}["b"].startswith(("away", "gone"))
    assert all("b" not in {leaf.device for leaf in closed.sums.leaves} for closed in world.rounds[1:])


@pytest.mark.parametrize("victim", ["a", "g1", "cloud"])
@pytest.mark.parametrize("after", [200, 800, 1_600])
def test_kill_9_and_a_restart_cost_nobody_anything(tmp_path: Path, victim: str, after: int) -> None:
    world = federation(tmp_path)
    world.wait(400 + after)
    world.hosts[victim].kill()
    world.wait(3_000)
    world.hosts[victim].start()
    world.run(lambda: world.finished)
    laws(world)
    assert all(closed.closed == Closed("complete", "all") for closed in world.rounds)
    for closed in world.rounds:
        assert not [leaf for leaf in closed.sums.leaves if leaf.fate and leaf.device != victim]


def test_an_answer_that_was_stored_is_not_trained_again_after_a_crash(tmp_path: Path) -> None:
    world = federation(tmp_path)
    device = world.devices["a"]
    world.run(lambda: device.trained == 1)
    world.run(lambda: not device.driver.waiting)
    device.kill()
    device.start()
    world.run(lambda: world.finished)
    laws(world)
    assert device.trained == 4  # three rounds and one evaluation


@pytest.mark.parametrize("lost", ["cache", "payloads"])
def test_a_gateway_whose_disk_has_lost_something_begins_the_round_anew(tmp_path: Path, lost: str) -> None:
    world = federation(tmp_path)
    gateway = world.gateways["g1"]
    for _ in range(2):
        world.run(lambda: any(open.round.leaves for open in gateway.node._below.rounds.values()))
        gateway.kill()
        if lost == "cache":
            shutil.rmtree(world.folder / "g1" / "cache")
        else:
            with closing(sqlite3.connect(world.folder / "g1" / "ledger.db")) as db:
                db.execute("DELETE FROM payload")
                db.commit()
        gateway.start()
        world.wait(100)
    world.run(lambda: world.finished)
    laws(world)


def test_either_end_may_start_first(tmp_path: Path) -> None:
    world = World(tmp_path, HOMES)
    world.devices["a"].start()
    world.wait(5_000)
    world.gateways["g1"].start()
    world.wait(5_000)
    world.cloud.start()
    world.cloud.enter(toy.campaign())
    world.wait(1_000)
    world.gateways["g2"].start()
    world.run(lambda: world.finished)
    laws(world)


def storm(world: World, rng: Random) -> None:
    """Kills machines and boots them again, until the run is over or the storm has passed."""
    for _ in range(rng.choice([0, 0, 1, 2, 4])):
        pause, absence, name = rng.randint(1, 15_000), rng.randint(1, 20_000), rng.choice(sorted(world.hosts))
        if world.finished:
            return
        world.wait(pause)
        world.hosts[name].kill()
        world.wait(absence)
        world.hosts[name].start()


def under_fire(folder: Path, seed: int) -> None:
    """One run whose network and power a seed decides."""
    rng = Random(seed)
    adversary = Adversary(
        drop=rng.choice([0, 0.1, 0.3]),
        duplicate=rng.choice([0, 0.2]),
        corrupt=rng.choice([0, 0, 0.02]),
        truncate=rng.choice([0, 0, 0.02]),
        reorder=rng.choice([0, 0.2]),
        cut=rng.choice([0, 0.01]),
        delay_ms=rng.choice([(1, 1), (1, 300)]),
    )
    world = federation(folder, seed=seed, adversary=adversary, parameters=rng.choice([50, 50, 20_000]))
    storm(world, rng)
    world.run(lambda: world.finished)
    laws(world)
    world.close()


@pytest.mark.parametrize("block", range(5))
def test_under_fire_the_laws_hold(tmp_path: Path, block: int) -> None:
    for seed in range(12 * block, 12 * (block + 1)):
        under_fire(tmp_path / str(seed), seed)
