import io
from typing import Any

import pytest
from rich.console import Console

from folkmoot_cli.progress import Progress, line
from folkmoot_cli.watch import Lost, Round, Run

RUN: dict[str, Any] = {
    "rounds": 3,
    "evaluate": True,
    "status": "running",
    "desired": "run",
    "outcome": None,
    "reason": "",
    "after": None,
}


def record(number: int, accuracy: float | None = None, **fields: Any) -> dict[str, Any]:
    """Gives a round of the API that is over; its model is evaluated where an accuracy is given."""
    tally = {"asked": 12, "waiting": 0, "answered": 12, "refused": 0, "rejected": 0, "late": 0, "silent": 0}
    found = {
        "number": number,
        "status": "closed",
        "outcome": "complete",
        "reason": "all",
        "model": f"m{number}",
        "devices": tally | fields.pop("devices", {}),
        "bytes_up": 412_000,
        "seconds": 0.84,
        "evaluation": None if accuracy is None else {"loss": 0.19, "accuracy": accuracy},
    }
    return found | fields


def shown(*updates: Any, run: dict[str, Any] = RUN) -> list[str]:
    """Gives the lines that are told of these rounds, runs and losses."""
    text = io.StringIO()
    with Progress(Console(file=text, width=200)) as progress:
        for update in updates:
            progress.show(Round(update, run) if isinstance(update, dict) else update)
    return text.getvalue().splitlines()


def numbers(lines: list[str]) -> list[int]:
    """Gives the rounds that these lines are about."""
    return [int(text.partition("/")[0].rpartition(" ")[2]) for text in lines]


def test_a_round_is_one_line() -> None:
    full = record(3, 0.958, devices={"answered": 9, "late": 1, "refused": 2})
    wanted = "[ROUND 3/10] selected 12 -> accepted 9, late 1, refused 2, 412 kB, 0.8 s, loss 0.190, accuracy 0.958"
    assert line(full, 10) == wanted


def test_a_round_that_made_no_model_says_why() -> None:
    short = record(1, outcome="short", reason="deadline", model=None, devices={"answered": 0, "silent": 12})
    assert line(short, 10).endswith("accepted 0, silent 12, 412 kB, 0.8 s, short (deadline)")


def test_a_round_is_told_once_when_its_model_is_evaluated() -> None:
    first = [record(1), record(1), record(2), record(1, 0.9), record(1, 0.9)]
    lines = shown(*first)
    assert numbers(lines[:1]) == [1]
    assert "accuracy 0.900" in lines[0]
    assert numbers(lines) == [1, 2]  # the second when it is clear that nothing more comes


@pytest.mark.parametrize("late", [record(1, 0.9), record(1)])
def test_rounds_are_told_in_order_also_when_the_records_are_ahead_of_the_events(late: dict[str, Any]) -> None:
    assert numbers(shown(record(1), record(2, 0.95), late)) == [1, 2]


def test_an_evaluation_that_nobody_made_holds_nobody_up() -> None:
    lines = shown(record(1), record(2, 0.92), record(3))
    assert numbers(lines) == [1, 2, 3]
    assert "accuracy" not in lines[0]


def test_without_evaluation_a_round_is_told_when_it_is_over() -> None:
    text = io.StringIO()
    with Progress(Console(file=text, width=200)) as progress:
        progress.show(Round(record(1), RUN | {"evaluate": False}))
        assert numbers(text.getvalue().splitlines()) == [1]


def test_the_end_of_a_run_says_how_it_ended() -> None:
    finished = RUN | {
        "status": "finished",
        "outcome": "failed",
        "reason": "the bundle is gone",
        "after": {"loss": 0.5, "accuracy": None},
    }
    lines = shown(record(1), Run(finished))
    assert numbers(lines[:1]) == [1]
    assert lines[1:] == ["the run is over: failed (the bundle is gone), loss 0.500"]


def test_a_run_that_waits_says_for_what_and_once() -> None:
    waits = RUN | {"status": "pending", "reason": "3 devices are ready; the run needs 5"}
    assert shown(Run(waits), Run(waits)) == ["the run is pending: 3 devices are ready; the run needs 5"]


def test_a_lost_connection_is_said_once_until_it_is_back() -> None:
    lines = shown(Lost("no cloud"), Lost("no cloud"), Run(RUN), Lost("no cloud"))
    assert lines == ["no cloud; trying again"] * 2


def test_a_terminal_sees_a_bar_for_the_open_round() -> None:
    text = io.StringIO()
    with Progress(Console(file=text, width=200, force_terminal=True)) as progress:
        opened = record(1, status="open", outcome=None, seconds=None, devices={"answered": 5, "late": 1, "waiting": 6})
        progress.show(Round(opened, RUN))
        progress._bars.refresh()
    assert "round 1/3" in text.getvalue()
    assert "6/12" in text.getvalue()
    assert "accepted 5, late 1" in text.getvalue()
