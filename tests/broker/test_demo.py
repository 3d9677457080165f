"""`folkmoot demo` as people start it: real processes, real brokers, real training."""

import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil
import pytest

from folkmoot.store.examples import Reader
from folkmoot.tasks import digits
from tests.kit.command import Command

pytestmark = pytest.mark.broker

SMALL = ("--gateways", "2", "--devices", "4", "--rounds", "2")
PROMISED = {
    "accuracy",
    "accuracy_before",
    "test_accuracy",
    "rounds",
    "devices",
    "gateways",
    "bytes_up",
    "seconds",
    "device_peak_rss_mb",
    "model_sha256",
}
MODELS: set[str] = set()  # the sha256 that each broker ended in


def command(*arguments: object) -> list[str]:
    """Gives a command line of the demo."""
    return [sys.executable, "-m", "folkmoot_cli", "demo", *map(str, arguments)]


def left(folder: Path) -> list[list[str]]:
    """Gives the processes that still have something to do with a demo's folder."""
    found = (process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]))
    return [line for line in found if any(str(folder) in word for word in line)]


@contextmanager
def learning(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Gives a demo whose first round is over and whose last one is far away."""
    arguments = command("--gateways", 2, "--devices", 2, "--rounds", 10_000, "--keep", folder)
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stderr
        for line in demo.stderr:
            if line.startswith("[ROUND 1/"):
                break
        try:
            yield demo
        finally:
            demo.terminate()


@pytest.mark.parametrize("broker", ["mosquitto", "amqtt"])
def test_a_federation_learns_and_every_figure_is_earned(tmp_path: Path, broker: str) -> None:
    kept = tmp_path / "kept"
    done = subprocess.run(
        command(*SMALL, "--broker", broker, "--keep", kept, "--json"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert said.keys() >= PROMISED
    assert (said["gateways"], said["devices"], said["rounds"], said["broker"]) == (2, 4, 2, broker)
    assert said["accuracy_before"] < 0.3 < 0.9 < said["accuracy"]
    assert said["test_accuracy"] > 0.9
    assert said["bytes_up"] > 2 * 2 * 10_000  # two rounds of two gateways of a model of 20,000 integers
    assert 20 < said["device_peak_rss_mb"] < 200
    assert "[ROUND 2/2] selected 4 -> accepted 4" in done.stderr
    assert (kept / "model.tflite").stat().st_size > 10_000
    assert left(kept) == []
    _see_only_their_own(kept, said["examples"])
    # A seed decides everything: neither who answers first nor how messages travel makes a difference.
    MODELS.add(said["model_sha256"])
    assert len(MODELS) == 1


@pytest.mark.slow
def test_a_federation_learns_from_updates_of_a_byte_an_element(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    arguments = command(*SMALL, "--transform", "int8", "--keep", kept, "--json")
    said = json.loads(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    assert said["accuracy"] > 0.9
    with closing(sqlite3.connect(kept / "cloud" / "cloud.sqlite")) as database:
        assert database.execute("SELECT transform FROM runs").fetchall() == [("int8",)]


def _see_only_their_own(kept: Path, held_out: int) -> None:
    """Every image that is dealt is with one device, and those that are kept back are with none."""
    dealt, kept_back = digits.load()
    seen: list[bytes] = []
    count = 0
    for file in kept.rglob("examples.db"):
        reader = Reader(file)
        seen += [sha256(x + y).digest() for part in ("train", "holdout") for x, y in reader.read(reader.ids(part))]
        count += reader.counts().holdout
        reader.close()
    pairs = [sha256(x.tobytes() + y.tobytes()).digest() for x, y in zip(dealt.x, dealt.y, strict=True)]
    assert sorted(seen) == sorted(pairs)
    others = {sha256(x.tobytes() + y.tobytes()).digest() for x, y in zip(kept_back.x, kept_back.y, strict=True)}
    assert others - set(pairs) == others - set(seen)
    assert count == held_out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_told_to_end_it_stops_everything_in_order(tmp_path: Path, number: int, code: int) -> None:
    with learning(tmp_path / "kept") as demo:
        demo.send_signal(number)
        demo.send_signal(number)  # impatience leaves nobody behind
        out, err = demo.communicate()
    assert demo.returncode == code
    assert out == ""
    assert "stopping everything" in err
    assert "Traceback" not in err
    assert left(tmp_path / "kept") == []


@pytest.mark.parametrize(
    ("part", "name"),
    [("folkmoot_device", r"home-\d-device-1 has ended by SIGKILL"), ("-c", r"the broker of (cloud|home-\d) has ended")],
)
def test_a_process_that_dies_ends_the_demo_and_is_named(tmp_path: Path, part: str, name: str) -> None:
    with learning(tmp_path / "kept") as demo:
        children = psutil.Process(demo.pid).children()
        next(child for child in children if part in child.cmdline()).kill()
        _, err = demo.communicate()
    assert demo.returncode == 1
    assert re.match(f"folkmoot: {name}, and the demo with it", err.splitlines()[-1])
    assert "Traceback" not in err
    assert left(tmp_path / "kept") == []


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--gateways", "5", "--devices", "4"], "--devices 5"),
        (["--devices", "1000"], "--devices 150"),
        (["--strategy", "fedsgd"], "fedavg"),
        (["--strategy", "fedprox", "--option", "nu=1"], "mu"),
        (["--option", "mu"], "NAME=VALUE"),
        (["--task", "harvest"], "digits-mlp"),
        (["--rounds", "0"], "--rounds"),
        (["--keep", "."], "is not empty"),
        (["--keep", "/proc/nowhere"], "cannot be used"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(folkmoot: Command, arguments: list[str], hint: str) -> None:
    said = folkmoot("demo", *arguments)
    assert said.code == 2
    assert hint in said.sentence
