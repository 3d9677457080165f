"""`folkmoot replay`."""

from pathlib import Path
from typing import Any

import pytest

from tests.kit.command import Command
from tests.kit.flight import exam, school

HOMES = {"g1": tuple(f"a{number}" for number in range(7)), "g2": ("b0", "b1"), "g3": ("c0", "c1")}
SPOILT = 2  # the round
SPOILERS = {"a4": frozenset({SPOILT}), "b1": frozenset({SPOILT + 1}), "a2": frozenset({SPOILT + 1})}


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives the folder of the recordings of a run in which digits were learnt, and of the file `exam.npz`."""
    folder = tmp_path_factory.mktemp("flights")
    school(folder, HOMES, SPOILERS)
    exam(folder / "exam.npz")
    return folder


def inquire(folkmoot: Command, flights: Path, name: str, number: int, measure: str, *more: object) -> dict[str, Any]:
    """Gives what is found about a round."""
    options = ("--data", flights / "exam.npz") if measure == "loss" else ()
    said = folkmoot("replay", flights / name, "--round", number, "--bisect", measure, *options, *more, "--json")
    assert (said.code, said.err) == (0, "")
    found: dict[str, Any] = said.json["bisect"]
    return found


def test_rounds_are_listed_with_what_came_of_them_again(flights: Path, folkmoot: Command) -> None:
    said = folkmoot("replay", flights / "cloud")
    assert said.code == 0
    *rows, summary = said.out.splitlines()[2:]
    assert [row.split()[1] for row in rows] == ["1", "2", "3"]
    assert all(row.rstrip().endswith("same") for row in rows)
    assert summary.startswith("3 rounds: 3 same")
    document = folkmoot("replay", flights / "cloud", "--json").json
    assert (document["tier"], document["name"], document["notes"]) == ("cloud", "cloud", [])
    assert [one["sha256"] == one["replayed_sha256"] for one in document["rounds"]] == [True] * 3
    # What the devices have measured says which round it was: the model after it is as bad as none.
    losses = [one["loss_before"] for one in document["rounds"]]
    assert losses[2] > 3 * losses[1]


@pytest.mark.parametrize("measure", ["loss", "norm"])
def test_the_device_that_has_spoilt_a_round_is_named(flights: Path, folkmoot: Command, measure: str) -> None:
    found = inquire(folkmoot, flights, "g1", SPOILT, measure)
    assert (found["bad"], found["members"]) == (True, ["a4"])
    assert found["with_all"] > found["limit"] >= found["without_them"]
    assert found["with_them_alone"] > found["with_all"]
    assert found["evaluations"] <= 9  # of all, of none, two for each halving of seven, of it alone


def test_what_is_said_of_it_is_enough_to_look_for_it(flights: Path, folkmoot: Command) -> None:
    said = folkmoot("replay", flights / "g1", "--round", SPOILT, "--bisect", "norm")
    assert "\nspoilt by a4: " in said.out
    row = next(line for line in said.out.splitlines() if line.startswith("a4"))
    device, devices, day, time, after, belated, weight, norm, cosine = row.split()
    assert (device, devices, belated) == ("a4", "1", "-")
    assert int(weight) > 0
    assert float(norm) > 20
    assert float(cosine) < 0
    assert f"{day} {time}".startswith("20")
    assert float(after) >= 1
    assert "the norms of the other 6 are " in said.out


def test_at_the_cloud_it_is_a_gateway_whose_own_recording_leads_further(flights: Path, folkmoot: Command) -> None:
    assert inquire(folkmoot, flights, "cloud", SPOILT, "loss")["members"] == ["g1"]
    said = folkmoot("replay", flights / "cloud", "--round", SPOILT, "--bisect", "loss", "--data", flights / "exam.npz")
    assert "spoilt by g1: " in said.out
    assert "g1 is a gateway, with a0, a1, a2, a3, a4, a5, a6 in its answer" in said.out
    assert f"folkmoot replay gateway-g1 --run run --round {SPOILT} --bisect loss --data " in said.out


def test_several_that_have_spoilt_it_are_all_named(flights: Path, folkmoot: Command) -> None:
    assert inquire(folkmoot, flights, "cloud", SPOILT + 1, "loss")["members"] == ["g1", "g2"]


def test_a_round_that_is_not_bad_is_not_anybodys_fault(flights: Path, folkmoot: Command) -> None:
    for measure in ("loss", "norm", "finite"):
        found = inquire(folkmoot, flights, "g1", 1, measure)
        assert (found["bad"], found["members"]) == (False, [])
    found = inquire(folkmoot, flights, "g1", SPOILT, "loss", "--worse-than", 1_000)
    assert (found["bad"], found["members"]) == (False, [])


def test_the_answers_of_a_round_are_shown_one_by_one(flights: Path, folkmoot: Command) -> None:
    said = folkmoot("replay", flights / "g2", "--round", 1)
    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()[-2:]] == ["b0", "b1"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere",), "nowhere cannot be read: no such file or directory"),
        (("cloud", "--bisect", "norm"), "--bisect needs the round that is bad: name it with --round"),
        (("cloud", "--round", "2", "--bisect", "loss"), "--bisect loss and --data FILE go together"),
        (("cloud", "--round", "2", "--data", "exam.npz"), "--bisect loss and --data FILE go together"),
        (("g1", "--round", "9"), "no training round 9 is over in the recording"),
        (("g1", "--run", "other", "--round", "2"), "no training round 2 is over in the recording"),
        ((".",), "there are several recordings in ."),
    ],
)
def test_a_mistake_is_one_sentence(
    flights: Path, folkmoot: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(flights)
    said = folkmoot("replay", *arguments, "--json")
    assert said.code == 2
    assert said.sentence.startswith(sentence)
