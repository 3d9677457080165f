"""How rows are judged."""

import pytest

from benchmarks.race import Row, Target, judge
from benchmarks.results import OURS
from tests.benchmarks.made_up import result

LESS = Row("seconds", "r", "s", "s", Target(2))
MORE = Row("rate", "r", "rate", "/s", Target(100, of="flower"), more=True)


def test_a_target_is_for_the_median_of_the_turns() -> None:
    session = [result("r", turn=turn, figures={"s": value}) for turn, value in enumerate((9.0, 1.0, 2.0))]
    judged = judge(LESS, session)
    assert (judged.sides[OURS].low, judged.sides[OURS].middle, judged.sides[OURS].high) == (1, 2, 9)
    assert judged.held
    assert judge(Row("seconds", "r", "s", "s", Target(1.9)), session).held is False


def test_a_peer_is_compared_turn_by_turn_and_less_is_better_unless_the_row_says_otherwise() -> None:
    session = [
        *(result("r", turn=turn, figures={"s": value, "rate": value}) for turn, value in enumerate((1.0, 10.0, 100.0))),
        *(result("r", "flower", turn, figures={"s": 3 * value, "rate": 3 * value}) for turn, value in ((0, 1.0), (2, 100.0))),
    ]
    assert judge(LESS, session).times == {"flower": pytest.approx(3)}
    assert judge(LESS, session).lost_to == []
    assert judge(MORE, session).times == {"flower": pytest.approx(1 / 3)}
    assert judge(MORE, session).lost_to == ["flower"]


@pytest.mark.parametrize(("ours", "held"), [(1_000.0, True), (999.0, False)])
def test_a_target_may_be_so_many_times_a_peers_figure(ours: float, held: bool) -> None:
    session = [result("r", figures={"rate": ours}), result("r", "flower", figures={"rate": 10.0})]
    assert judge(MORE, session).held is held


def test_without_the_peer_or_without_us_there_is_nothing_to_judge_by() -> None:
    assert judge(MORE, [result("r", figures={"rate": 1e9}), result("r", "flower", failed="it fell over")]).held is None
    assert judge(LESS, [result("r", failed="it fell over"), result("r", "flower", figures={"s": 1.0})]).held is None
    assert judge(LESS, []).held is None


def test_a_side_that_failed_in_one_turn_has_the_figures_of_the_others() -> None:
    judged = judge(LESS, [result("r", figures={"s": 1.0}), result("r", turn=1, failed="it fell over")])
    assert judged.held
    assert judged.failed == {}
