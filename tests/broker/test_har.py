"""docs/examples/har, for real: 21 people learn together what they are doing, and it holds of nine others."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from folkmoot import tasks
from tests.architecture.conftest import ROOT
from tests.kit import datasets
from tests.kit.processes import Process, Town

EXAMPLE = ROOT / "docs" / "examples" / "har"
LEARNERS, ROUNDS = 21, 20
LEAST = 0.88  # accuracy on the official test people
DEADLINE = 600.0  # seconds: the run takes under a minute on two cores that have nothing else to do


def python(script: str, *arguments: Path) -> str:
    """Runs a script of the example; gives what it prints."""
    command = [sys.executable, EXAMPLE / script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.timeout(DEADLINE + 120)
def test_what_a_fleet_of_people_learns_holds_of_people_who_had_no_part_in_it(tmp_path: Path) -> None:
    python("prepare.py", datasets.find("UCI HAR Dataset", "uci_har/uci_har_inertial.npz"), tmp_path)
    with Town(tmp_path, {"home-1": []}) as town:
        place = f"127.0.0.1:{town.brokers['home-1'].port}"
        options = ["--gateway", place, "--examples", str(tmp_path / "train.npz"), "--folder", str(tmp_path / "fleet")]
        fleet = Process("fleet", [sys.executable, "-m", "folkmoot_cli", "fleet", *options], tmp_path)
        fleet.start()
        try:
            town.up(LEARNERS)
            run = town.launch(tasks.read("har"), rounds=ROUNDS, min_answers=LEARNERS)
            found = town.finished(run, DEADLINE)
            assert (found["outcome"], found["done"]) == ("completed", ROUNDS)
            model = tmp_path / "har.tflite"
            model.write_bytes(town.api.get(f"/v1/models/{found['model']}/tflite").raise_for_status().content)
        finally:
            assert fleet.stop() == 0, fleet.said()
    said = python("examine.py", model, tmp_path / "test.npz")
    (accuracy,) = re.findall(r"^accuracy ([\d.]+) on 2,947 windows of 9 people$", said, re.MULTILINE)
    assert float(accuracy) >= LEAST, said
