"""Every verb that asks a cloud, against a real one with real devices."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from folkmoot import tasks
from folkmoot.link.broker import free_port
from folkmoot.tasks import digits
from folkmoot_cli.demo import examination
from tests.kit.command import Command
from tests.shared.cli.conftest import Village

pytestmark = pytest.mark.broker


def test_who_is_there(folkmoot: Command, village: Village) -> None:
    gateways = folkmoot("gateway", "list", "--json").json
    assert [(one["id"], one["state"], one["devices"]) for one in gateways] == [
        ("home-1", "up", {"up": 1}),
        ("home-2", "up", {"up": 1}),
    ]
    devices = folkmoot("device", "list", "--gateway", "home-2", "--json").json
    assert [(one["id"], one["data"]) for one in devices] == [("home-2-device-1", digits.CONTRACT)]
    assert folkmoot("device", "list", "--state", "away", "--json").json == []
    for noun in ("gateway", "device"):
        said = folkmoot(noun, "list")
        assert said.code == 0
        assert "home-1" in said.out


def test_a_task_is_published_from_a_file_or_by_the_name_that_comes_with_folkmoot(
    folkmoot: Command, village: Village, tmp_path: Path
) -> None:
    file = tmp_path / "some.fmb"
    file.write_bytes(tasks.read("digits-mlp"))
    named, filed = (folkmoot("task", "publish", bundle, "--json").json for bundle in ("digits-mlp", file))
    assert named == filed
    assert named["digest"] == sha256(file.read_bytes()).hexdigest()
    assert folkmoot("task", "show", "digits-mlp", "--json").json == named
    assert named in folkmoot("task", "list", "--json").json
    assert "digits-mlp" in folkmoot("task", "list").out
    assert named["program"] in folkmoot("task", "show", named["id"]).out


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["task", "publish", "nowhere.fmb"], "none of the tasks that come with Folkmoot"),
        (["task", "publish", __file__], "no bundle"),
        (["task", "show", "harvest"], "harvest"),
        (["run", "start", "--task", "harvest"], "harvest"),
        (["run", "start", "--rounds", "3"], "say which task"),
        (["run", "start", "nowhere.toml"], "does not exist"),
        (["plan", __file__], "is no TOML"),
        (["run", "start", "--task", "digits-mlp", "--strategy", "fedsgd"], "fedavg"),
        (["run", "start", "--task", "digits-mlp", "-o", "mu=1"], "mu"),
        (["run", "start", "--task", "digits-mlp", "--learning-rate", "nan"], "finite"),
        (["run", "start", "--task", "digits-mlp", "--offline", "staleness=2000"], "staleness"),
        (["run", "start", "--task", "digits-mlp", "--offline", "always"], "--offline"),
        (["run", "start", "--task", "digits-mlp", "--transform", "int4"], "no transform 'int4'"),
        (["run", "start", "--task", "digits-mlp", "--devices", "3", "--min-answers", "4"], "min_answers"),
        (["run", "start", "--task", "digits-mlp", "--gateway", "home-9"], "home-9"),
        (["run", "show", "nosuchrun"], "nosuchrun"),
        (["run", "watch", "nosuchrun"], "nosuchrun"),
        (["run", "stop", "nosuchrun"], "nosuchrun"),
        (["run", "show", "../tasks"], "run"),
        (["model", "pull", "nosuchmodel"], "nosuchmodel"),
        (["model", "rollback", "harvest"], "harvest"),
    ],
)
def test_what_cannot_be_is_one_sentence_in_the_clouds_words(
    folkmoot: Command, village: Village, arguments: list[str], hint: str
) -> None:
    folkmoot("task", "publish", "digits-mlp")
    said = folkmoot(*arguments)
    assert said.code == 2
    assert hint in said.sentence


def test_a_run_is_watched_to_its_end(folkmoot: Command, village: Village) -> None:
    folkmoot("task", "publish", "digits-mlp")
    started = folkmoot(
        "run",
        "start",
        "--task",
        "digits-mlp",
        "--rounds",
        2,
        "--strategy",
        "fedprox",
        "-o",
        "mu=0.01",
        "--transform",
        "int8",
        "--json",
        "--offline",
        "staleness=2",
        "--offline",
        "rounds=1",
    ).json
    assert started["strategy"] == {"name": "fedprox", "options": {"mu": 0.01}}
    assert started["offline"] == {"staleness": 2, "discount": 0.5, "rounds": 1, "seconds": 86_400}
    assert started["transform"] == "int8"
    said = folkmoot("run", "watch")
    assert said.code == 0, said.err
    first, second, end = said.out.splitlines()
    assert first.startswith("[ROUND 1/2] selected 2 -> accepted 2, ")
    assert second.startswith("[ROUND 2/2] selected 2 -> accepted 2, ")
    assert " loss 0." in first and " accuracy 0." in first
    assert end.startswith("the run is over: completed, loss ")
    # Whoever comes later sees the same.
    assert folkmoot("run", "watch", started["id"]).out == said.out


def test_a_watched_run_is_a_document_a_line_for_machines(folkmoot: Command, learnt: str) -> None:
    lines = folkmoot("run", "watch", learnt, "--json").lines
    assert [line["kind"] for line in lines] == ["round", "round", "run"]
    assert [line["number"] for line in lines[:2]] == [1, 2]
    assert all(line["evaluation"]["members"] == 2 for line in lines[:2])
    assert lines[2]["outcome"] == "completed"


def test_a_run_and_its_rounds_are_shown(folkmoot: Command, learnt: str) -> None:
    shown = folkmoot("run", "show", "--json").json
    assert shown["id"] == learnt
    assert [one["devices"]["answered"] for one in shown["records"]] == [2, 2]
    said = folkmoot("run", "show", learnt)
    assert "[ROUND 2/2]" in said.out
    assert "2 rounds of" in said.out
    members = folkmoot("run", "show", learnt, "--round", 1, "--json").json
    assert {one["device"] for one in members} == {None, "home-1-device-1", "home-2-device-1"}
    assert [one["steps"] > 0 and one["train_seconds"] > 0 for one in members if one["device"]] == [True, True]
    assert "home-2-device-1" in folkmoot("run", "show", learnt, "--round", 1).out
    assert learnt in [one["id"] for one in folkmoot("run", "list", "--status", "finished", "--json").json]
    assert learnt in folkmoot("run", "list", "--limit", 1).out


def test_a_run_in_a_file_is_predicted_started_and_compared(folkmoot: Command, learnt: str, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('task = "digits-mlp"\nrounds = 9\ndeadline_seconds = 60\n[plan]\nepochs = 2\nseed = 5\n')
    found = folkmoot("plan", file, "--watts", 3, "--json").json
    assert (found["rounds"], found["watts"], found["basis"]["own"]) == (9, 3, 2)
    assert 0 < found["round"]["seconds"]["p10"] <= found["round"]["seconds"]["p90"] < 60
    assert found["run"]["bytes_up"]["median"] > 1_000
    said = folkmoot("plan", file)
    assert said.code == 0
    for words in ("a round", "9 rounds", "drop-outs", "energy of devices", "no version", "2 devices by their own"):
        assert words in said.out
    started = folkmoot("run", "start", file, "--rounds", 2, "--epochs", 1, "--watch", "--json").lines[-1]
    assert (started["rounds"], started["deadline_seconds"]) == (2, 60)
    assert (started["plan"]["epochs"], started["plan"]["seed"]) == (1, 5)
    compared = {(one["scope"], one["figure"]): one for one in folkmoot("run", "show", "--json").json["prediction"]["compared"]}
    assert compared["run", "bytes_down"]["error_percent"] == pytest.approx(0, abs=30)
    assert compared["run", "drop_outs"]["measured"] == 0
    assert compared["run", "seconds"]["measured"] > 0
    shown = folkmoot("run", "show", started["id"])
    assert "predicted" in shown.out
    assert "the run: time" in shown.out
    assert "predicted" in folkmoot("run", "watch", started["id"]).err


def test_an_asynchronous_run_is_predicted_and_compared(folkmoot: Command, learnt: str, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('task = "digits-mlp"\nrounds = 6\nbuffer = 1\ndeadline_seconds = 60\n[offline]\nstaleness = 20\n')
    found = folkmoot("plan", file, "--json").json
    assert found["devices"]["answered"] == {"p10": 1, "median": 1, "p90": 1}
    assert 0 < found["run"]["seconds"]["median"] < 60
    said = folkmoot("plan", file)
    assert said.code == 0
    assert "who is away" in said.out
    started = folkmoot("run", "start", file, "--watch", "--json").lines[-1]
    compared = {(one["scope"], one["figure"]): one for one in folkmoot("run", "show", "--json").json["prediction"]["compared"]}
    assert compared["run", "seconds"]["measured"] > 0
    assert compared["run", "drop_outs"]["measured"] <= 2  # who is at work when the run is over
    assert compared["run", "bytes_up"]["error_percent"] == pytest.approx(0, abs=50)
    assert "the run: time" in folkmoot("run", "show", started["id"]).out
    again = folkmoot("plan", file, "--json").json
    assert again["basis"]["rounds"] == found["basis"]["rounds"] + 6


def test_a_run_is_paused_resumed_stopped_and_given_one_more_round(folkmoot: Command, village: Village) -> None:
    folkmoot("task", "publish", "digits-mlp")
    run = folkmoot("run", "start", "--task", "digits-mlp", "--rounds", 10_000, "--json").json["id"]
    assert folkmoot("run", "pause", run, "--json").json["desired"] == "pause"
    assert folkmoot("run", "resume", run, "--json").json["desired"] == "run"
    said = folkmoot("run", "stop", run)
    assert said.code == 0
    assert "is to stop" in said.err
    ended = folkmoot("run", "watch", run, "--json")
    assert (ended.code, ended.lines[-1]["outcome"]) == (0, "stopped")
    assert "finished" in folkmoot("run", "stop", run).sentence
    assert folkmoot("run", "more", run).code == 0
    taken_up = folkmoot("run", "watch", run, "--json").lines[-1]
    assert (taken_up["outcome"], taken_up["done"]) == ("completed", ended.lines[-1]["done"] + 1)


def test_a_model_is_pulled_and_infers(folkmoot: Command, learnt: str, tmp_path: Path) -> None:
    file = tmp_path / "digits.tflite"
    pulled = folkmoot("model", "pull", "--output", file, "--json").json
    assert (pulled["run_id"], pulled["version"], pulled["bytes"]) == (learnt, 2, file.stat().st_size)
    _, kept_back = digits.load()
    assert examination.accuracy(file.read_bytes(), kept_back) > 0.8
    folkmoot("model", "pull", pulled["id"], "--weights", "-o", tmp_path / "block")
    assert sha256((tmp_path / "block").read_bytes()).hexdigest() == pulled["model_sha256"]
    said = folkmoot("model", "pull", "--output", tmp_path / "no" / "folder")
    assert said.code == 2
    assert "cannot be written" in said.sentence


def test_models_are_promoted_and_rolled_back(folkmoot: Command, learnt: str, tmp_path: Path) -> None:
    newest, older = folkmoot("model", "list", "--run", learnt, "--json").json

    def promoted() -> list[Any]:
        listed = folkmoot("model", "list", "--task", "digits-mlp", "--promoted", "--json")
        return [one["id"] for one in listed.json]

    folkmoot("model", "promote", older["id"])
    folkmoot("model", "promote", "latest", "--task", "digits-mlp")
    assert promoted() == [newest["id"]]
    assert folkmoot("model", "rollback", "digits-mlp", "--json").json["id"] == older["id"]
    assert promoted() == [older["id"]]
    pulled = folkmoot("model", "pull", "promoted", "-o", tmp_path / "some.tflite", "--json").json
    assert pulled["id"] == older["id"]
    assert older["id"] in folkmoot("model", "list").out


def test_a_list_goes_on_over_its_pages(folkmoot: Command, learnt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("folkmoot_cli.api.PAGE", 1)
    models = folkmoot("model", "list", "--json", "--limit", 0).json
    assert len({one["id"] for one in models}) == len(models) >= 3
    assert folkmoot("model", "list", "--json", "--limit", 2).json == models[:2]


@pytest.mark.parametrize(
    ("variables", "hint"),
    [
        ({"FOLKMOOT_TOKEN_FILE": "/nowhere/token"}, "cannot be read"),
        ({"FOLKMOOT_TOKEN_FILE": __file__}, "begins with fm_"),
        ({"FOLKMOOT_TOKEN_FILE": None}, "set FOLKMOOT_TOKEN"),
        ({"FOLKMOOT_TOKEN_FILE": None, "FOLKMOOT_TOKEN": "fm_me_please"}, "unknown or revoked"),
        ({"FOLKMOOT_URL": f"http://127.0.0.1:{free_port()}"}, "no cloud answers at http://127.0.0.1:"),
        ({"FOLKMOOT_URL": "127.0.0.1:8080"}, "--url"),
        ({"FOLKMOOT_URL": "http://[bad"}, "--url"),
    ],
)
def test_whoever_does_not_get_in_is_told_why(
    folkmoot: Command, village: Village, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str | None], hint: str
) -> None:
    for name, value in variables.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    said = folkmoot("run", "list")
    assert said.code == 2
    assert hint in said.sentence


def test_something_else_than_a_cloud_is_not_taken_for_one(folkmoot: Command, village: Village) -> None:
    said = folkmoot("run", "list", "--url", f"{village.url}/elsewhere")
    assert said.code == 2
    assert "/elsewhere" in said.sentence
