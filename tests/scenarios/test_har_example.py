"""The scripts of docs/examples/har on examples that are made up: in both forms that the data set comes in, and none of them."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from folkmoot import tasks
from folkmoot.tasks import digits
from folkmoot.wire import bundle
from folkmoot_device import shards
from tests.architecture.conftest import ROOT

SENSORS = ("body_acc", "body_gyro", "total_acc")
PEOPLE = np.array([1, 1, 3, 2, 2])
TEST = np.array([0, 0, 0, 1, 1], bool)
LABELS = np.array([1, 6, 3, 2, 5])
X = np.random.default_rng(0).integers(-5_000, 5_000, (5, 128, 9))
SCALE = 2e-4


def example(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a script of the example."""
    command = [sys.executable, ROOT / "docs" / "examples" / "har" / script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def official(folder: Path) -> Path:
    """Gives a folder as UCI's archive unpacks to."""
    for part, rows in (("train", ~TEST), ("test", TEST)):
        signals = folder / part / "Inertial Signals"
        signals.mkdir(parents=True)
        for number, sensor in enumerate(SENSORS):
            for axis, channel in enumerate(X[rows][:, :, 3 * number : 3 * number + 3].transpose(2, 0, 1)):
                np.savetxt(signals / f"{sensor}_{'xyz'[axis]}_{part}.txt", channel * SCALE, "%16.7e")
        np.savetxt(folder / part / f"y_{part}.txt", LABELS[rows], "%d")
        np.savetxt(folder / part / f"subject_{part}.txt", PEOPLE[rows], "%d")
    return folder


def whole(file: Path) -> Path:
    """Gives the same as one file of arrays."""
    arrays = {
        "X": X.astype(np.int16),
        "scale": np.float32(SCALE),
        "y": LABELS.astype(np.uint8),
        "subject": PEOPLE.astype(np.uint8),
    }
    np.savez(file, is_test=TEST.astype(np.uint8), **arrays)
    return file


@pytest.mark.parametrize("form", [official, whole])
def test_a_fleet_takes_what_the_example_makes_of_the_data_set(tmp_path: Path, form: Callable[[Path], Path]) -> None:
    done = example("prepare.py", form(tmp_path / "source.npz"), tmp_path / "made")
    assert done.returncode == 0, done.stderr
    for part, rows in (("train", ~TEST), ("test", TEST)):
        found = shards.read(tmp_path / "made" / f"{part}.npz")
        assert found.contract == "har-128x9"
        np.testing.assert_allclose(found.x, X[rows] * SCALE, rtol=1e-6)
        assert found.y.tolist() == (LABELS[rows] - 1).tolist()
        assert found.numbers(None) == sorted(set(PEOPLE[rows].tolist()))


def test_what_is_no_data_set_is_one_sentence(tmp_path: Path) -> None:
    for source in (tmp_path, tmp_path / "nowhere"):
        done = example("prepare.py", source, tmp_path / "made")
        assert done.returncode == 1
        (sentence,) = done.stderr.splitlines()
        assert sentence.startswith(f"{source} is not the data set that README.md names")


def test_a_model_is_judged_person_by_person_and_on_the_whole(tmp_path: Path) -> None:
    given, _ = bundle.load(tasks.read("digits-mlp"))
    (tmp_path / "model.tflite").write_bytes(given.inference["float"])
    _, images = digits.load()
    x, people = images.x.reshape(-1, 8, 8, 1), np.arange(len(images)) % 3
    np.savez(tmp_path / "test.npz", x=x, y=images.y, client=people)
    done = example("examine.py", tmp_path / "model.tflite", tmp_path / "test.npz")
    assert done.returncode == 0, done.stderr
    *each, all_ = done.stdout.splitlines()
    assert [line.split(":")[0] for line in each] == ["person  0", "person  1", "person  2"]
    assert float(all_.split()[1]) == pytest.approx(np.mean([float(line.split()[2]) for line in each]), abs=1e-3)
    assert all_.endswith("on 297 windows of 3 people")
