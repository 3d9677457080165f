"""How long a step of a compiled program takes, beside TensorFlow's on the same model. `python -m benchmarks.step [NAME ...]`.

Both have one thread, the same batch, and the same optimiser. They take turns in blocks of a tenth of a second, so that whatever
else the machine does meets both; a ratio is the median over the blocks. TensorFlow has its examples as tensors already, the
program takes them as a device has them, in numpy arrays, through the interpreter's Python.

Needs TensorFlow, beside it or in .venv-author. Ends with 1 where a program is over its bar on the first runtime.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from folkmoot.serve.program import RUNTIMES
from folkmoot.serve.training import ENVIRONMENT

# Where TensorFlow is: the environment that `.ci/venv author` makes, unless it is in the one that runs this.
PYTHON = sys.executable if find_spec("tensorflow") else ".venv-author/bin/python"
# As an agent starts its training process; benchmarks.rival sets the threads of TensorFlow's own pools.
ALONE = {**ENVIRONMENT, "TF_CPP_MIN_LOG_LEVEL": "3"}


@dataclass(frozen=True)
class Course:
    """A model to time."""

    source: str  # below folkmoot.author.models, as `folkmoot author` takes it
    bar: float  # times TensorFlow's own step
    batch: int = 0  # 0: the draft's

    @property
    def path(self) -> str:
        """What `folkmoot author` takes."""
        return f"folkmoot.author.models.{self.source}"


COURSES = {
    "digits-mlp": Course("digits:mlp", 1.0),
    "64-64-10, batch 32": Course("digits:mlp", 1.0, batch=32),
    "autoencoder": Course("sounds:machines", 1.0),
    "gru": Course("traffic:packets", 1.0),
    "lstm": Course("sensors:hours", 1.0),
    "lenet": Course("images:lenet", 1.5),
    "digits-cnn": Course("digits:cnn", 1.5),
    "ds-cnn": Course("sounds:keywords", 1.5),
    "mobilenet": Course("images:mobilenet", 1.5),
    "transformer": Course("sensors:motion", 1.5),
}


def child(module: str, *arguments: str) -> Any:
    """Gives what a module of this folder finds, in a fresh process with TensorFlow beside it."""
    command = [PYTHON, "-m", f"benchmarks.{module}", *arguments]
    ran = subprocess.run(command, env={**os.environ, **ALONE}, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(ran.stderr)
    return json.loads(ran.stdout.splitlines()[-1])


def line(name: str, course: Course, found: Any) -> str:
    """Gives a line of the table."""
    ratios = "".join(f"{found['ms'].get(one, 0):9.3f} {found['ratios'].get(one, 0):6.2f}" for one in RUNTIMES)
    missed = "  MISSED" if found["ratios"][RUNTIMES[0]] > course.bar else ""
    sizes = f"{found['parameters']:>9,}{found['bytes']:>10,}"
    return f"{name:<20}{sizes}{found['ms']['tensorflow']:9.3f}{ratios}{course.bar:6.1f}{missed}"


def row(name: str, course: Course, found: Any) -> str:
    """Gives the row of docs/measurements.md."""
    return (
        f"| a step of `{name}`, {found['parameters']:,} parameters, one thread, times TensorFlow's | {course.bar:g} | "
        f"{found['ratios'][RUNTIMES[0]]:.2f} ({found['ms'][RUNTIMES[0]]:.2g} ms) | `python -m benchmarks.step` |"
    )


def main(names: list[str]) -> int:
    """Prints the table and the rows; gives the exit code."""
    heads = "".join(f"{one[:9]:>9} ratio " for one in RUNTIMES)
    print(f"{'ms a step':<20}{'params':>9}{'.tflite':>10}{'TF':>9}{heads}  bar")
    rows, missed = [], False
    for name in names or COURSES:
        found = child("pace", COURSES[name].path, str(COURSES[name].batch))
        print(line(name, COURSES[name], found), flush=True)
        rows.append(row(name, COURSES[name], found))
        missed |= found["ratios"][RUNTIMES[0]] > COURSES[name].bar
    print("\n".join(rows))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
