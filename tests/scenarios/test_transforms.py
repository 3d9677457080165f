"""Federations whose updates travel as int8: exact as ever from the gateway on, and whoever is too old for it takes part."""

from pathlib import Path
from typing import Any

import msgspec

from folkmoot.hop import member
from folkmoot.wire import partial
from folkmoot_device.simulated import ToyTrade, Work
from tests.kit import toy
from tests.kit.world import World

HOMES = {"g1": ["a", "b", "c"], "g2": ["d", "e"]}


class Old(ToyTrade):
    """A device of before there were transforms."""

    def work(self, item: member.Member, library: Any) -> Work:
        """Does the Ask as if it did not say how its update may travel."""
        return super().work(_about(item, msgspec.structs.replace(item.ask, transform=None)), library)


class Broken(ToyTrade):
    """A device whose encoder loses the last byte."""

    def work(self, item: member.Member, library: Any) -> Work:
        """Does the Ask."""
        found = super().work(item, library)
        content = partial.load(found.payload, limit=len(found.payload))
        groups = {name: msgspec.structs.replace(one, data=bytes(one.data)[:-1]) for name, one in content.groups.items()}
        return Work(found.ms, partial.dump(msgspec.structs.replace(content, groups=groups)))


def _about(item: member.Member, ask: Any) -> member.Member:
    found = member.Member()
    found.ask = ask
    return found


def learnt(folder: Path, homes: dict[str, list[str]], transform: str | None, trades: dict[str, type[ToyTrade]]) -> World:
    """Gives a world that has had its three rounds; `trades`: of devices that are not as the others."""
    world = World(folder, homes, parameters=2_000)
    for name, trade in trades.items():
        world.devices[name].trade = trade(name, 1, world.parameters, world.plan.max_packet)
    world.start()
    world.cloud.enter(toy.campaign(world.parameters, transform=transform))
    world.run(lambda: world.finished)
    return world


def merged(world: World) -> list[list[str]]:
    """Gives whose updates are in the model of each round."""
    return [[leaf.device for leaf in closed.sums.leaves if not leaf.fate] for closed in world.rounds]


def test_a_tree_of_homes_ends_in_the_same_bits_as_one_home_and_in_other_ones_than_float32(tmp_path: Path) -> None:
    trees = [{"g1": list("abcde")}, HOMES, {f"g{name}": [name] for name in "abcde"}]
    ends = {learnt(tmp_path / str(i), homes, "int8", {}).cloud.models["run1", 3] for i, homes in enumerate(trees)}
    assert len(ends) == 1
    assert ends != {learnt(tmp_path / "float32", HOMES, None, {}).cloud.models["run1", 3]}


def test_a_device_that_does_not_know_the_transform_sends_float32_and_counts_as_the_others_do(tmp_path: Path) -> None:
    mixed = learnt(tmp_path / "mixed", HOMES, "int8", {"b": Old, "d": Old})
    assert merged(mixed) == [list("abcde")] * 3
    old = learnt(tmp_path / "old", HOMES, "int8", dict.fromkeys("abcde", Old))
    assert old.cloud.models == learnt(tmp_path / "none", HOMES, None, {}).cloud.models
    assert mixed.cloud.models["run1", 3] != old.cloud.models["run1", 3]


def test_what_cannot_be_decoded_is_refused_in_a_word_and_changes_nothing(tmp_path: Path) -> None:
    world = learnt(tmp_path / "broken", HOMES, "int8", {"c": Broken})
    for closed in world.rounds:
        assert {leaf.device: leaf.fate for leaf in closed.sums.leaves}["c"] == "rejected:malformed"
    assert merged(world) == [list("abde")] * 3
    without = learnt(tmp_path / "without", {"g1": ["a", "b"], "g2": ["d", "e"]}, "int8", {})
    assert world.cloud.models == without.cloud.models
