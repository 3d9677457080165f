"""What memory training takes on a device, and what its bundle says of it. `python -m benchmarks.footprint [NAME ...]`.

Of a fresh process that trains 200 steps with examples in memory, the most that is resident (VmHWM); beside it, a fresh process
in which TensorFlow trains the same model. What a manifest predicts, `peak_bytes`, comes on top of a process that has loaded the
runtime and nothing else. MiB everywhere; the bar is 64 MB, which are 61.0 MiB.

Needs TensorFlow, beside it or in .venv-author. Ends with 1 where a small model is over the bar, or a prediction is further off
than it may be, on the first runtime.
"""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks.step import COURSES, PYTHON, child
from folkmoot.serve.program import RUNTIMES
from folkmoot.wire import bundle

MIB = 1 << 20
BAR = 64e6 / MIB  # MiB, for models of fewer parameters than
SMALL = 200_000
OFF = 0.15  # of what was measured


@dataclass(frozen=True)
class Found:
    """What one model takes."""

    parameters: int
    sizes: tuple[int, int]  # bytes of the bundle and of the .tflite in it
    rival: float  # MiB of TensorFlow's process
    resting: dict[str, float]  # runtime to MiB of a process that has loaded it
    said: float  # MiB that the manifest predicts on top
    peaks: dict[str, float]  # runtime to MiB while training

    def off(self, runtime: str) -> float:
        """How far the prediction is off, of what was measured."""
        return (self.resting[runtime] + self.said) / self.peaks[runtime] - 1

    @property
    def held(self) -> bool:
        """Whether both bars are held."""
        first = next(iter(self.peaks))
        return (self.parameters >= SMALL or self.peaks[first] <= BAR) and abs(self.off(first)) <= OFF


def peak(module: str, *arguments: str) -> float:
    """Gives the MiB of a process."""
    return float(child(module, *arguments)["peak"]) / MIB


def authored(source: str, folder: Path) -> bytes:
    """Gives a bundle, as `folkmoot author` makes it."""
    path = folder / "bundle.fmb"
    command = [PYTHON, "-m", "folkmoot_cli", "author", source, "-o", str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(ran.stderr)
    return path.read_bytes()


def measure(built: bytes, source: str, folder: Path) -> Found:
    """Gives what the model takes that a bundle was built of."""
    whole, program = bundle.load(built)
    paths = [folder / "program", folder / "weights"]
    for path, part in zip(paths, (whole.program, whole.weights), strict=True):
        path.write_bytes(part)
    here = [name for name in RUNTIMES if find_spec(name)]
    return Found(
        parameters=program.manifest.parameters,
        sizes=(len(built), len(program.tflite)),
        rival=peak("rival", source),
        resting={name: peak("pupil", name) for name in here},
        said=program.manifest.peak_bytes / MIB,
        peaks={name: peak("pupil", name, *map(str, paths)) for name in here},
    )


def line(name: str, found: Found) -> str:
    """Gives a line of the table."""
    runtimes = "".join(
        f"{found.resting[one]:11.1f} +{found.said:5.1f}{found.peaks[one]:7.1f}{found.off(one):+5.0%}" for one in found.peaks
    )
    sizes = "".join(f"{size:>11,}" for size in found.sizes)
    return f"{name:<14}{found.parameters:>9,}{sizes}{found.rival:8.1f}{runtimes}{'' if found.held else '  MISSED'}"


def rows(all_found: dict[str, Found]) -> list[str]:
    """Gives the rows of docs/measurements.md."""
    command = "`python -m benchmarks.footprint` |"
    first = RUNTIMES[0]
    kept = [
        f"| a process that trains `{name}`, {found.parameters:,} parameters, 200 steps, the most that is resident | "
        f"{f'64 MB = {BAR:.1f} MiB' if found.parameters < SMALL else ''} | {found.peaks[first]:.1f} MiB | {command}"
        for name, found in all_found.items()
    ]
    rivals = [found.rival for found in all_found.values()]
    worst = max(abs(found.off(first)) for found in all_found.values())
    return [
        *kept,
        f"| TensorFlow in its place | | {min(rivals):.0f} to {max(rivals):.0f} MiB | {command}",
        f"| what a manifest says of it, off by at most | {OFF:.0%} | {worst:.0%} | {command}",
    ]


def main(names: list[str]) -> int:
    """Prints the table and the rows; gives the exit code."""
    heads = "".join(f"{one[:4]:>6} rest + said   peak off" for one in RUNTIMES)
    print(f"{'MiB resident':<14}{'params':>9}{'bundle':>11}{'.tflite':>11}{'TF':>8}{heads}")
    all_found = {}
    for name in names or [name for name, course in COURSES.items() if not course.batch]:
        with tempfile.TemporaryDirectory() as made:
            folder, source = Path(made), COURSES[name].path
            all_found[name] = measure(authored(source, folder), source, folder)
        print(line(name, all_found[name]), flush=True)
    print("\n".join(rows(all_found)))
    return int(not all(found.held for found in all_found.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
