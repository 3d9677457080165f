"""How a simulation grows with its fleet: `python -m benchmarks.scale`, some minutes.

`folkmoot simulate`, everything included that it does, of 1,000, 3,160 and 10,000 devices, 20 in a home: 20 generated examples
each, 64-64-10, batches of 10, one epoch, all devices in each of ten rounds. Then fleets of 1,000 and 10,000 of which 100 are
asked, and homes that are not are put away, as far as they can be: what the others take lies between the two.
"""

import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import bundles
from benchmarks.runner import MIB, watched

SIZES = (1_000, 3_160, 10_000)
HOME = 20  # devices
ROUNDS = 10
FEW = 100
AWAKE = 250  # devices that each process keeps as they are, where few are asked
SCENARIO = """
awake = {awake}
task = "{task}"
[fleet]
homes = {homes}
devices = {devices}
[data]
examples = "generated"
each = 20
holdout = 0
[run]
rounds = {rounds}
evaluate = false
plan = {{epochs = 1, learning_rate = 0.1}}
# A round is to ask more devices than the usual cap of a weight leaves room for (docs/simulation.md).
precision = {{cap = 100}}
"""


def simulate(devices: int, asked: int = 0) -> tuple[float, float]:
    """Gives seconds and bytes of a simulation, all its processes together. `asked`: devices of a round; 0: all."""
    text = SCENARIO.format(awake=AWAKE, task=bundles.place("narrow"), homes=devices // HOME, devices=devices, rounds=ROUNDS)
    if asked:
        text += f"cohort = {{devices = {asked}}}\n"
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "scenario.toml"
        file.write_text(text)
        began = time.monotonic()
        command = [sys.executable, "-m", "folkmoot_cli", "simulate", str(file), "--out", made]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        with watched(process.pid) as most:
            assert process.wait() == 0
        print(f"{devices:,} devices: {time.monotonic() - began:.1f} s, {most[0] / MIB:.0f} MiB", file=sys.stderr, flush=True)
        return time.monotonic() - began, most[0]


def exponent(seconds: Mapping[int, float]) -> float:
    """Gives the slope of a straight line through the logarithms of sizes and seconds, by least squares."""
    points = [(math.log(size), math.log(took)) for size, took in seconds.items()]
    middle = [sum(column) / len(points) for column in zip(*points, strict=True)]
    return sum((x - middle[0]) * (y - middle[1]) for x, y in points) / sum((x - middle[0]) * (x - middle[0]) for x, _ in points)


def measure() -> dict[str, Any]:
    """Gives all figures."""
    found = {size: simulate(size) for size in SIZES}
    few, many = (simulate(size, asked=FEW)[1] for size in (SIZES[0], SIZES[-1]))
    seconds = {size: took for size, (took, _) in found.items()}
    return {
        **{f"seconds_{size}": took for size, took in seconds.items()},
        **{f"mib_{size}": bytes_ / MIB for size, (_, bytes_) in found.items()},
        "exponent": exponent(seconds),
        "idle_kib": (many - few) / (SIZES[-1] - SIZES[0]) / 1024,
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
