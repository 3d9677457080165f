"""Whole scenarios, with the real runtime: the same whoever moves them on, and what their tables say is so."""

import gc
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from folkmoot import tasks
from folkmoot.errors import UserFault
from folkmoot.simulate.result.tables import Result
from folkmoot.simulate.scenario import crew, examples, profile
from folkmoot.simulate.scenario.centre import Centre
from folkmoot.simulate.scenario.clockwork import Clockwork
from folkmoot.simulate.scenario.document import (
    Absence,
    Battery,
    Clock,
    Data,
    Fleet,
    Kind,
    Line,
    Needs,
    Region,
    Scenario,
    Trace,
)
from folkmoot.simulate.scenario.play import play, read
from folkmoot.simulate.scenario.trace import State
from folkmoot.simulate.stuck import Stuck
from folkmoot.wire import bundle

ROUGH = Kind(
    name="rough",
    step_ms=(300.0, 900.0),
    line=Line(up_kbps=(200.0, 2_000.0), loss=0.05),
    away=Absence(every_hours=0.02, for_minutes=0.5),
    reboot=Absence(every_hours=0.05, for_minutes=0.2),
    battery=Battery(joules=(20.0, 60.0), charges=(0.02, 0.03), starts=20.0),
    needs=Needs(battery=10.0),
    clock=Clock(off_hours=2.0, drift_ppm=50.0),
)
WALK = (
    State(0, connected=True, battery=60.0, charging=False, up_kbps=800.0),
    State(30_000, connected=False, battery=60.0, charging=False, up_kbps=800.0),
    State(40_000, connected=True, battery=15.0, charging=False, up_kbps=90.0),
    State(70_000, connected=True, battery=15.0, charging=True, up_kbps=90.0),
)
CARRIED = Kind(
    name="carried",
    needs=Needs(battery=20.0),
    trace=Trace(file=Path("walk.csv"), hours=0.025, shift=True, series=(WALK, WALK[:3])),
)
OURS = ("workers", "wall_seconds")  # facts of how it was done


def scenario(**fields: object) -> Scenario:
    """Gives a small one in which something happens."""
    run = {"rounds": 6, "deadline_seconds": 20, "plan": {"epochs": 2}}
    outages = Absence(every_hours=0.05, for_minutes=0.3)
    regions = (Region(name="country", count=3, away=outages), Region(name="street", count=3))
    kinds, clock = (Kind(), ROUGH, CARRIED), Clock(off_hours=1.0)
    fleet = Fleet(homes=4, devices=24, kinds=kinds, away=outages, regions=regions, clock=clock)
    return msgspec.structs.replace(Scenario(seed=5, fleet=fleet, run=run), **fields)


def plain(result: Result) -> object:
    """Gives all that must not depend on how it was done."""
    return msgspec.structs.replace(result, facts={name: it for name, it in result.facts.items() if name not in OURS})


@pytest.fixture(scope="module")
def alone() -> Result:
    """Gives what comes of the small one in this process."""
    return play(scenario(), 0)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_what_comes_of_it_does_not_depend_on_the_number_of_processes(alone: Result, workers: int) -> None:
    assert plain(play(scenario(), workers)) == plain(alone)


def test_another_seed_is_another_run(alone: Result) -> None:
    assert play(scenario(seed=6), 0).members != alone.members


def test_its_devices_learn(alone: Result) -> None:
    assert len(alone.rounds) == 6
    first, last = alone.rounds[0].accuracy, alone.rounds[-1].accuracy
    assert first is not None
    assert last is not None
    assert last > first + 0.1


def test_the_tables_agree_with_one_another(alone: Result) -> None:
    for one in alone.rounds:
        members = [member for member in alone.members if member.round == one.number]
        assert len(members) == one.asked
        assert sum(not member.fate for member in members) == one.merged
        assert one.merged <= one.answered
        assert one.bytes_up_home == sum(member.bytes_up for member in members)
        assert one.opened_s < one.closed_s
        assert one.messages >= 3 * one.merged
    for device in alone.devices:
        mine = [member for member in alone.members if member.device == device.device]
        assert (device.asked, device.merged) == (len(mine), sum(not member.fate for member in mine))
        assert sum(member.bytes_up for member in mine) <= device.bytes_up
    for member in alone.members:
        times = [at for at in (member.asked_s, member.started_s, member.trained_s, member.answered_s) if at is not None]
        assert times == sorted(times)
        assert member.fate or member.answered_s is not None


def test_every_hop_is_in_the_bytes_of_a_round_and_what_it_leaves_in_the_database() -> None:
    run = {"rounds": 2, "evaluate": False, "plan": {"epochs": 1}}
    regions = (Region(name="country", count=2), Region(name="street", count=3))
    flat, deep = (play(scenario(fleet=Fleet(homes=4, devices=8, regions=tiers), run=run), 0) for tiers in ((), regions))
    for one in flat.rounds:
        assert (one.bytes_up_between, one.bytes_down_between) == (0, 0)
        assert one.rows == 1 + (4 + 8) + 4 + 1  # the round, its members, the answers of homes, the model
    for one, other in zip(deep.rounds, flat.rounds, strict=True):
        assert one.rows == 1 + (2 + 8) + 2 + 1
        # 4 homes and 3 streets send as much as 4 homes send to the cloud where nothing is between, but for what they name.
        assert one.bytes_up_between == pytest.approx(other.bytes_up_cloud * 7 / 4, rel=0.1)
        assert one.bytes_down_between == pytest.approx(other.bytes_down_cloud * 7 / 4, rel=0.1)
        assert one.bytes == sum(getattr(one, name) for name in msgspec.structs.asdict(one) if name.startswith("bytes_"))
        assert one.messages > other.messages


def test_what_was_to_go_wrong_has_gone_wrong(alone: Result) -> None:
    rough = [device for device in alone.devices if device.kind == "rough"]
    assert sum(device.away_s for device in rough) > 10
    assert sum(device.reboots for device in rough) > 0
    assert sum(device.off_s for device in rough) > 0
    assert all((device.battery_j is None) == (device.kind != "rough") for device in alone.devices)
    assert any(device.away_s for device in alone.devices if device.kind == "carried")
    assert not any(device.away_s or device.reboots or device.off_s for device in alone.devices if device.kind == "device")
    assert {member.fate for member in alone.members} > {""}


def test_a_slower_fleet_takes_longer() -> None:
    quick, slow = (
        play(scenario(fleet=Fleet(homes=2, devices=8, kinds=(Kind(step_ms=(ms, ms)),)), run={"rounds": 2}), 0)
        for ms in (5.0, 500.0)
    )
    assert slow.rounds[-1].closed_s > quick.rounds[-1].closed_s + 1
    assert slow.rounds[-1].accuracy == quick.rounds[-1].accuracy


def test_what_nobody_has_learnt_is_added_up_all_the_same() -> None:
    found = play(scenario(data=Data(examples="none"), run={"rounds": 2, "evaluate": False}), 0)
    assert [one.outcome for one in found.rounds] == ["complete", "complete"]
    assert {member.examples for member in found.members if not member.fate} == {20}
    assert not any(one.accuracy for one in found.rounds)


@pytest.fixture(scope="module")
def encoded() -> Result:
    """Gives what comes of the small one whose updates travel as int8."""
    return play(scenario(run={**scenario().run, "transform": "int8"}), 0)


def test_a_fleet_learns_as_well_where_updates_travel_as_int8_and_sends_less(alone: Result, encoded: Result) -> None:
    assert [one.merged for one in encoded.rounds] == [one.merged for one in alone.rounds]
    for plain, rounded in zip(alone.rounds, encoded.rounds, strict=True):
        assert rounded.accuracy == pytest.approx(plain.accuracy, abs=0.02)
        assert rounded.bytes_up_home < 0.5 * plain.bytes_up_home


def test_what_was_rounded_at_random_does_not_depend_on_the_number_of_processes(encoded: Result) -> None:
    assert plain(play(scenario(run={**scenario().run, "transform": "int8"}), 2)) == plain(encoded)


def test_a_run_that_cannot_end_is_given_up() -> None:
    with pytest.raises(Stuck, match=r"not over after 0\.02 hours"):
        play(scenario(run={"rounds": 100_000, "deadline_seconds": 3}, hours=0.02), 1)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"task": "mnist"}, "task = 'mnist' is no file, and none of digits-cnn, digits-mlp, har: name one of them"),
        ({"task": __file__}, "is no bundle"),
        ({"task": "har"}, 'write examples = "generated"'),
        ({"run": {"rounds": 0}}, "run.rounds: Input should be greater than or equal to 1"),
        ({"run": {"round": 3}}, "run.round: Extra inputs are not permitted"),
        ({"run": {"strategy": {"name": "fedmagic"}}}, "fedmagic"),
        ({"run": {"plan": {"only": ["nose"]}}}, "run: task digits-mlp does not train nose"),
        ({"run": {"cohort": {"devices": 20}, "precision": {"cap": 1 << 22}}}, "lower the cap"),
        ({"run": {"precision": {"scale": 52}}}, "scale"),
        ({"fleet": Fleet(homes=1, devices=9_000)}, "have at least 2 gateways of the tier home"),
        ({"fleet": Fleet(homes=90, devices=9_000, regions=(Region(name="county", count=1),))}, "of the tier county"),
    ],
)
@pytest.mark.parametrize("workers", [0, 1])
def test_what_cannot_be_simulated_is_said(fields: dict[str, object], says: str, workers: int) -> None:
    with pytest.raises(UserFault) as fault:
        play(scenario(**fields), workers)
    assert says in str(fault.value)


@pytest.mark.parametrize("source", ["digits", "generated"])
def test_examples_are_the_same_ones_every_time(source: str) -> None:
    contract = bundle.load(read("digits-mlp"))[1].manifest.contract
    data = Data(examples=source, each=15)  # type: ignore[arg-type]
    one, other = (examples.make(scenario(data=data), contract) for _ in range(2))
    for device in range(24):
        (x, y), (again, labels) = one.of(device), other.of(device)
        assert (x == again).all()
        assert (y == labels).all()
        assert x.shape == (one.size(device), *contract.x_shape)
        assert len(y) == one.size(device)


def test_every_task_that_comes_with_folkmoot_can_be_read() -> None:
    assert all(bundle.load(read(name)) for name in tasks.names())


def test_a_process_that_is_killed_ends_the_simulation_with_a_sentence() -> None:
    content, _ = bundle.load(read("digits-mlp"))
    one, other = crew.hire(scenario(), content.program, 2)
    one.end()
    other.end()
    one._process.kill()  # type: ignore[attr-defined]
    one._process.join()  # type: ignore[attr-defined]
    with pytest.raises(crew.Died, match="a process of the simulation has ended"):
        one.begin((1_000, []))
        one.end()
    other.close(0)
    tallies, _ = other.record()
    assert tallies


@pytest.mark.parametrize(
    "run",
    [{"evaluate": True}, {"buffer": 4, "evaluate": False, "offline": {"staleness": 5, "discount": 0.5}}],
    ids=["rounds", "versions"],
)
def test_a_fleet_that_nothing_befalls_leaves_nothing_to_the_collector(run: dict[str, object]) -> None:
    calm = scenario(fleet=Fleet(homes=4, devices=24, regions=(Region(name="street", count=2),)), run={"rounds": 5, **run})
    assert profile.calm(calm)
    data = read(calm.task)
    content, _ = bundle.load(data)
    centre, found = Centre(calm, data), dict[int, int]()

    def look() -> None:
        if centre.done not in found:
            found[centre.done] = gc.collect()

    gc.disable()
    try:
        Clockwork(calm, centre, crew.hire(calm, content.program, 0)).run(look)
    finally:
        gc.enable()
    assert {found[done] for done in found if done > 1} == {0}
    assert max(found) >= 4


def test_a_simulation_loads_nothing_that_serves_and_nothing_that_it_does_not_use() -> None:
    code = (
        "import sys; from folkmoot.simulate.scenario import play; from folkmoot.simulate.tiers import tier\n"
        "for name in ('cloud', 'gateway', 'device'): tier(name)\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"fastapi", "starlette", "uvicorn", "sklearn", "scipy", "matplotlib", "typer"}.isdisjoint(loaded)
