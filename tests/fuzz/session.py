"""A while of fuzzing one target, guided by coverage, in a process of its own: what it did, and what it found."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.target import Target

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".fuzz"  # not in version control: what earlier sessions came to, and what they found
HERE = importlib.util.find_spec("atheris") is not None
WHY_NOT = "atheris has wheels for x86-64 alone"

GUIDED = ("-m", "tests.fuzz.guided")
# Linux hands the most that a process has ever held on to what it becomes, and libFuzzer goes by that figure: from a large
# process (pytest, after some hundred tests) everything would start beyond the limit. A shell between them starts a small one.
SHELL = ("sh", "-c", '"$@"; exit $?', "sh")

# An interpreter with numpy and cbor2 takes 85 MB; between two inputs a target keeps nothing.
RESIDENT = 256  # MB
SLOW = 60  # seconds for one input, on a machine that does other things as well: a tenth of a millisecond is usual
ENDED = re.compile(r"^#\d+\s+\S+\s+cov: (\d+) ft: (\d+) corp: (\d+)/", re.M)


@dataclass(frozen=True)
class Outcome:
    """What came of a session."""

    inputs: int
    edges: int  # of the instrumented modules' code that were taken
    corpus: int  # inputs that are worth keeping: each takes a way that no other takes
    peak: int  # MB that were resident
    found: Sequence[Path]  # an input each, which breaks a law, takes too long or too much memory
    said: str


def replay(target: Target, file: Path) -> str:
    """Gives the command that runs one finding again."""
    return f"{Path(sys.executable)} -m tests.fuzz {target.name} --replay {file}"


def guide(target: Target, seconds: int, folder: Path = FOLDER, program: Sequence[str] = GUIDED) -> Outcome:
    """Fuzzes for so many seconds, starting from the seeds and from what earlier sessions in `folder` have kept.

    Ends early with the first finding. `program`: what Python is to run. Raises RuntimeError where the session itself fails.
    """
    corpus, found = (folder / target.name / kind for kind in ("corpus", "found"))
    for each in (corpus, found):
        each.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    before = set(found.iterdir())
    command = [
        *(*SHELL, sys.executable, *program, target.name),
        *(f"-max_total_time={seconds}", f"-timeout={SLOW}", f"-rss_limit_mb={RESIDENT}", f"-max_len={target.longest}"),
        *("-print_final_stats=1", f"-artifact_prefix={found}/", str(corpus)),
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    news = sorted(set(found.iterdir()) - before)
    ways, inputs, peak = (
        ENDED.findall(ended.stderr),
        *(_figure(ended.stderr, name) for name in ("number_of_executed", "peak_rss")),
    )
    if ended.returncode != 0 and not news:
        raise RuntimeError(f"{target.name}: exit code {ended.returncode}\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    edges, _, kept = map(int, ways[-1]) if ways else (0, 0, 0)  # it has said nothing where the first input was a finding
    return Outcome(inputs, edges, kept, peak, news, ended.stdout + ended.stderr)


def _figure(said: str, name: str) -> int:
    """Gives one of libFuzzer's final figures; 0 where it had no time to say it."""
    found = re.search(rf"^stat::{name}\w*:\s+(\d+)", said, re.M)
    return int(found[1]) if found else 0
