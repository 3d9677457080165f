"""`python -m folkmoot.serve.trial PROGRAM WEIGHTS [STEPS]`: the first steps of a program on the runtime that is installed.

Writes one line of JSON, a Found. It runs in a process of its own, because only a fresh one shows what memory a program takes;
the compiler checks with it what it has made, and `folkmoot task inspect` and `check` what they are given.
"""

import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TypedDict

from folkmoot.errors import UserFault
from folkmoot.serve import memory, reference
from folkmoot.serve.program import Learner, runtime
from folkmoot.wire import bundle

WARM = 100  # steps that are timed at the most, after those that allocate and fill the caches
LONG = 2.0  # seconds after which no more are


class Found(TypedDict):
    """What a trial finds."""

    losses: list[float]  # before each step of the reference (folkmoot.serve.reference)
    base_bytes: int  # resident in a process with the runtime and without the program
    peak_bytes: int  # what loading and training added to that, at the most
    step_seconds: float  # median
    runtime: str  # the package that it ran on


def run(program: bytes, weights: bytes, steps: int = reference.STEPS) -> Found:
    """Tries an encoded Program with a block of weights, in a process of its own.

    Raises UserFault where it does not run here.
    """
    with tempfile.TemporaryDirectory(prefix="folkmoot-") as folder:
        paths = [Path(folder) / "program", Path(folder) / "weights"]
        for path, data in zip(paths, (program, weights), strict=True):
            path.write_bytes(data)
        command = [sys.executable, "-m", "folkmoot.serve.trial", *map(str, paths), str(steps)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if ran.returncode:
        raise UserFault(
            f"it does not run on the TFLite runtime: {(ran.stderr.strip().splitlines() or ['no reason given'])[-1]}"
        )
    found: Found = json.loads(ran.stdout)
    return found


def main(program_path: str, weights_path: str, steps: str = str(reference.STEPS)) -> None:
    """Runs the trial and writes what it found to standard output."""
    program = bundle.program(Path(program_path).read_bytes())
    weights = Path(weights_path).read_bytes()
    package = runtime().__name__.partition(".")[0]
    memory.reset_peak()
    before = memory.resident()
    learner = Learner(program)
    rate = float(program.manifest.reference["learning_rate"])
    losses = reference.losses(learner, weights, rate, int(steps))
    x, y = reference.batch(program.manifest.contract, program.manifest.batch)
    learner.evaluate(x, y)
    learner.get_weights()
    peak = memory.peak() - before
    times: list[float] = []
    until = time.perf_counter() + LONG
    while not times or (len(times) < WARM and time.perf_counter() < until):
        began = time.perf_counter()
        learner.train(x, y, rate=rate)
        times.append(time.perf_counter() - began)
    losses = [loss if math.isfinite(loss) else sys.float_info.max for loss in losses]  # JSON has no other numbers
    found = Found(
        losses=losses, base_bytes=before, peak_bytes=peak, step_seconds=sorted(times)[len(times) // 2], runtime=package
    )
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
