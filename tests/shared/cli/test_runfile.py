from pathlib import Path

import pytest

from folkmoot.errors import UserFault
from folkmoot_cli import runfile


def test_what_is_given_wins_over_the_file() -> None:
    body = {"task": "a", "rounds": 5, "plan": {"epochs": 3, "seed": 1}, "cohort": {"devices": 9}, "evaluate": True}
    found = runfile.changed(
        body,
        {"task": None, "rounds": 7, "evaluate": False, "offline": None},
        plan={"epochs": 0, "only": []},
        cohort={"devices": None},
    )
    assert found == {
        "task": "a",
        "rounds": 7,
        "plan": {"epochs": 0, "seed": 1},
        "cohort": {"devices": 9},
        "evaluate": False,
    }
    assert body["rounds"] == 5


def test_another_strategy_does_not_take_over_the_options_of_the_first() -> None:
    body = {"task": "a", "strategy": {"name": "fedprox", "options": {"mu": 1}}}
    assert runfile.changed(body, {}, strategy={"name": "fedavg", "options": {}})["strategy"] == {"name": "fedavg"}
    same = runfile.changed(body, {}, strategy={"name": None, "options": {"mu": 2}})
    assert same["strategy"] == {"name": "fedprox", "options": {"mu": 2}}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"task = ", "is no TOML"),
        (b"\xff", "it is not UTF-8"),
        (b"task = 'a'\n[plan]\nseed = 2024-01-01", "plan.seed is a date or a time"),
        (b"rounds = [1, 12:00:00]", "rounds is a date or a time"),
    ],
)
def test_a_file_that_is_no_run_is_said_to_be_none(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "run.toml"
    file.write_bytes(content)
    with pytest.raises(UserFault, match=says):
        runfile.load(file)
