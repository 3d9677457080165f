"""What machines are is a pure function of the scenario and of their numbers."""

from functools import partial
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot.simulate.scenario import profile
from folkmoot.simulate.scenario.document import Absence, Fleet, Kind, Line, Region, Scenario

spans = st.tuples(st.floats(0.5, 500), st.floats(0.5, 500)).map(sorted).map(tuple)
lines = st.builds(Line, latency_ms=spans, up_kbps=st.none() | spans, down_kbps=st.none() | spans)
kinds = st.lists(st.builds(Kind, share=st.floats(0.1, 9), step_ms=spans, line=lines), min_size=1, max_size=3).map(tuple)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    homes = draw(st.integers(1, 30))
    counts = sorted(draw(st.lists(st.integers(1, homes), max_size=3)))
    regions = tuple(Region(name=f"tier-{number}", count=count, line=draw(lines)) for number, count in enumerate(counts))
    devices = draw(st.integers(homes, 200))
    fleet = Fleet(homes=homes, devices=devices, kinds=draw(kinds), line=draw(lines), regions=regions)
    return Scenario(seed=draw(st.integers(0, 1 << 40)), fleet=fleet)


@given(scenarios())
def test_every_device_stands_in_one_home_and_no_home_is_empty(scenario: Scenario) -> None:
    homes = [profile.home(scenario, number) for number in range(scenario.fleet.homes)]
    assert [device for home in homes for device in home.below] == list(range(scenario.fleet.devices))
    assert all(home.below for home in homes)


@given(scenarios())
def test_every_gateway_stands_below_one_of_the_tier_above_and_none_is_without_a_home(scenario: Scenario) -> None:
    tiers = [tier.count for tier in scenario.fleet.regions]
    assert profile.branches(scenario) == [*tiers, scenario.fleet.homes][0]
    for tier, (count, below) in enumerate(pairwise([*tiers, scenario.fleet.homes])):
        gateways = [profile.region(scenario, tier, number) for number in range(count)]
        assert [one for gateway in gateways for one in gateway.below] == list(range(below))
        assert all(gateway.below for gateway in gateways)
        assert len({gateway.name for gateway in gateways}) == count


@given(scenarios())
def test_what_is_drawn_lies_between_the_least_and_the_most(scenario: Scenario) -> None:
    for number in range(min(20, scenario.fleet.devices)):
        device = profile.device(scenario, number)
        assert device == profile.device(scenario, number)
        low, high = device.kind.step_ms
        assert low * 0.999 <= device.step_ms <= high * 1.001
        if device.kind.line.up_kbps is not None:
            low, high = device.kind.line.up_kbps
            assert low / 8 * 0.999 <= device.shape.up <= high / 8 * 1.001


@given(scenarios())
def test_nothing_reaches_the_cloud_faster_than_the_window_that_it_and_its_branches_go_on_by(scenario: Scenario) -> None:
    window = profile.lookahead(scenario)
    assert window >= 1
    of = partial(profile.region, scenario, 0) if scenario.fleet.regions else partial(profile.home, scenario)
    assert all(of(number).shape.latency_ms >= window for number in range(profile.branches(scenario)))


def test_a_small_fleet_comes_up_at_once_and_a_large_one_branch_by_branch_with_neighbours_apart() -> None:
    few: dict[str, Any] = {"cohort": {"devices": 10}}
    small, large = (Scenario(fleet=Fleet(homes=devices // 20, devices=devices), run=few) for devices in (1_000, 10_000))
    assert {profile.begins(small, number) for number in range(50)} == {0}
    assert profile.settled(small) == 0
    begins = [profile.begins(large, number) for number in range(500)]
    assert sorted(begins) == [max(0, 20 * rank - 1_000) for rank in range(500)]
    assert max(begins) < profile.settled(large) == 9_000
    for half in (begins[:250], begins[250:]):
        assert sorted(half)[125] == pytest.approx(sorted(begins)[250], abs=200)


def test_a_large_fleet_of_which_all_are_asked_comes_up_at_once() -> None:
    large = Scenario(fleet=Fleet(homes=500, devices=10_000))
    assert {profile.begins(large, number) for number in range(500)} == {0}
    assert profile.settled(large) == 0


@pytest.mark.parametrize(
    ("cohort", "share"),
    [
        ({}, 1.0),
        ({"devices": 100}, 0.18),
        ({"devices": 10_000}, 1.0),
        ({"devices": 20_000}, 1.0),
        ({"fraction": 0.01}, 0.18),
        ({"fraction": 1}, 1.0),
        ("nobody", 1.0),
    ],
)
def test_how_many_branches_a_round_asks(cohort: object, share: float) -> None:
    scenario = Scenario(fleet=Fleet(homes=500, devices=10_000), run={"cohort": cohort})
    assert profile.busy(scenario) == pytest.approx(share, abs=0.01)


def test_other_seeds_are_other_fleets() -> None:
    one, other = (profile.device(Scenario(seed=seed), 3) for seed in (1, 2))
    assert one.step_ms != other.step_ms


def test_jobs_take_each_time_as_often_as_the_others_and_in_no_fixed_order() -> None:
    kind = Kind(job_seconds=(1, 2, 4), job_noise=0.001)
    device = profile.device(Scenario(fleet=Fleet(kinds=(kind,))), 3)
    found = [round(ms / 1000) for ms in islice(profile.jobs(device), 30)]
    triples = [tuple(found[at : at + 3]) for at in range(0, 30, 3)]
    assert all(sorted(three) == [1, 2, 4] for three in triples)
    assert len(set(triples)) > 2
    assert list(islice(profile.jobs(device), 9)) == list(islice(profile.jobs(device), 9))


def test_absences_follow_one_another() -> None:
    found = list(islice(profile.absences(Absence(every_hours=1, for_minutes=6), 5), 2_000))
    assert all(gone < back for gone, back in found)
    assert all(back < gone for (_, back), (gone, _) in pairwise(found))
    away = sum(back - gone for gone, back in found) / found[-1][1]
    assert 0.08 < away < 0.1  # 6 of 66 minutes
