"""What is predicted of asynchronous runs of fleets of which everything is known."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from folkmoot_cloud.predictions.forecast import forecast
from folkmoot_cloud.predictions.measured import Fleet, Power, Wish
from folkmoot_cloud.predictions.outlook import Forecast, Spread
from folkmoot_cloud.runner.campaign import Cohort
from folkmoot_cloud.runner.load import selector
from tests.kit import fleets
from tests.kit.fleets import Town

SECONDS = {"a": 3.0, "b": 5.0, "c": 4.0, "d": 20.0, "e": 7.0}
TOWN = Town({"g1": ["a", "b"], "g2": ["c", "d", "e"]}, {"g1": 0.5, "g2": 0.25})  # they answer after 5.5 and 20.25 s
FLEET = TOWN.fleet(*[TOWN.past(SECONDS.__getitem__)] * 3)


def alone(devices: int, way: float = 0.0) -> Town:
    """Gives homes of one device each."""
    return Town({f"g{at}": [f"d{at}"] for at in range(devices)}, {f"g{at}": way for at in range(devices)})


def measured(town: Town, job: Callable[[int], float]) -> Fleet:
    """Gives a fleet whose devices always take as long."""
    return town.fleet(*[town.past(lambda device: job(int(device[1:])))] * 2)


def foresee(fleet: Fleet, wish: Wish, seed: int = 0, entries: int = 4_000) -> Forecast:
    found = forecast(fleet, wish, Power(), selector(), np.random.default_rng(seed), entries)
    assert found is not None
    return found


def is_exactly(spread: Spread, value: float) -> None:
    assert (spread.p10, spread.median, spread.p90) == pytest.approx((value,) * 3, rel=1e-9, abs=1e-9)


def test_equal_devices_make_a_version_of_each_k_of_them() -> None:
    town = alone(8)
    found = foresee(measured(town, lambda _: 10.0), town.wish(rounds=8, buffer=4, staleness=10))
    is_exactly(found.devices.answered, 4)
    is_exactly(found.run.seconds, 40.0)  # all 8 come at once, twice K of them every 10 s
    is_exactly(found.run.drop_outs, 4)  # who has begun anew when the last version is made
    is_exactly(found.run.bytes_up, 32 * fleets.UP)
    is_exactly(found.run.home_bytes_up, 32 * fleets.HOME_UP)
    is_exactly(found.run.joules, 2 * 32 * 10 + 5 * 32 * (fleets.HOME_UP + fleets.HOME_DOWN) / 1e6)


def test_quick_ones_do_not_wait_for_slow_ones() -> None:
    """The fleet of an example of NVIDIA FLARE: 100, 200 or 400 s, and 5 s on the way."""
    town = alone(16, 5.0)
    jobs = (100.0, 200.0, 400.0)
    fleet = measured(town, lambda at: jobs[at % 3])
    found = foresee(fleet, town.wish(rounds=640, buffer=1, staleness=100))
    each = 1 / sum(1 / (jobs[at % 3] + 5) for at in range(16))
    assert found.run.seconds.median == pytest.approx(640 * each, rel=0.02)
    waiting = foresee(fleet, town.wish(rounds=40))
    is_exactly(waiting.run.seconds, 40 * 405)
    assert found.run.seconds.median < 0.45 * waiting.run.seconds.median  # for as many updates


def test_a_home_waits_for_its_slowest_and_for_no_other_home() -> None:
    found = foresee(FLEET, TOWN.wish(rounds=4, buffer=1, staleness=10))
    is_exactly(found.run.seconds, 20.25)  # 5.5, 11.0 and 16.5 s, and then the other one
    assert (found.devices.answered.p10, found.devices.answered.p90) == (2, 3)
    is_exactly(found.run.bytes_up, 4 * fleets.UP)
    is_exactly(found.run.bytes_down, 5 * fleets.DOWN)
    is_exactly(found.run.home_bytes_up, 9 * fleets.HOME_UP)
    is_exactly(found.run.drop_outs, 2)
    # The first home has worked for 3.75 s when the run is over.
    is_exactly(found.run.joules, 2 * (3 * 8 + 31 + 3 + 3.75) + 5 * 9 * (fleets.HOME_UP + fleets.HOME_DOWN) / 1e6)


def test_a_version_of_all_answers_is_a_round_that_waits_for_all() -> None:
    found, waits = foresee(FLEET, TOWN.wish(buffer=5, staleness=10)), foresee(FLEET, TOWN.wish())
    for one, other in ((found.round, waits.round), (found.run, waits.run), (found.devices, waits.devices)):
        for figure in fields(one):
            is_exactly(getattr(one, figure.name), getattr(other, figure.name).median)
    more = foresee(FLEET, TOWN.wish(buffer=50, staleness=10, evaluate=True))
    assert more.round == found.round
    is_exactly(more.run.seconds, 10 * 20.25 + 0.5)


def test_who_is_too_far_behind_is_given_up_and_asked_anew() -> None:
    found = foresee(FLEET, TOWN.wish(rounds=10, buffer=1, staleness=0))
    is_exactly(found.round.seconds, 5.5)
    is_exactly(found.run.drop_outs, 30)
    is_exactly(found.devices.late, 3)
    is_exactly(found.round.joules, 2 * (8 + 4 + 5.5 + 5.5) + 5 * 2 * (fleets.HOME_UP + fleets.HOME_DOWN) / 1e6)
    patient = foresee(FLEET, TOWN.wish(rounds=10, buffer=1, staleness=4))
    is_exactly(patient.run.seconds, 44.0)
    is_exactly(patient.run.drop_outs, 3)  # who is at work at the end


def test_only_so_many_are_at_work_as_the_cohort_says() -> None:
    town = alone(10)
    fleet = measured(town, lambda _: 10.0)
    found = foresee(fleet, town.wish(rounds=40, buffer=1, staleness=100, cohort=Cohort(devices=4)))
    is_exactly(found.run.seconds, 100.0)
    is_exactly(found.run.drop_outs, 3)
    fifth = foresee(fleet, town.wish(rounds=40, buffer=1, staleness=100, cohort=Cohort(fraction=0.2)))
    is_exactly(fifth.run.seconds, 200.0)


def test_homes_answer_at_their_deadline_with_whom_they_have() -> None:
    found = foresee(FLEET, TOWN.wish(rounds=2, buffer=4, staleness=10, deadline=10.0))
    is_exactly(found.round.seconds, 9.25)
    is_exactly(found.devices.answered, 4)
    is_exactly(found.devices.late, 1)
    assert foresee(FLEET, TOWN.wish(buffer=1, staleness=10, minimum=3)).short > 0.5


def test_who_never_answers_is_at_work_until_its_deadline() -> None:
    town = alone(4)
    past = town.past(lambda _: 10.0)
    gone = [replace(one, fate="silent", reason="all", seconds=None, train_seconds=None) for one in past.members]
    mute = replace(past, members=[new if new.gateway == "g0" else old for old, new in zip(past.members, gone, strict=True)])
    fleet = town.fleet(*[mute] * 200)
    found = foresee(fleet, town.wish(rounds=9, buffer=3, staleness=100, deadline=60.0))
    assert found.devices.silent.p90 == 1
    is_exactly(found.devices.answered, 3)
    is_exactly(found.run.seconds, 90.0)
    is_exactly(found.run.drop_outs, 2)  # it is asked twice in that time, and 3 s too early for a third one
    # Where it is needed for a version, everybody waits until it is certain that it will not come.
    is_exactly(foresee(fleet, town.wish(rounds=1, buffer=4, staleness=100, deadline=60.0)).run.seconds, 45.0)


def test_who_is_away_is_missed_for_as_long_as_a_job_takes() -> None:
    town = alone(40)
    fleet = measured(town, lambda _: 10.0)
    away = replace(fleet, devices=[replace(one, up=0.5) for one in fleet.devices])
    wish = town.wish(rounds=200, buffer=4, staleness=100)
    is_exactly(foresee(fleet, wish, entries=40_000).run.seconds, 200.0)
    assert 380 < foresee(away, wish, entries=40_000).run.seconds.median < 460  # half of the time
    few = replace(fleet, devices=[replace(one, up=0.5) for one in fleet.devices[:4]])
    assert foresee(few, town.wish(rounds=20, buffer=1, staleness=9, minimum=3)).waiting == pytest.approx(0.5, abs=0.2)


def test_a_run_that_never_finds_its_devices_has_no_forecast() -> None:
    for fleet, minimum in ((FLEET, 6), (replace(FLEET, devices=[], homes={}), 1)):
        wish = TOWN.wish(minimum=minimum, buffer=6, staleness=9)
        assert forecast(fleet, wish, Power(), selector(), np.random.default_rng(0)) is None


def test_rounds_that_are_not_played_are_like_those_that_are() -> None:
    town = alone(16, 5.0)
    jobs = (100.0, 200.0, 400.0)
    fleet = measured(town, lambda at: jobs[at % 3])
    short, long = (foresee(fleet, town.wish(rounds=rounds, buffer=1, staleness=100)) for rounds in (500, 50_000))
    assert long.run.seconds.median == pytest.approx(100 * short.run.seconds.median, rel=0.03)
    assert long.run.drop_outs.median == short.run.drop_outs.median == 15
    many = alone(3_000)
    equal = foresee(measured(many, lambda _: 10.0), many.wish(rounds=30_000, buffer=1, staleness=6_000))
    assert equal.run.seconds.median == pytest.approx(100, rel=0.15)  # everybody has its turn ten times


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.1, 500), min_size=2, max_size=9), st.floats(0.0, 20), st.integers(1, 25), st.data())
def test_more_answers_take_longer(jobs: Sequence[float], way: float, rounds: int, data: st.DataObject) -> None:
    town = alone(len(jobs), way)
    fleet = measured(town, lambda at: jobs[at])
    fewer = data.draw(st.integers(1, len(jobs) - 1))
    few, more = (
        foresee(fleet, town.wish(rounds=rounds, buffer=buffer, staleness=1_000, deadline=10_000), entries=0)
        for buffer in (fewer, fewer + 1)
    )
    is_exactly(few.devices.answered, fewer)
    assert 0 <= few.run.seconds.median <= more.run.seconds.median * (1 + 1e-9)
    assert few.run.drop_outs.median == len(jobs) - fewer  # at work when the run is over
    assert min(few.round.seconds.p10, few.round.joules.p10, few.round.drop_outs.p10, few.devices.late.p10) >= 0


def test_equal_arguments_give_equal_forecasts_and_another_seed_another_one() -> None:
    fleet = TOWN.fleet(TOWN.past(SECONDS.__getitem__), TOWN.past(lambda device: SECONDS[device] * 1.3))
    wish = TOWN.wish(buffer=2, staleness=20, cohort=Cohort(devices=3))
    assert foresee(fleet, wish, 1) == foresee(fleet, wish, 1)
    assert foresee(fleet, wish, 1) != foresee(fleet, wish, 2)
