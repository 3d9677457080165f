"""The key figures of a run."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot.simulate.result.summary import Summary, jain, reached, summarise
from folkmoot.simulate.result.tables import Result
from tests.shared.simulate.result import made


def learning(*accuracies: float | None) -> Result:
    """Gives a result whose rounds close at 10 s, 20 s and so on."""
    (one,) = made.lifelike(devices=2, homes=1, rounds=1).rounds
    rounds = [
        msgspec.structs.replace(one, number=number, closed_s=10.0 * number, accuracy=accuracy)
        for number, accuracy in enumerate(accuracies, 1)
    ]
    return msgspec.structs.replace(made.EMPTY, rounds=rounds)


def test_the_key_figures_are_sums_and_last_values() -> None:
    result = made.lifelike(devices=20, homes=2, rounds=5)
    found = summarise(result)
    ways = ("bytes_up_home", "bytes_down_home", "bytes_up_cloud", "bytes_down_cloud")
    assert found.bytes == sum(getattr(one, way) for one in result.rounds for way in ways)
    assert found.joules == sum(one.joules for one in result.rounds)
    assert found.seconds == result.rounds[-1].closed_s
    assert (found.accuracy, found.loss) == (result.rounds[-1].accuracy, result.rounds[-1].loss)
    assert found.never == sum(one.merged == 0 for one in result.devices)
    assert (found.rounds, found.devices) == (5, 20)


def test_an_empty_result_has_key_figures() -> None:
    assert summarise(made.EMPTY) == Summary(0, 0, 0.0, None, None, None, None, 0, 0, 0.0, 0, 0, None)


def test_a_share_of_the_final_accuracy_is_reached_in_the_first_round_that_has_it() -> None:
    result = learning(0.1, 0.5, None, 0.75, 0.6, 1.0, None)
    assert summarise(result).accuracy == 1.0
    assert (reached(result, 0.5), reached(result, 0.7), reached(result, 0.8)) == (20.0, 40.0, 60.0)
    assert reached(learning(None, None), 0.8) is None


def test_fairness_is_one_where_all_have_the_same_and_the_share_of_those_that_have_it_all() -> None:
    assert jain([7, 7, 7]) == 1.0
    assert jain([3, 3, 0, 0]) == pytest.approx(0.5)
    assert jain([1, 2, 3]) == pytest.approx(36 / 42)
    assert jain([]) is None
    assert jain([0, 0]) is None


@given(st.lists(st.integers(0, 1000), min_size=1))
def test_fairness_is_between_the_share_of_one_and_one(merged: list[int]) -> None:
    index = jain(merged)
    assert index is None or 1 / len(merged) - 1e-9 <= index <= 1 + 1e-9
