"""Asynchronous runs: a version of so many answers, whoever is at work goes on, whoever is free is asked for the newest."""

from typing import Any

import pytest

from folkmoot.link.adversary import Adversary, Partition
from folkmoot.simulate.clock import Setting
from folkmoot.simulate.faults.laws import judge
from folkmoot.simulate.faults.plan import Plan, SetClock
from folkmoot.simulate.faults.witness import Witness
from folkmoot.simulate.faults.world import World
from folkmoot.simulate.host import Stop
from folkmoot.wire.messages import Offline

SINGLE = {"g1": ("a",), "g2": ("b",), "g3": ("c",)}
TIMES = {"a": 1_000, "b": 3_000, "c": 20_000}  # ms of a job


def played(buffer: int, rounds: int, homes: Any = SINGLE, **fields: Any) -> World:
    """Gives a world whose asynchronous run is over; every law holds of it."""
    terms = {"deadline": 60_000, "offline": Offline(staleness=100), "buffer": buffer}
    plan = Plan(seed=1, homes=homes, rounds=rounds, terms=terms, adversary=fields.pop("adversary", Adversary()), **fields)
    world = World(plan)
    for name, ms in TIMES.items():
        world.devices[name].trade.train_ms = ms
    witness = Witness(world)
    world.ears.committed, world.ears.stepped = witness.store, witness.step
    world.start()
    world.launch()
    world.run(lambda: world.finished)
    world.calm()
    world.run(lambda: witness.settled)
    judge(witness)
    return world


def merged(world: World) -> list[tuple[str, int]]:
    """Gives who is in which model, and how many versions behind it was, in order."""
    found, version = [], 0
    for closed in world.cloud.rounds:
        found += [(leaf.device, 0) for leaf in closed.sums.leaves if leaf.fate == ""]
        found += [(device, version - late.base) for late in closed.belated for device in late.leaves]
        version += closed.learnt
    return found


def test_everybody_goes_on_at_its_own_pace_and_nobody_s_work_is_in_vain() -> None:
    world = played(buffer=1, rounds=45)
    found = merged(world)
    assert len(found) == 45
    assert all(closed.closed.reason == "goal" for closed in world.cloud.rounds)
    seconds = (world.cloud.spans[-1][2].at - world.cloud.spans[0][1].at) / 1000
    for device, ms in TIMES.items():
        count = sum(name == device for name, _ in found)
        assert count == pytest.approx(1000 * seconds / ms, abs=1.2)
        assert world.devices[device].trained <= count + 2  # a job that was under way at the end, and the last evaluation
    assert max(behind for name, behind in found if name == "c") > 20


def test_a_version_is_made_of_so_many_answers_as_the_run_says() -> None:
    world = played(buffer=2, rounds=12)
    for closed in world.cloud.rounds:
        assert sum(leaf.fate == "" for leaf in closed.sums.leaves) + len(closed.belated) == 2


def test_a_home_answers_as_one() -> None:
    homes = {"g1": ("a", "b"), "g2": ("c",)}
    found = merged(played(buffer=1, rounds=12, homes=homes))
    alone = [device for device, _ in found if device != "c"]
    assert len(alone) >= 10
    assert alone[::2] == ["a"] * (len(alone) // 2)
    assert alone[1::2] == ["b"] * (len(alone) // 2)


def test_more_answers_than_there_are_devices_are_not_waited_for() -> None:
    world = played(buffer=9, rounds=3)
    assert [len(closed.sums.leaves) for closed in world.cloud.rounds] == [3, 3, 3]
    assert all(closed.closed.reason == "goal" for closed in world.cloud.rounds)


def test_a_home_that_is_lost_in_the_middle_of_its_work_is_asked_again_at_its_deadline() -> None:
    away = Partition(frozenset({"g2"}), 2_000, 70_000)
    world = played(buffer=1, rounds=110, adversary=Adversary(partitions=(away,)))
    times = [span[2].at for span in world.cloud.spans for late in span[2].fact.belated if late.member == "g2"]
    assert max(times) > 80_000


def test_the_record_has_what_answers_say_of_devices_that_came_later_also_where_the_cloud_was_off() -> None:
    world = played(buffer=2, rounds=20, mishaps=(Stop("cloud", 9_000, 0, True, 2_000),))
    late = [(one, closed.below) for closed in world.cloud.rounds for one in closed.belated]
    assert late
    for one, below in late:
        assert tuple(leaf.device for leaf in below[one.payload] if not leaf.fate) == one.leaves


def test_a_job_that_outlives_the_cloud_counts() -> None:
    world = played(buffer=1, rounds=20, mishaps=(Stop("cloud", 9_000, 0, True, 2_000),))
    count = [device for device, _ in merged(world)].count("c")
    assert count >= 1
    assert world.devices["c"].trained <= count + 2


def test_a_home_whose_gateway_was_off_is_asked_anew_at_once() -> None:
    world = played(buffer=1, rounds=50, mishaps=(Stop("g3", 9_000, 0, True, 2_000),))
    times = [span[2].at for span in world.cloud.spans for late in span[2].fact.belated if late.member == "g3"]
    assert times[0] < 45_000  # the device ends its first job before it begins another


@pytest.mark.parametrize("setting", ["1970", "next year"])
def test_wall_clocks_do_not_matter(setting: Setting) -> None:
    clocks = tuple(SetClock(host, 5_000, setting) for host in ("cloud", "g1", "c"))
    assert merged(played(buffer=1, rounds=30, mishaps=clocks)) == merged(played(buffer=1, rounds=30))
