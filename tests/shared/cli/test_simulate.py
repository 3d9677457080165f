"""`folkmoot simulate`."""

import json
import sys
from pathlib import Path

import pytest

from folkmoot.simulate.faults import trial
from folkmoot.simulate.faults.plan import Plan
from folkmoot.simulate.faults.story import Line
from folkmoot.simulate.faults.trial import Verdict
from folkmoot.simulate.result import store
from folkmoot_cli.__main__ import run
from folkmoot_cli.simulate import simulate


def test_a_seed_is_told_as_a_timeline(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "--faults", "7"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("seed 7  homes ")
    assert "cloud        record: round 1 " in said
    assert said.splitlines()[-1].startswith("every law holds")


def test_a_timeline_can_be_about_some_machines(capsys: pytest.CaptureFixture[str]) -> None:
    run(["simulate", "--faults", "7"])
    whole = capsys.readouterr().out
    run(["simulate", "--faults", "7", "--about", "a"])
    assert 5 < len(capsys.readouterr().out.splitlines()) < len(whole.splitlines()) / 2


def test_a_range_is_run_and_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["simulate", "--faults", "0-3", "--record", str(tmp_path / "seeds.jsonl"), "--workers", "1"]
    assert run(command) == 0
    assert capsys.readouterr().out == "4 seeds, 0 with a broken law; 4 in the record\n"
    assert run(command) == 0
    assert capsys.readouterr().out == "0 seeds, 0 with a broken law; 4 in the record\n"


@pytest.mark.parametrize("faults", ["", "x", "-1", "3-", "5-2", "1-2-3"])
def test_what_is_no_seed_is_refused(faults: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", f"--faults={faults}"]) == 2
    assert "write a seed such as 7, or a range such as 0-1999" in capsys.readouterr().err


def test_somebody_who_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "--faults", "7", "--about", "nobody"]) == 2
    assert "in this run there are cloud, g1" in capsys.readouterr().err


def test_a_broken_law_is_told_with_its_story_and_the_command_that_shows_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (Line(1_000, "a", "is killed", "befell"), Line(2_000, "b", "boots", "befell"))
    broken = Verdict(Plan(5, {"g1": ("a", "b")}), "a law: it is broken", ("a",), 2_000, lines)
    monkeypatch.setattr(trial, "run", lambda seed, tell=False: broken)
    assert simulate(faults="5") == 1
    assert "broken a law: it is broken" in capsys.readouterr().out
    assert str(broken).splitlines() == [
        "seed 5: a law: it is broken",
        "         1.000 s  a            is killed",
        "    again: folkmoot simulate --faults 5",
    ]


SCENARIO = """
name = "{name}"
[fleet]
homes = 2
devices = 6
[run]
rounds = 2
deadline_seconds = 30
"""


def write(folder: Path, name: str) -> str:
    """Writes a small scenario; gives its path."""
    path = folder / f"{name}.toml"
    path.write_text(SCENARIO.format(name=name))
    return str(path)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_scenario_leaves_tables_and_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: str) -> None:
    command = ["simulate", write(tmp_path, "small"), "--out", str(tmp_path / "out"), "--workers", workers, "--json"]
    assert run(command) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["rounds"] == 2
    assert said.err == f"report: {tmp_path}/out/small/report.html\n"
    assert len(store.read(tmp_path / "out" / "small").rounds) == 2
    assert "small" in (tmp_path / "out" / "small" / "report.html").read_text()


def test_scenarios_are_laid_over_one_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [write(tmp_path, name) for name in ("one", "two")]
    assert run(["simulate", "--compare", *paths, "--out", str(tmp_path), "--format", "csv", "--workers", "0"]) == 0
    said = capsys.readouterr()
    assert "2 of 2 made a model" in said.out
    page = (tmp_path / "comparison.html").read_text()
    assert "one" in page
    assert "two" in page
    assert (tmp_path / "two" / "rounds.csv").exists()


def test_what_cannot_be_simulated_is_said_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "small")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    mine = tmp_path / "mine.toml"
    mine.write_text('name = "mine"')
    for command, says in (
        (["simulate"], "nothing to simulate: name a SCENARIO.toml, or a seed with --faults"),
        (["simulate", path, "--faults", "7"], "a scenario and --faults exclude each other"),
        (["simulate", path, path], "two of the scenarios have the same name (small, small)"),
        (["simulate", str(tmp_path / "none.toml")], "does not exist"),
        (["simulate", str(mine), "--out", str(tmp_path)], "mine"),
    ):
        assert run(command) == 2
        said = capsys.readouterr().err
        assert says in said
        assert "Traceback" not in said


def test_an_address_without_its_engine_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.toml").write_text("")
    assert run(["simulate", str(tmp_path / "one.toml"), "--address", "10.0.0.7:6379"]) == 2
    assert "give --engine ray with it" in capsys.readouterr().err


def test_without_ray_its_engine_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "folkmoot.simulate.scenario.cluster", raising=False)
    (tmp_path / "one.toml").write_text("")
    assert run(["simulate", str(tmp_path / "one.toml"), "--engine", "ray"]) == 2
    assert "pip install 'folkmoot[ray]'" in capsys.readouterr().err
