"""A home whose cloud is away: its answers count when it is back, and until then it goes on by itself."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from folkmoot.errors import PeerFault
from folkmoot.hop import events
from folkmoot.hop.answers import PREFIX
from folkmoot.hop.batch import Batch
from folkmoot.hop.ids import ask_id, local_id
from folkmoot.link.adversary import Adversary, Partition
from folkmoot.serve.driver import Input
from folkmoot.simulate.host import Place
from folkmoot.wire import partial
from folkmoot.wire.messages import Offline
from folkmoot_cloud.runner.campaign import Cohort
from folkmoot_cloud.runner.facts import AnswerRefused, AnswerTaken, RoundClosed
from folkmoot_gateway.node import Gateway
from tests.kit import toy
from tests.kit.asks import ask
from tests.kit.world import GatewayHost, World

HOMES = {"g1": ["a", "b", "c"], "g2": ["d", "e"]}
HOUR = 3_600_000
SCALE = 22

Weights = np.ndarray[Any, Any]
Said = dict[bytes, tuple[str, ...]]
"""Id of an Ask to the devices whose updates a gateway has put into its answer."""


class Witness:
    """A gateway's program, and somebody who reads what it stores."""

    def __init__(self, gateway: Gateway, said: Said) -> None:
        self._gateway, self._said = gateway, said
        self.perform = gateway.perform

    @property
    def wake(self) -> int | None:
        return self._gateway.wake

    def step(self, inputs: Sequence[Input], now: int) -> Mapping[str, Batch]:
        batches = self._gateway.step(inputs, now)
        for keep in batches["up"].keeps:
            with suppress(PeerFault):  # it may be the weights that a local round starts from
                self._said[bytes.fromhex(keep.owner.removeprefix(PREFIX))] = partial.load(keep.content, limit=1 << 30).merged
        return batches


class Watched(GatewayHost):
    """A gateway with a witness."""

    def __init__(self, name: str, place: Place) -> None:
        super().__init__(name, place)
        self.said: Said = {}

    def make(self) -> Any:
        return Witness(super().make(), self.said)


def federation(folder: Path, homes: Mapping[str, list[str]] = HOMES, *, rounds: int = 3, **fields: Any) -> World:
    """Gives a world that has booted and begun a run; `staleness`, `discount`, `local` and `seconds` are of its policy."""
    policy = Offline(
        staleness=fields.pop("staleness", 31),
        discount=fields.pop("discount", 0.5),
        rounds=fields.pop("local", 0),
        seconds=fields.pop("seconds", 86_400),
    )
    spec = {name: fields.pop(name) for name in ("cohort", "over_selection") if name in fields}
    world = World(folder, dict(homes), **fields)
    for name in homes:
        world.gateways[name] = world.hosts[name] = Watched(name, world.gateways[name].place)
    world.start()
    world.cloud.enter(toy.campaign(world.parameters, rounds, offline=policy, **spec))
    return world


def parted(*spans: tuple[float, float], gateway: str = "g1", **chances: Any) -> Adversary:
    """Gives a network in which a gateway cannot reach the cloud's broker for some spans, in seconds."""
    cuts = tuple(Partition(frozenset({gateway}), int(start * 1000), int(end * 1000)) for start, end in spans)
    return Adversary(partitions=cuts, **chances)


# The oracle: what every model must be, from the record and from who was in whose answer, in exact rationals.


def sums(devices: Sequence[str], base: Weights) -> tuple[Any, int]:
    """Gives the sum of what these devices learn from some weights, in multiples of 2^-22, and what it weighs."""
    asked = ask(weights=hashlib.sha256(base.tobytes()).digest())
    total, weight = np.zeros(base.size, object), 0
    for device in devices:
        update = np.frombuffer(toy.train(device, asked, base.size).groups["main"].data, "<f4")
        examples = toy.examples(device)
        total += np.array([round(Fraction(float(value)) * (examples << SCALE)) for value in update], object)
        weight += examples
    return total, weight


def moved(weights: Weights, total: Any, weight: int) -> Weights:
    """Gives the weights after the step that a sum asks for."""
    mean = np.array([int(value) / (weight << SCALE) for value in total])
    return (weights.astype(np.float64) + mean).astype("<f4")


def models(world: World) -> dict[tuple[str, int], str]:
    """Gives the sha256 of the model after every round that has learnt."""
    versions = [np.zeros(world.parameters, "<f4")]
    found: dict[tuple[str, int], str] = {}
    for closed in world.rounds:
        own = [leaf.device for leaf in closed.sums.leaves if leaf.fate == ""]
        total, weight = sums(own, versions[-1])
        for late in closed.belated:
            more, heavier = sums(late.leaves, started(world, late, versions[late.base]))
            total += np.array([round(Fraction(int(value) * late.factor, 1024)) for value in more], object)
            weight += heavier
        if closed.closed.outcome == "complete":
            versions.append(moved(versions[-1], total, weight))
            found["run1", closed.number] = hashlib.sha256(versions[-1].tobytes()).hexdigest()
    return found


def started(world: World, late: events.Belated, base: Weights) -> Weights:
    """Gives the weights that a belated answer started from: a home's local rounds go on from one another."""
    said = said_of(world, late.member)
    own = ask_id(f"run1/{late.round}/train", late.member)
    for number in range(late.local):
        base = moved(base, *sums(said[local_id(own, number) if number else own], base))
    return base


def said_of(world: World, gateway: str) -> Said:
    watched = world.gateways[gateway]
    assert isinstance(watched, Watched)
    return watched.said


def laws(world: World, staleness: int = 31, discount: float = 0.5) -> None:
    """Holds the run's record against the oracle, and against itself."""
    assert world.cloud.models == models(world)
    taken = [fact for fact in world.cloud.facts if isinstance(fact, AnswerTaken)]
    assert len({(fact.ask, fact.member) for fact in taken}) == len(taken)
    in_rounds = [(seat.ask, name) for closed in world.rounds for name, seat in closed.seats.items() if seat.state == "taken"]
    in_rounds += [(late.ask, late.member) for closed in world.rounds for late in closed.belated]
    assert sorted(in_rounds) == sorted((fact.ask, fact.member) for fact in taken)
    version = 0
    for closed in world.rounds:
        for late in closed.belated:
            behind = version - late.base + late.local
            assert 0 <= behind <= staleness
            assert late.factor == max(1, round(1024 * (1 + behind) ** -discount))
            assert late.leaves == said_of(world, late.member)[late.ask]
        version += closed.learnt
    told_ok(world)


def told_ok(world: World) -> None:
    """What a gateway told its devices ok for is in a model, or in a record that says why not, or is still offered."""
    counted = {fact.ask for fact in world.cloud.facts if isinstance(fact, AnswerTaken)}
    refused = {(fact.number, fact.member, fact.local) for fact in world.cloud.facts if isinstance(fact, AnswerRefused)}
    fates = {(closed.number, name): seat.fate for closed in world.rounds for name, seat in closed.seats.items()}
    for name, host in world.gateways.items():
        held = {item.id for item in host.node._gateway._above.members.values() if item.state == "offering"}
        for asked, devices in said_of(world, name).items():
            number, local = where(asked, name, [closed.number for closed in world.rounds])
            if devices and asked not in counted | held and number is not None:
                assert (number, name, local) in refused or (not local and fates[number, name]), (name, number, local)


def where(asked: bytes, gateway: str, numbers: Sequence[int]) -> tuple[int | None, int]:
    """Gives the round and the local round that an Ask of the run is of; None for an evaluation."""
    for number in numbers:
        own = ask_id(f"run1/{number}/train", gateway)
        for local in range(32):
            if asked == (local_id(own, local) if local else own):
                return number, local
    return None, 0


def belated(closed: RoundClosed) -> list[tuple[str, int, int, int]]:
    return [(late.member, late.round, late.local, late.factor) for late in closed.belated]


def test_an_answer_that_comes_when_its_round_is_over_counts_in_the_open_one_at_a_discount(tmp_path: Path) -> None:
    world = federation(tmp_path, adversary=parted((1, 64)), rounds=8)
    world.run(lambda: world.finished)
    laws(world)
    # Three versions were learnt meanwhile: (1 + 3)^-0.5 = 512 / 1024.
    assert [(closed.number, late) for closed in world.rounds for late in belated(closed)] == [(4, ("g1", 1, 0, 512))]


@pytest.mark.parametrize(("discount", "factor"), [(0.0, 1024), (1.0, 256), (2.0, 64)])
def test_the_policy_says_what_it_counts(tmp_path: Path, discount: float, factor: int) -> None:
    world = federation(tmp_path, adversary=parted((1, 64)), rounds=8, discount=discount)
    world.run(lambda: world.finished)
    laws(world, discount=discount)
    assert [late for closed in world.rounds for late in belated(closed)] == [("g1", 1, 0, factor)]


@pytest.mark.parametrize(("staleness", "counts"), [(2, 0), (3, 1)])
def test_what_is_further_behind_than_the_policy_says_is_late_and_on_record(tmp_path: Path, staleness: int, counts: int) -> None:
    world = federation(tmp_path, adversary=parted((1, 64)), rounds=8, staleness=staleness)
    world.run(lambda: world.finished)
    laws(world, staleness)
    assert sum(len(closed.belated) for closed in world.rounds) == counts
    assert said_of(world, "g1")  # it had something to say


def test_a_model_that_has_not_moved_takes_it_whole(tmp_path: Path) -> None:
    world = federation(tmp_path, {"g1": ["a", "b"]}, adversary=parted((1, 200)))
    world.run(lambda: world.finished)
    laws(world)
    assert [belated(closed) for closed in world.rounds] == [[], [("g1", 1, 0, 1024)], []]
    assert [closed.closed.outcome for closed in world.rounds] == ["short", "complete", "complete"]


@pytest.mark.parametrize("victim", ["cloud", "g1"])
def test_a_crash_after_it_was_taken_changes_nothing(tmp_path: Path, victim: str) -> None:
    world = federation(tmp_path, adversary=parted((1, 64)), rounds=8)
    world.run(lambda: any(isinstance(fact, AnswerTaken) and fact.belated for fact in world.cloud.facts))
    world.hosts[victim].kill()
    world.wait(2_000)
    world.hosts[victim].start()
    world.run(lambda: world.finished)
    laws(world)
    assert [late for closed in world.rounds for late in belated(closed)] == [("g1", 1, 0, 512)]


def test_it_goes_in_pieces_as_any_answer_does(tmp_path: Path) -> None:
    world = federation(tmp_path, adversary=parted((1.5, 62)), rounds=6, parameters=34_000)
    world.run(lambda: world.finished)
    laws(world)
    assert [late[:3] for closed in world.rounds for late in belated(closed)] == [("g1", 1, 0)]


def alone(folder: Path, **policy: Any) -> World:
    """Gives a world whose only home cannot reach the cloud for ten hours."""
    return federation(folder, {"g1": ["a", "b", "c"]}, adversary=parted((1, 36_000)), **policy)


def test_a_home_that_was_not_needed_is_not_told_ok_for_nothing(tmp_path: Path) -> None:
    homes = {"g1": ["a", "b"], "g2": ["c", "d"], "g3": ["e", "f"]}
    world = federation(tmp_path, homes, cohort=Cohort(devices=4), over_selection=1.5)
    world.devices["f"].trade.train_ms = 50_000
    world.run(lambda: world.finished)
    laws(world)
    assert [closed.closed.reason for closed in world.rounds] == ["goal", "goal", "goal"]
    assert [belated(closed) for closed in world.rounds] == [[], [("g3", 1, 0, 724)], [("g3", 2, 0, 724)]]
    assert [late.leaves for closed in world.rounds for late in closed.belated] == [("e",), ("e",)]


def nine_hours(world: World) -> None:
    """Lets nine hours pass."""
    for _ in range(18):
        world.wait(HOUR // 2)


def test_a_home_whose_cloud_is_away_runs_as_many_local_rounds_as_the_policy_lets_it_and_then_waits(tmp_path: Path) -> None:
    world = alone(tmp_path, local=3)
    nine_hours(world)
    assert len(said_of(world, "g1")) == 4  # the cloud's Ask, and three of its own
    assert all(device.trained == 4 for device in world.devices.values())
    world.run(lambda: world.finished, 10 * HOUR)
    laws(world)
    # Nothing was learnt elsewhere meanwhile, so that each local round is one step further behind than the one before.
    assert belated(world.rounds[1]) == [("g1", 1, 0, 1024), ("g1", 1, 1, 724), ("g1", 1, 2, 591), ("g1", 1, 3, 512)]


def test_a_home_that_waits_for_its_cloud_does_so_for_a_while_first(tmp_path: Path) -> None:
    world = alone(tmp_path, local=1)
    world.wait(85_000)
    assert len(said_of(world, "g1")) == 1
    world.wait(15_000)
    assert len(said_of(world, "g1")) == 2


def test_after_the_hours_of_the_policy_a_home_begins_no_local_round(tmp_path: Path) -> None:
    world = alone(tmp_path, local=3, seconds=29)  # after the Ask's minute: that is before its patience is at its end
    nine_hours(world)
    assert len(said_of(world, "g1")) == 1
    world.run(lambda: world.finished, 10 * HOUR)
    laws(world)


def test_local_rounds_survive_the_death_of_the_gateway_at_any_time(tmp_path: Path) -> None:
    world = alone(tmp_path, local=4)
    for _ in range(12):
        world.wait(30_000)
        world.gateways["g1"].kill()
        world.wait(500)
        world.gateways["g1"].start()
    nine_hours(world)
    assert len(said_of(world, "g1")) == 5
    world.run(lambda: world.finished, 10 * HOUR)
    laws(world)
    assert sorted(late[:3] for late in belated(world.rounds[1])) == [("g1", 1, number) for number in range(5)]


def test_a_local_round_goes_on_although_the_cache_is_gone(tmp_path: Path) -> None:
    world = alone(tmp_path, local=2)
    gateway = world.gateways["g1"]
    world.run(lambda: len(said_of(world, "g1")) == 2)
    gateway.kill()
    for path in (world.folder / "g1" / "cache").iterdir():
        if path.stat().st_size == 4 * world.parameters:  # weights; the program can come only from the cloud
            path.unlink()
    gateway.start()
    world.run(lambda: len(said_of(world, "g1")) == 3)
    world.run(lambda: world.finished, 20 * HOUR)
    laws(world)


def test_a_newer_ask_ends_the_local_rounds_and_what_was_learnt_by_then_counts(tmp_path: Path) -> None:
    # The cloud is back in the middle of a local round, in which one device has not answered yet.
    world = federation(tmp_path, adversary=parted((1, 110)), rounds=8, local=31)
    world.devices["a"].trade.train_ms = 50_000
    world.devices["d"].trade.train_ms = world.devices["e"].trade.train_ms = 20_000
    world.run(lambda: world.finished)
    laws(world)
    locals = [late for closed in world.rounds for late in belated(closed) if late[2]]
    assert [late[:3] for late in locals] == [("g1", 1, 1)]
    leaves = [late.leaves for closed in world.rounds for late in closed.belated if late.local]
    assert leaves == [("b", "c")]


def under_fire(folder: Path, seed: int) -> World:
    """One run whose network, partitions and power a seed decides."""
    rng = Random(seed)
    homes = rng.choice([HOMES, {"g1": ["a", "b", "c"]}])
    spans, at = [], rng.randint(1, 8)
    for _ in range(rng.randint(1, 3)):
        spans.append((at, at + rng.choice([70, 120, 200])))
        at = spans[-1][1] + rng.randint(1, 60)
    adversary = parted(
        *spans,
        gateway=rng.choice(sorted(homes)),
        drop=rng.choice([0, 0.1, 0.3]),
        duplicate=rng.choice([0, 0.2]),
        corrupt=rng.choice([0, 0, 0.02]),
        reorder=rng.choice([0, 0.2]),
        cut=rng.choice([0, 0.01]),
        delay_ms=rng.choice([(1, 1), (1, 300)]),
    )
    policy = {"local": rng.choice([0, 2, 5]), "staleness": rng.choice([1, 4, 31]), "discount": rng.choice([0.0, 0.5, 1.3])}
    parameters = rng.choice([50, 50, 20_000])
    world = federation(folder, homes, seed=seed, adversary=adversary, parameters=parameters, rounds=6, **policy)
    for device in world.devices.values():
        device.trade.train_ms *= 6
    for _ in range(rng.choice([0, 1, 3])):
        world.wait(rng.randint(1, 60_000))
        if world.finished:
            break
        victim = world.hosts[rng.choice(sorted(world.hosts))]
        victim.kill()
        world.wait(rng.randint(1, 20_000))
        victim.start()
    world.run(lambda: world.finished, 4 * HOUR)
    laws(world, policy["staleness"], policy["discount"])
    world.close()
    return world


@pytest.mark.parametrize("block", range(2))
def test_under_fire_the_laws_hold(tmp_path: Path, block: int) -> None:
    late = []
    for seed in range(8 + 8 * block, 16 + 8 * block):
        world = under_fire(tmp_path / str(seed), seed)
        late += [one for closed in world.rounds for one in closed.belated]
    assert late  # the storm was one


@pytest.mark.slow
@pytest.mark.parametrize("block", range(50))
def test_under_fire_the_laws_hold_for_many_seeds(tmp_path: Path, block: int) -> None:
    for seed in range(1_000 + 10 * block, 1_000 + 10 * (block + 1)):
        under_fire(tmp_path / str(seed), seed)
