"""Blobs that rot on a gateway's card: they are pulled again, and no device is given what they have become."""

from pathlib import Path

import pytest

from folkmoot.hop.round import Closed
from tests.kit import toy
from tests.kit.world import World
from tests.scenarios import oracle

PARAMETERS = 30_000  # their weights do not travel inside an Ask
WEIGHTS = 4 * PARAMETERS  # bytes


def rot(world: World, gateway: str, weights: bool) -> int:
    """Flips a bit in the weights, or in the programs, that a gateway has; says in how many."""
    rotten = [path for path in cached(world, gateway) if (path.stat().st_size == WEIGHTS) == weights]
    for path in rotten:
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    return len(rotten)


def cached(world: World, name: str) -> list[Path]:
    return list((world.folder / name / "cache").iterdir())


def begun(folder: Path) -> World:
    world = World(folder, {"g1": ["a", "b"]}, parameters=PARAMETERS)
    world.start()
    world.cloud.enter(toy.campaign(PARAMETERS))
    return world


def sound(world: World) -> None:
    """Lets the run end; everybody is in every round."""
    world.run(lambda: world.finished)
    assert [(one.number, one.closed) for one in world.rounds] == [(n, Closed("complete", "all")) for n in (1, 2, 3)]
    assert [[leaf.device for leaf in one.sums.leaves if not leaf.fate] for one in world.rounds] == [["a", "b"]] * 3
    assert world.cloud.models == {("run1", n): sha for n, sha in oracle.models(world.rounds, PARAMETERS).items()}


def test_a_program_that_has_rotted_between_two_rounds_is_pulled_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")
    world = begun(tmp_path)
    world.run(lambda: len(world.rounds) == 1)
    assert rot(world, "g1", weights=False) == 1
    sound(world)
    assert [record.getMessage() for record in caplog.records].count("a damaged blob is dropped") == 1


@pytest.mark.parametrize("weights", [True, False], ids=["weights", "program"])
def test_what_has_rotted_while_the_gateway_was_off_is_pulled_again(tmp_path: Path, weights: bool) -> None:
    world = begun(tmp_path)
    world.run(lambda: bool(world.gateways["g1"].up and world.gateways["g1"].node._below.rounds))
    world.gateways["g1"].kill()
    for device in world.devices.values():
        device.kill()
    assert rot(world, "g1", weights) == 1
    for device in world.devices:
        for path in cached(world, device):
            path.unlink()
    for host in (world.gateways["g1"], *world.devices.values()):
        host.start()
    sound(world)
