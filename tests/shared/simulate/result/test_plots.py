"""The pictures of a report: what is drawn, what is left out, and that the same is drawn each time."""

import io
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import msgspec
import pytest
from matplotlib.figure import Figure

from folkmoot.simulate.result import answers, curves, gantt, names, style
from folkmoot.simulate.result.plots import PLOTS, Plot
from folkmoot.simulate.result.tables import Result
from tests.shared.simulate.result import made

ONE = made.lifelike(devices=30, homes=3, rounds=6)
TWO = made.lifelike("morning", 2, devices=12, homes=2, rounds=4)
every = pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.title)


def changed(result: Result, **fields: Any) -> Result:
    """Gives a result with other values in each of its rounds."""
    return msgspec.structs.replace(result, rounds=[msgspec.structs.replace(one, **fields) for one in result.rounds])


def texts(figure: Figure) -> str:
    """Gives all that is written in a figure's legends and titles."""
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
    found = [text.get_text() for legend in legends if legend is not None for text in legend.get_texts()]
    return "\n".join(found + [axes.get_title(loc="left") for axes in figure.axes])


def drawn(plot: Plot, results: Sequence[Result]) -> Figure:
    figure = plot.draw(results)
    assert figure is not None
    return figure


@every
def test_the_same_results_give_the_same_bytes_whatever_a_person_has_set(plot: Plot) -> None:
    first = style.save(drawn(plot, [ONE, TWO]))
    with mpl.rc_context({"lines.linewidth": 9, "svg.hashsalt": "mine", "font.size": 30}):
        assert style.save(drawn(plot, [ONE, TWO])) == first
    assert style.save(drawn(plot, [ONE, TWO]), "png").startswith(b"\x89PNG")


@every
def test_a_picture_is_sound_xml_that_refers_to_nothing_outside(plot: Plot) -> None:
    tree = ET.parse(io.BytesIO(style.save(drawn(plot, [ONE]))))
    links = [value for node in tree.iter() for key, value in node.attrib.items() if key.endswith(("href", "src"))]
    assert all(link.startswith("#") for link in links)
    assert not [node for node in tree.iter() if node.tag.endswith(("script", "image", "date"))]


@every
def test_several_results_are_told_apart_by_name_and_one_needs_none(plot: Plot) -> None:
    both = texts(drawn(plot, [ONE, TWO]))
    assert "evening" in both
    assert "morning" in both
    assert "evening" not in texts(drawn(plot, [ONE]))


@every
def test_an_empty_result_is_left_out(plot: Plot) -> None:
    assert plot.draw([made.EMPTY]) is None
    assert plot.draw([]) is None
    assert plot.absent
    figure = drawn(plot, [made.EMPTY, ONE])
    assert "evening" in texts(figure)
    assert "nothing" not in texts(figure)


@every
def test_a_picture_is_told_in_words(plot: Plot) -> None:
    assert {"evening", "morning", "chart"} <= set(plot.tell([ONE, TWO]).replace(":", " ").split())
    assert plot.tell([made.EMPTY])


@every
def test_one_round_is_enough(plot: Plot) -> None:
    style.save(drawn(plot, [made.lifelike(devices=3, homes=1, rounds=1)]))


@every
@pytest.mark.filterwarnings("error::UserWarning")
def test_names_may_hold_anything(plot: Plot) -> None:
    results = []
    for name in ("$\\foo$", "_hidden", "$", "a\nb\0", "", "名前", "<&>", "--", "%s{}", "\ud800", "x" * 500):
        whole = made.lifelike(name, devices=2, homes=1, rounds=1)
        members = [msgspec.structs.replace(one, device=name, home=name, fate=f"{name}:x") for one in whole.members]
        results.append(msgspec.structs.replace(whole, members=members))
    figure = drawn(plot, results)
    ET.fromstring(style.save(figure))
    written = texts(figure)
    assert all(names.shown(label, names.LEGEND) in written for label in names.labels(results))


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_loss_that_left_the_finite_numbers_does_not_keep_the_others_out(value: float) -> None:
    rounds = [*ONE.rounds[:-1], msgspec.structs.replace(ONE.rounds[-1], loss=value)]
    figure = curves.loss_by_seconds([msgspec.structs.replace(ONE, rounds=rounds)])
    assert figure is not None
    style.save(figure)
    assert figure.axes[0].get_ylim()[1] < 10


def test_a_curve_has_a_point_for_each_round_with_a_measurement() -> None:
    rounds = [msgspec.structs.replace(one, accuracy=None) if one.number in (2, 5) else one for one in ONE.rounds]
    result = msgspec.structs.replace(ONE, rounds=rounds)
    known = [one for one in ONE.rounds if one.number not in (2, 5)]
    total = sum(one.bytes for one in ONE.rounds) / 1e6
    assert curves.points(result, "accuracy", curves.SECONDS) == [(one.closed_s, one.accuracy) for one in known]
    assert [taken for taken, _ in curves.points(result, "accuracy", curves.ROUNDS)] == [1, 3, 4, 6]
    assert curves.points(result, "accuracy", curves.BYTES)[-1][0] == pytest.approx(total)  # those of all rounds
    assert curves.points(result, "accuracy", curves.JOULES)[-1][0] == pytest.approx(sum(one.joules for one in ONE.rounds))


def test_without_accuracy_or_what_it_is_drawn_against_there_is_no_curve() -> None:
    blind = changed(ONE, accuracy=None)
    for draw in (curves.accuracy_by_seconds, curves.accuracy_by_rounds, curves.accuracy_by_bytes, curves.accuracy_by_joules):
        assert draw([blind]) is None
        assert draw([blind, ONE]) is not None
    assert curves.loss_by_seconds([blind]) is not None
    assert curves.accuracy_by_joules([changed(ONE, joules=0.0)]) is None


def test_fates_are_counted_by_round_and_word() -> None:
    first, second, third, *_ = ONE.members
    fates = [(first, 3, ""), (second, 3, "late:deadline"), (third, 5, "late:stale"), (first, 5, "eaten:dog")]
    members = [msgspec.structs.replace(one, round=number, fate=fate) for one, number, fate in fates]
    result = msgspec.structs.replace(ONE, members=members)
    assert answers.tally(result) == (range(3, 6), {"merged": [1, 0, 0], "late": [1, 0, 1], "other": [0, 0, 1]})
    assert answers.others([result]) == "Other: eaten:dog (1)."
    assert answers.others([ONE]) == ""


def test_fairness_is_in_the_text_of_each_result() -> None:
    devices = [msgspec.structs.replace(one, merged=place % 2) for place, one in enumerate(ONE.devices)]
    half = msgspec.structs.replace(ONE, devices=devices)
    assert "0.500 (15 of 30 devices never merged)" in answers.fairness([half])
    nobody = msgspec.structs.replace(ONE, devices=[msgspec.structs.replace(one, merged=0) for one in devices])
    told = answers.fairness([half, nobody])
    assert "evening, seed 1: 0.500" in told
    assert "evening, seed 1 (2): undefined, for nobody was merged" in told


def test_the_round_in_time_is_the_last_complete_one_unless_it_is_named() -> None:
    rounds = [msgspec.structs.replace(one, outcome="complete" if one.number < 5 else "stopped") for one in ONE.rounds]
    result = msgspec.structs.replace(ONE, rounds=rounds)
    assert getattr(gantt.choose(result), "number", None) == 4
    assert getattr(gantt.choose(result, 6), "number", None) == 6
    assert gantt.choose(result, 99) is None
    short = changed(result, outcome="short")
    assert getattr(gantt.choose(short), "number", None) == 6
    assert gantt.gantt([result], 99) is None
    assert gantt.note([result], 2) == "Round 2 (complete); all 18 devices asked."


def test_the_devices_of_a_round_in_time_are_chosen_evenly_by_answer_time() -> None:
    result = made.lifelike(devices=500, homes=5, rounds=1)
    (one,) = result.rounds
    chosen, all_ = gantt.rows(result, 1)
    assert (len(chosen), all_) == (gantt.MOST, one.asked)
    answered = sorted(member.answered_s for member in result.members if member.answered_s is not None)
    times = [member.answered_s for member in chosen if member.answered_s is not None]
    assert times == sorted(times)
    assert times[0] == answered[0]
    assert len(times) / len(chosen) == pytest.approx(len(answered) / all_, abs=0.02)
    assert f"60 of the {all_} devices asked, chosen evenly by answer time" in gantt.note([result])


def test_labels_are_never_the_same_twice() -> None:
    said = [("a", 1), ("a", 2), ("a", 1), ("b", 1), ("a, seed 1", 5), ("a, seed 1 (2)", 1), ("", 1)]
    said += [("x" * 99 + "1", 1), ("x" * 99, 1)]
    found = names.labels([msgspec.structs.replace(made.EMPTY, name=name, seed=seed) for name, seed in said])
    assert found[:4] == ["a, seed 1", "a, seed 2", "a, seed 1 (2)", "b"]
    assert len({names.shown(one, names.LEGEND) for one in found}) == len(said)
