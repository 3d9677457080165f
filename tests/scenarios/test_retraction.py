"""A device is taken out of an open round, wherever its update is: the model is the one that never had it."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from folkmoot.hop.upper import PREFIX
from folkmoot.link.adversary import Adversary
from folkmoot_cloud.runner.retraction import Retract, Retracted
from tests.kit import toy
from tests.kit.world import World
from tests.scenarios import oracle, test_offline

HOMES = {"g1": ["a", "b", "c"], "g2": ["d", "e"]}
ROUND = "run1/1/train"
DAY = 86_400_000
SLOW = 5_000  # ms that everybody but a few need to train: the round is open for as long


def federation(
    folder: Path,
    *,
    slow: str = "",
    homes: dict[str, list[str]] | None = None,
    deadline: int = 60_000,
    begin: Callable[[World], None] = lambda world: None,
    **fields: object,
) -> World:
    """Gives a world that has booted and begun a run of two rounds; the devices named in `slow` train for long.

    `begin` is handed it before it boots.
    """
    world = World(folder, homes or HOMES, **fields)  # type: ignore[arg-type]
    begin(world)
    for name, device in world.devices.items():
        device.trade.train_ms = SLOW if name in slow else 100
    world.start()
    world.cloud.enter(toy.campaign(world.parameters, rounds=2, deadline=deadline))
    return world


def retract(world: World, *devices: str) -> None:
    """Does what the cloud's runner does about a request that is in its table."""

    def kept(sha256: bytes) -> bytes | None:
        return world.cloud.ledger.payload(f"{PREFIX}{ROUND}", sha256)

    for device in devices:
        world.cloud.driver.post("runs", Retract("run1", 1, device, kept))


def home(world: World, gateway: str) -> str:
    """Gives the state of the round of a home, or "" where it has none."""
    return next((open.round.state for open in world.gateways[gateway].node._below.rounds.values()), "")


def seat(world: World, gateway: str) -> str:
    """Gives what the cloud knows of a gateway in the first round."""
    open = world.cloud.node._below.rounds.get(ROUND) if world.cloud.up else None
    return open.round.seats[gateway].state if open is not None and gateway in open.round.seats else ""


def in_sums(world: World, gateway: str) -> list[str]:
    """Gives the devices whose updates are in the sums of a home."""
    return [name for open in world.gateways[gateway].node._below.rounds.values() for name in sorted(open.round._leaves)]


def laws(world: World, *gone: str) -> None:
    """The first round knows nothing of who is gone and has everybody else; every model is what its record says."""
    first = world.rounds[0]
    others = sorted(set(world.devices) - set(gone))
    assert [(leaf.device, leaf.fate) for leaf in first.sums.leaves] == [(name, "") for name in others]
    assert [closed.number for closed in world.rounds] == [1, 2]
    assert [leaf.device for leaf in world.rounds[1].sums.leaves] == sorted(world.devices)
    assert world.cloud.models == {
        ("run1", number): sha for number, sha in oracle.models(world.rounds, world.parameters).items()
    }
    assert {fact.device for fact in world.cloud.facts if isinstance(fact, Retracted)} == set(gone)


def without(folder: Path, *gone: str, **fields: object) -> World:
    """Gives a world that has ended, in which these devices never were."""
    homes = {name: [one for one in devices if one not in gone] for name, devices in HOMES.items()}
    world = federation(folder, homes={name: devices for name, devices in homes.items() if devices}, **fields)
    world.run(lambda: world.finished)
    return world


MOMENTS: dict[str, tuple[str, Callable[[World], bool]]] = {
    "while it trains": ("ae", lambda world: "b" in in_sums(world, "g1")),
    "when its gateway has its answer": ("ce", lambda world: in_sums(world, "g1") == ["a", "b"]),
    "when the cloud has its home's answer": ("e", lambda world: seat(world, "g1") == "taken"),
}


@pytest.mark.parametrize("parameters", [50, 30_000], ids=["inline", "chunked"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_the_model_is_the_one_that_never_had_it(tmp_path: Path, moment: str, parameters: int) -> None:
    slow, when = MOMENTS[moment]
    world = federation(tmp_path / "with", slow=slow, parameters=parameters)
    world.run(lambda: when(world))
    retract(world, "a")
    world.run(lambda: world.finished)
    laws(world, "a")
    never = without(tmp_path / "without", "a", parameters=parameters)
    assert world.cloud.models["run1", 1] == never.cloud.models["run1", 1]
    assert world.rounds[0].sums.groups == never.rounds[0].sums.groups
    assert world.devices["b"].trained == 3  # two rounds and an evaluation: nobody trains again


def test_what_a_device_has_given_is_deleted_where_it_was_kept(tmp_path: Path) -> None:
    world = federation(tmp_path, slow="e")
    world.run(lambda: seat(world, "g1") == "taken")
    (open,) = world.gateways["g1"].node._below.rounds.values()
    payload = open.round.seats["a"].payload
    assert world.gateways["g1"].ledger.payload(PREFIX + open.key, payload)
    retract(world, "a")
    world.run(lambda: seat(world, "g1") != "taken")
    world.run(lambda: seat(world, "g1") == "taken")
    assert world.gateways["g1"].ledger.payload(PREFIX + open.key, payload) is None
    assert open.round.seats["a"].fate == "retracted"


def test_a_home_that_has_answered_keeps_no_sums_and_adds_them_up_again(tmp_path: Path) -> None:
    world = federation(tmp_path, slow="e")
    world.run(lambda: seat(world, "g1") == "taken")
    (open,) = world.gateways["g1"].node._below.rounds.values()
    assert not open.sums.partial().groups
    retract(world, "a")
    world.run(lambda: seat(world, "g1") != "taken")
    world.run(lambda: seat(world, "g1") == "taken")
    assert not open.sums.partial().groups
    world.run(lambda: world.finished)
    laws(world, "a")


@pytest.mark.parametrize("reboots", [False, True])
def test_a_home_with_one_device_keeps_no_answer_once_it_has_given_its_own(tmp_path: Path, reboots: bool) -> None:
    homes = {"g1": ["a"], "g2": ["d", "e"]}
    world = federation(tmp_path, slow="e", homes=homes)
    world.run(lambda: seat(world, "g1") == "taken")
    (open,) = world.gateways["g1"].node._below.rounds.values()
    assert world.gateways["g1"].ledger.payload(PREFIX + open.key, open.round.seats["a"].payload) is None
    if reboots:
        world.gateways["g1"].kill()
        world.gateways["g1"].start()
        assert list(world.gateways["g1"].node._below.rounds) == [open.key]
    retract(world, "a")
    world.run(lambda: world.finished)
    laws(world, "a")
    assert world.devices["a"].trained == 3  # two rounds and an evaluation


def test_a_whole_home_can_be_taken_out(tmp_path: Path) -> None:
    world = federation(tmp_path, slow="ae")
    world.run(lambda: in_sums(world, "g1") == ["b", "c"])
    retract(world, "a", "b", "c")
    world.run(lambda: world.finished)
    laws(world, "a", "b", "c")
    assert world.rounds[0].seats["g1"].fate == "retracted"
    assert world.cloud.models["run1", 1] == without(tmp_path / "without", "a", "b", "c").cloud.models["run1", 1]


def test_a_round_that_loses_everybody_is_short(tmp_path: Path) -> None:
    world = federation(tmp_path, slow="e")
    world.run(lambda: seat(world, "g1") == "taken")
    retract(world, *world.devices)
    world.run(lambda: world.finished)
    assert (world.rounds[0].closed.outcome, world.rounds[0].sums.leaves) == ("short", ())
    assert world.rounds[1].closed.outcome == "complete"


def test_a_gateway_that_cannot_answer_again_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    world = federation(tmp_path, slow="e")
    world.run(lambda: seat(world, "g1") == "taken")
    retract(world, "a")
    world.gateways["g1"].kill()
    world.run(lambda: len(world.rounds) == 1)
    assert [(leaf.device, leaf.fate) for leaf in world.rounds[0].sums.leaves] == [("d", ""), ("e", "")]
    assert (world.rounds[0].closed.reason, world.rounds[0].seats["g1"].fate) == ("deadline", "away:deadline")
    assert world.cloud.models["run1", 1] == oracle.models(world.rounds, world.parameters)[1]


@pytest.mark.parametrize("victim", ["g1", "cloud", "b"])
@pytest.mark.parametrize("pause", [0, 2, 40])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_crash_in_between_costs_nobody_anything(tmp_path: Path, moment: str, victim: str, pause: int) -> None:
    slow, when = MOMENTS[moment]
    world = federation(tmp_path, slow=slow)
    world.run(lambda: when(world))
    retract(world, "a")
    if pause:
        world.wait(pause)
    else:
        world.cloud.step()
    world.hosts[victim].kill()
    world.wait(1_000)
    world.hosts[victim].start()
    world.run(lambda: world.finished)
    laws(world, "a")


def test_a_gateway_that_was_off_since_it_answered_answers_again_without_training(tmp_path: Path) -> None:
    world = federation(tmp_path, slow="e")
    world.run(lambda: seat(world, "g1") == "taken" and home(world, "g1") == "closed")
    world.gateways["g1"].kill()
    world.wait(500)
    retract(world, "a")
    world.wait(500)
    world.gateways["g1"].start()
    world.run(lambda: world.finished)
    laws(world, "a")
    assert all(world.devices[name].trained == 3 for name in ("a", "b", "c"))


def test_a_home_keeps_what_it_answered_no_longer_than_it_may_be_asked_for(tmp_path: Path) -> None:
    world = federation(tmp_path)
    world.run(lambda: world.finished)
    for gateway in world.gateways.values():
        assert {open.round.opened.ask.phase for open in gateway.node._below.rounds.values()} <= {"evaluate"}
    world.wait(70_000)
    for gateway in world.gateways.values():
        assert gateway.node._below.rounds == {}
        assert list(gateway.ledger.histories()) == []


def out(world: World) -> set[str]:
    """Gives who is out of the first round, as the record says."""
    return {fact.device for fact in world.cloud.facts if isinstance(fact, Retracted)}


def disordered(folder: Path, seed: int) -> None:
    """One run over links that lose, double, delay and reorder messages, with time enough to say everything again."""
    rng = Random(seed)
    adversary = Adversary(
        drop=rng.choice([0, 0.3]),
        duplicate=rng.choice([0, 0.4]),
        reorder=rng.choice([0.2, 0.5]),
        delay_ms=(1, rng.choice([1, 300])),
    )
    parameters = rng.choice([50, 20_000])
    world = federation(folder, slow=rng.choice("abcde"), seed=seed, adversary=adversary, parameters=parameters, deadline=DAY)
    world.run(lambda: ROUND in world.cloud.node._below.rounds)
    invited = set(world.cloud.node._below.rounds[ROUND].round.devices)
    for device in rng.sample("abcde", rng.randint(1, 3)):
        world.wait(rng.randint(1, 1_500))
        retract(world, device)
    world.run(lambda: world.finished, limit=4 * DAY)
    assert [closed.closed.reason for closed in world.rounds] == ["all", "all"]
    assert {leaf.device for leaf in world.rounds[0].sums.leaves if leaf.fate == ""} == invited - out(world)
    assert all(leaf.fate == "" for leaf in world.rounds[1].sums.leaves)
    world.close()


def under_fire(folder: Path, seed: int) -> None:
    """One run whose network, power and retractions a seed decides."""
    rng = Random(seed)
    adversary = Adversary(
        drop=rng.choice([0, 0.1, 0.3]),
        duplicate=rng.choice([0, 0.2, 0.4]),
        reorder=rng.choice([0, 0.2, 0.4]),
        cut=rng.choice([0, 0.01]),
        delay_ms=rng.choice([(1, 1), (1, 300)]),
    )
    slow = "".join(rng.sample("abcde", rng.randint(1, 2)))
    world = federation(folder, slow=slow, seed=seed, adversary=adversary, parameters=rng.choice([50, 50, 20_000]))
    world.run(lambda: ROUND in world.cloud.node._below.rounds)
    for device in rng.sample("abcde", rng.randint(1, 2)):
        world.wait(rng.randint(1, 2_000))
        retract(world, device)
        if rng.random() < 0.5:
            world.wait(rng.randint(1, 300))
            name = rng.choice(sorted(world.hosts))
            world.hosts[name].kill()
            world.wait(rng.randint(1, 2_000))
            world.hosts[name].start()
    world.run(lambda: world.finished)
    assert not out(world) & {leaf.device for leaf in world.rounds[0].sums.leaves if leaf.fate == ""}
    assert world.cloud.models == {
        ("run1", number): sha for number, sha in oracle.models(world.rounds, world.parameters).items()
    }
    world.close()


@pytest.mark.parametrize("play", [disordered, under_fire])
@pytest.mark.parametrize("block", range(3))
def test_whatever_the_network_does_who_is_out_is_not_in_the_model(
    tmp_path: Path, block: int, play: Callable[[Path, int], None]
) -> None:
    for seed in range(5 * block, 5 * (block + 1)):
        play(tmp_path / str(seed), seed)


@pytest.mark.parametrize("crash", [False, True], ids=["", "and the cloud is killed"])
def test_a_device_that_is_taken_out_takes_a_belated_answer_with_it(tmp_path: Path, crash: bool) -> None:
    world = test_offline.federation(tmp_path, adversary=test_offline.parted((1, 64)), rounds=8)
    world.devices["d"].trade.train_ms = 10_000
    world.run(lambda: any(open.round.belated for open in world.cloud.node._below.rounds.values()))
    (open,) = world.cloud.node._below.rounds.values()
    owner = f"{PREFIX}{open.key}"
    kept = lambda sha256: world.cloud.ledger.payload(owner, sha256)  # noqa: E731
    world.cloud.driver.post("runs", Retract("run1", open.round.opened.ask.round, "a", kept))
    world.run(lambda: any(isinstance(fact, Retracted) for fact in world.cloud.facts))
    if crash:
        world.cloud.kill()
        world.cloud.start()
    world.run(lambda: world.finished)
    assert world.cloud.models == test_offline.models(world)
    (fact,) = (fact for fact in world.cloud.facts if isinstance(fact, Retracted))
    assert [late.leaves for late in fact.belated] == [("a", "b", "c")]
    assert [late for closed in world.rounds for late in closed.belated] == []
