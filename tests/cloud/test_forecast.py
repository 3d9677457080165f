"""What is predicted of fleets of which everything is known."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import folkmoot_cloud.runner.engine as cloud
import folkmoot_gateway.node as gateway
from folkmoot_cloud.predictions import patience
from folkmoot_cloud.predictions.forecast import forecast
from folkmoot_cloud.predictions.measured import Device, Fleet, Power, Wish
from folkmoot_cloud.predictions.outlook import Forecast, Spread
from folkmoot_cloud.predictions.samples import GRAINS, Measured, Samples, spread
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runner.campaign import Cohort
from folkmoot_cloud.runner.load import selector
from folkmoot_gateway import serve
from tests.kit import fleets
from tests.kit.fleets import Town

SECONDS = {"a": 3.0, "b": 5.0, "c": 4.0, "d": 20.0, "e": 7.0}
TOWN = Town({"g1": ["a", "b"], "g2": ["c", "d", "e"]}, {"g1": 0.5, "g2": 0.25})


def foresee(fleet: Fleet, wish: Wish, seed: int = 0, entries: int = 4_000) -> Forecast:
    found = forecast(fleet, wish, Power(), selector(), np.random.default_rng(seed), entries)
    assert found is not None
    return found


def figures(spread: Spread) -> tuple[float, float, float]:
    return spread.p10, spread.median, spread.p90


def is_exactly(spread: Spread, value: float) -> None:
    assert figures(spread) == pytest.approx((value,) * 3, rel=1e-9, abs=1e-9)


def test_a_fleet_that_never_varies_is_predicted_exactly() -> None:
    fleet = TOWN.fleet(*[TOWN.past(SECONDS.__getitem__)] * 3)
    found = foresee(fleet, TOWN.wish(rounds=10, evaluate=True))
    is_exactly(found.round.seconds, 20.25)
    is_exactly(found.run.seconds, 10 * 20.25 + 0.5)  # at the end, models are only evaluated
    is_exactly(found.run.drop_outs, 0)
    is_exactly(found.round.bytes_up, 2 * fleets.UP)
    is_exactly(found.run.bytes_down, 20 * fleets.DOWN)
    is_exactly(found.round.home_bytes_up, 5 * fleets.HOME_UP)
    is_exactly(found.run.home_bytes_down, 50 * fleets.HOME_DOWN)
    is_exactly(found.round.joules, 2 * sum(SECONDS.values()) + 5 * 5 * (fleets.HOME_UP + fleets.HOME_DOWN) / 1e6)
    is_exactly(found.devices.asked, 5)
    is_exactly(found.devices.answered, 5)
    assert (found.short, found.waiting) == (0, 0)
    assert (found.basis.rounds, found.basis.measurements, found.basis.own, found.basis.alike) == (3, 15, 5, 0)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.floats(0.01, 500), min_size=1, max_size=4), min_size=1, max_size=5),
    st.floats(0.0, 20),
    st.integers(1, 50),
)
def test_whatever_a_fleet_that_never_varies_looks_like_it_is_predicted_exactly(
    jobs: list[list[float]], way: float, rounds: int
) -> None:
    homes = {f"g{at}": [f"d{at}-{one}" for one in range(len(below))] for at, below in enumerate(jobs)}
    seconds = {f"d{at}-{one}": each for at, below in enumerate(jobs) for one, each in enumerate(below)}
    town = Town(homes, {home: way + at for at, home in enumerate(homes)})
    past = town.past(seconds.__getitem__, deadline=10_000)
    found = foresee(town.fleet(past, past), town.wish(rounds=rounds, deadline=10_000))
    is_exactly(found.round.seconds, past.seconds)
    is_exactly(found.run.seconds, rounds * past.seconds)
    is_exactly(found.devices.answered, len(seconds))


def test_steps_and_what_is_beside_them_are_told_apart_where_plans_have_differed() -> None:
    def job(epochs: int) -> Callable[[str], float]:
        return lambda device: 2.0 + epochs * SECONDS[device]

    fleet = TOWN.fleet(*(TOWN.past(job(epochs), epochs) for epochs in (1, 3, 1)))
    is_exactly(foresee(fleet, TOWN.wish(epochs=5)).round.seconds, 102.25)
    is_exactly(foresee(fleet, TOWN.wish(epochs=1)).round.seconds, 22.25)
    alike = TOWN.fleet(TOWN.past(job(1)), TOWN.past(job(1)))
    found = foresee(alike, TOWN.wish(epochs=5))
    assert not found.basis.split
    is_exactly(found.round.seconds, 110.25)  # all of it is taken to go with the steps


def test_a_deadline_that_is_too_short_loses_whom_it_must() -> None:
    fleet = TOWN.fleet(*[TOWN.past(SECONDS.__getitem__)] * 3)
    found = foresee(fleet, TOWN.wish(deadline=10.0))
    is_exactly(found.devices.late, 1)
    is_exactly(found.devices.answered, 4)
    is_exactly(found.round.seconds, 9.25)  # the home waits for nine tenths of it
    is_exactly(found.run.drop_outs, 10)
    is_exactly(found.round.joules, 2 * (3 + 5 + 4 + 9 + 7) + 5 * (4 * fleets.HOME_UP + 5 * fleets.HOME_DOWN) / 1e6)
    whole = foresee(fleet, TOWN.wish(deadline=10.0, minimum=5))
    assert whole.short == 1


def test_shorter_deadlines_are_tried_on_the_same_rounds() -> None:
    fleet = TOWN.fleet(*[TOWN.past(SECONDS.__getitem__)] * 3)
    found = foresee(fleet, TOWN.wish(deadline=600.0))
    tried = [one.deadline for one in found.deadlines]
    assert tried == sorted(tried)
    assert tried[-1] == 600.0
    for one in found.deadlines:
        alone = foresee(fleet, TOWN.wish(deadline=one.deadline))
        assert (one.seconds, one.answered) == (alone.round.seconds, alone.devices.answered)


def test_a_round_with_a_goal_closes_with_the_answer_that_reaches_it() -> None:
    town = Town({f"g{at}": [f"d{at}"] for at in range(10)}, {f"g{at}": 0.0 for at in range(10)})
    fleet = town.fleet(*[town.past(lambda device: 1.0 + int(device[1:]))] * 2)
    found = foresee(fleet, town.wish(cohort=Cohort(devices=7), over_selection=10 / 7))
    is_exactly(found.devices.asked, 10)
    is_exactly(found.devices.answered, 7)
    is_exactly(found.devices.late, 3)
    is_exactly(found.round.seconds, 7.0)


def test_who_is_not_asked_does_not_count() -> None:
    fleet = TOWN.fleet(TOWN.past(SECONDS.__getitem__))
    is_exactly(foresee(fleet, TOWN.wish(cohort=Cohort(gateways=frozenset({"g1"})))).round.seconds, 5.5)
    is_exactly(foresee(fleet, TOWN.wish(cohort=Cohort(listed=frozenset("ae")))).round.seconds, 7.25)
    one = foresee(fleet, TOWN.wish(cohort=Cohort(devices=1)))
    is_exactly(one.devices.asked, 1)
    assert (one.round.seconds.p10, one.round.seconds.p90) == (3.5, 20.25)


def test_a_run_that_never_finds_its_devices_has_no_forecast() -> None:
    fleet = TOWN.fleet(TOWN.past(SECONDS.__getitem__))
    assert forecast(fleet, TOWN.wish(minimum=6), Power(), selector(), np.random.default_rng(0)) is None
    assert forecast(replace(fleet, devices=[], homes={}), TOWN.wish(), Power(), selector(), np.random.default_rng(0)) is None
    away = replace(fleet, devices=[replace(one, up=0.5) for one in fleet.devices])
    assert foresee(away, TOWN.wish(minimum=3)).waiting == pytest.approx(0.5, abs=0.08)


def test_a_fleet_that_takes_no_time_is_none_to_stumble_over() -> None:
    town = Town(TOWN.homes, {"g1": 0.0, "g2": 0.0})
    found = foresee(town.fleet(town.past(lambda _: 0.0)), town.wish())
    is_exactly(found.run.seconds, 0.0)
    assert [one.deadline for one in found.deadlines] == [600.0]


def test_equal_arguments_give_equal_forecasts_and_another_seed_another_one() -> None:
    fleet = TOWN.fleet(TOWN.past(SECONDS.__getitem__), TOWN.past(lambda device: SECONDS[device] * 1.3))
    wish = TOWN.wish(cohort=Cohort(devices=2))
    assert foresee(fleet, wish, 1) == foresee(fleet, wish, 1)
    assert foresee(fleet, wish, 1) != foresee(fleet, wish, 2)


def test_a_device_that_was_never_asked_is_like_others_of_its_kind() -> None:
    past = TOWN.past(SECONDS.__getitem__)
    known = TOWN.fleet(past)
    new = [Device("x", "g1", TOWN.examples, 1.0), Device("y", "g3", TOWN.examples, 1.0)]
    kinds = {**known.kinds, "d": ("folkmoot 1", "litert", 1 << 20), "x": ("folkmoot 1", "litert", 1 << 20)}
    fleet = replace(known, devices=[*known.devices, *new], homes={**known.homes, "g3": 1.0}, kinds=kinds)
    found = foresee(fleet, TOWN.wish(cohort=Cohort(listed=frozenset("ax"))))
    is_exactly(found.round.seconds, 20.5)
    assert (found.basis.own, found.basis.alike, found.basis.others) == (5, 1, 1)
    assert (found.basis.homes, found.basis.homes_others) == (2, 1)
    both = foresee(fleet, TOWN.wish(rounds=5, cohort=Cohort(listed=frozenset("xy"))))
    # Both have the program to fetch, and so has the new home.
    is_exactly(both.run.home_bytes_down, 5 * 2 * fleets.HOME_DOWN + 2 * fleets.PROGRAM)
    is_exactly(both.run.bytes_down, 5 * 2 * fleets.DOWN + fleets.PROGRAM)


def test_what_brought_the_program_is_no_part_of_what_is_to_come() -> None:
    past = TOWN.past(SECONDS.__getitem__)
    first = replace(
        past,
        bytes_down=past.bytes_down + 7 * fleets.PROGRAM,
        members=[one if one.device else replace(one, bytes_down=fleets.DOWN + fleets.PROGRAM) for one in past.members],
    )
    found = foresee(replace(TOWN.fleet(first, past), complete=True), TOWN.wish())
    is_exactly(found.round.bytes_down, 2 * fleets.DOWN)
    is_exactly(found.round.home_bytes_down, 5 * fleets.HOME_DOWN)


def test_as_many_drop_out_as_have_dropped_out() -> None:
    town = Town({f"g{at}": [f"d{at}-{one}" for one in range(4)] for at in range(10)}, {f"g{at}": 0.1 for at in range(10)})
    rng = np.random.default_rng(5)
    silent = [[one for one in town.devices if rng.random() < 0.2] for _ in range(20)]
    rounds = [town.past(lambda _: 1.0, deadline=20, silent=each) for each in silent]
    found = foresee(town.fleet(*rounds), town.wish(deadline=20), entries=20_000)
    assert found.devices.silent.median == pytest.approx(8, abs=1)
    assert figures(found.round.drop_outs) == figures(found.devices.silent)
    assert found.devices.silent.p10 >= 3
    assert found.devices.silent.p90 <= 13


def test_who_was_late_is_slower_than_the_deadline_and_not_left_out() -> None:
    """Of devices that take 1 to 9 s, a deadline of 5 s has seen only the quick half."""
    town = Town({f"g{at}": [f"d{at}"] for at in range(40)}, {f"g{at}": 0.0 for at in range(40)})
    rng = np.random.default_rng(3)

    def cut(deadline: float) -> fleets.Past:
        past = town.past(lambda _: rng.uniform(1, 9), deadline=deadline)
        until = patience.at_home(deadline)
        late = {one.device: one.gateway for one in past.members if (one.train_seconds or 0) > until}
        members = [
            Fate(one.gateway, one.device, "late", "deadline")
            if one.device in late
            else replace(one, seconds=until)
            if not one.device and one.gateway in late.values()
            else one
            for one in past.members
        ]
        return replace(past, members=members, seconds=until)

    found = foresee(town.fleet(*(cut(5.0) for _ in range(12))), town.wish(deadline=5.0), entries=20_000)
    share = (patience.at_home(5.0) - 1) / 8
    assert found.devices.answered.median == pytest.approx(40 * share, rel=0.1)
    longer = foresee(town.fleet(*(cut(5.0) for _ in range(12))), town.wish(deadline=60.0), entries=20_000)
    is_exactly(longer.devices.answered, 40)
    assert longer.round.seconds.p10 > 5.0


@pytest.mark.parametrize("sigma", [0.1, 0.5])
@pytest.mark.parametrize("of", [3, 12])
def test_the_intervals_hold_what_a_fleet_of_known_distribution_does_next(sigma: float, of: int) -> None:
    """p10 to p90 is to hold 8 of 10 rounds."""
    town = Town({f"g{at}": [f"d{at}-{one}" for one in range(5)] for at in range(6)}, {f"g{at}": 0.1 * at for at in range(6)})
    inside: list[bool] = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        level = {device: rng.lognormal(1.0, 0.6) for device in town.devices}
        job = lambda device: level[device] * rng.lognormal(0, sigma)  # noqa: B023, E731
        found = foresee(town.fleet(*(town.past(job) for _ in range(of))), town.wish(), entries=8_000)
        low, _, high = figures(found.round.seconds)
        inside += [low <= town.past(job).seconds <= high for _ in range(40)]
    assert 0.7 <= np.mean(inside) <= 0.92


def test_what_was_only_more_than_something_is_shared_out_among_the_larger_ones() -> None:
    many = Measured([1.0, 2.0, 3.0, 4.0, 5.0] * 4, [2.5] * 4)
    # The product-limit estimate: 1/6 each up to 2, and 4/6 evenly among 3, 4 and 5.
    values = spread({"a": many}, {}).of["a"].at
    assert len(values) == 24 * GRAINS
    for value, share in ((1.0, 1 / 6), (2.0, 1 / 6), (3.0, 2 / 9), (4.0, 2 / 9), (5.0, 2 / 9)):
        assert np.mean(values == value) == pytest.approx(share, abs=1 / (2 * GRAINS))


def test_beyond_the_largest_there_are_larger_ones_still() -> None:
    found = spread({"a": Measured([1.0] * 5), "b": Measured([], [4.0]), "c": Measured([], [0.5])}, {}).of
    assert set(found["c"].at) == {1.0}  # one like it
    assert min(found["b"].at) > 4.0
    assert np.mean(found["b"].at) == pytest.approx(4.0 + 9.5 / 5, rel=0.1)  # all seconds over all that came to their end
    assert spread({"b": Measured([], [4.0])}, {}).of == {}


def test_who_was_measured_once_varies_as_the_others_do() -> None:
    rng = np.random.default_rng(1)

    def drawn(levels: float) -> np.ndarray[Any, Any]:
        """Gives logarithms of what one draws of somebody who took 50 once, where others take 10 or so, by so much."""
        others = {f"d{at}": Measured((10 * rng.lognormal(0, levels) * rng.lognormal(0, 0.3, 5)).tolist()) for at in range(200)}
        return np.log(Samples(["a"], spread({**others, "a": Measured([50.0])}, {})).draw(np.zeros(20_000, np.int64), rng) / 50)

    different, alike = drawn(2.0), drawn(0.0)
    assert np.std(different) == pytest.approx(0.3 * np.sqrt(2), rel=0.1)  # its level is as uncertain as a job is
    assert np.mean(different) == pytest.approx(0, abs=0.05)
    assert np.std(alike) == pytest.approx(0.3, rel=0.1)
    assert np.mean(alike) == pytest.approx(-0.3, rel=0.2)  # nearer to the others, and yet its own kind


def test_rounds_are_as_patient_as_gateways_and_cloud() -> None:
    assert (patience.MARGIN_LEAST, patience.MARGIN_MOST) == (gateway.MARGIN_LEAST / 1000, gateway.MARGIN_MOST / 1000)
    assert patience.HOME_GRACE == cloud.GRACE / 1000
    assert patience.DEVICE_GRACE == serve.GRACE * 60 / 1000
    assert [patience.at_home(deadline) for deadline in (0.1, 1, 10, 600)] == [0.0, 0.75, 9.0, 595.0]
