"""A home whose cloud is away: its answers count when it is back, and until then it goes on by itself."""

import hashlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from folkmoot.errors import PeerFault
from folkmoot.hop import round as hop
from folkmoot.hop.batch import Batch
from folkmoot.hop.lower import PREFIX
from folkmoot.link.adversary import Adversary, Partition
from folkmoot.serve.driver import Input
from folkmoot.wire import partial
from folkmoot.wire.messages import Offline
from folkmoot_cloud.runner.node import AnswerRefused, AnswerTaken, RoundClosed
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
            try:
                self._said[bytes.fromhex(keep.owner.removeprefix(PREFIX))] = partial.load(keep.content, limit=1 << 30).merged
            except PeerFault:
                pass  # the weights that a local round starts from
        return batches


class Watched(GatewayHost):
    """A gateway with a witness."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
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
    world = World(folder, dict(homes), **fields)
    for name in homes:
        world.gateways[name] = world.hosts[name] = Watched(world, name)
    world.start()
    world.cloud.enter(toy.campaign(world.parameters, rounds, offline=policy))
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


def started(world: World, late: hop.Belated, base: Weights) -> Weights:
    """Gives the weights that a belated answer started from: a home's local rounds go on from one another."""
    said = said_of(world, late.member)
    own = hop.ask_id(f"run1/{late.round}/train", late.member)
    for number in range(late.local):
        base = moved(base, *sums(said[hop.local_id(own, number) if number else own], base))
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
    """Whatever a device was told ok for is in a model, or in a record that says why not."""
    counted = {fact.ask for fact in world.cloud.facts if isinstance(fact, AnswerTaken)}
    refused = {(fact.number, fact.member, fact.local) for fact in world.cloud.facts if isinstance(fact, AnswerRefused)}
    fates = {(closed.number, name): seat.fate for closed in world.rounds for name, seat in closed.seats.items()}
    for name, host in world.gateways.items():
        for ask_id, devices in said_of(world, name).items():
            if not devices or ask_id in counted:
                continue
            number, local = where(ask_id, name, [closed.number for closed in world.rounds])
            if number is not None:
                assert (number, name, local) in refused or fates[number, name] != "", (host.name, number, local)


def where(ask_id: bytes, gateway: str, numbers: Sequence[int]) -> tuple[int | None, int]:
    """Gives the round and the local round that an Ask of the run is of; None for an evaluation."""
    for number in numbers:
        own = hop.ask_id(f"run1/{number}/train", gateway)
        for local in range(32):
            if ask_id == (hop.local_id(own, local) if local else own):
                return number, local
    return None, 0


def belated(closed: RoundClosed) -> list[tuple[str, int, int, int]]:
    return [(late.member, late.round, late.local, late.factor) for late in closed.belated]


def test_an_answer_that_comes_when_its_round_is_over_counts_in_the_next_one_at_a_discount(tmp_path: Path) -> None:
    world = federation(tmp_path, adversary=parted((2, 90)), rounds=4)
    world.run(lambda: world.finished)
    assert [late for closed in world.rounds for late in belated(closed)] == [("g1", 1, 0, 724)]
    laws(world)
    world.close()
