"""Measures Folkmoot beside its peers, and writes docs/benchmarks.md: `python -m benchmarks [NAME ...]`, as `make bench` does.

A name is a race of benchmarks/table.py, or a module that measures what docs/measurements.md states. Without any, every race
runs that is not long. Each side of a race runs by turns with the others; what it gave is kept in benchmarks/results.jsonl at
once, and the document is made of the newest session of each race on the machine that measured last.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from benchmarks import bundles, document, machine, results, runner
from benchmarks.race import Race, judge
from benchmarks.results import OURS, Result
from benchmarks.runner import ROOT, Failed
from benchmarks.table import BESIDE, RACES, ROWS

PEERS = ROOT / ".peers"
PACKAGES = {"flower": "flwr", "nvflare": "nvflare", "pfl": "pfl"}


def commit() -> str:
    """Gives the commit that is measured, or "none"; a + where something is not committed, results and document aside."""
    aside = [f":!{path}" for path in (results.FILE, document.FILE, document.PICTURES)]
    try:
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *aside)
        return _git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository
        return "none"


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@cache
def environment(peer: str) -> Path:
    """Gives the Python of a peer's environment, which is made first where it is not there. Raises Failed."""
    made = subprocess.run([".ci/peer", peer], cwd=ROOT, stdin=subprocess.DEVNULL, check=False)
    if made.returncode:
        raise Failed(f".ci/peer {peer} could not make its environment")
    return PEERS / peer / "bin" / "python"


@cache
def version(peer: str) -> str:
    """Gives what is installed of a peer, with torch's version where there is one: it has builds with and without CUDA."""
    names = [PACKAGES[peer], *(["torch"] if peer == "pfl" else [])]
    script = f"from importlib.metadata import version as v; print(*(f'{{n}} {{v(n)}}' for n in {names!r}), sep=', ')"
    return subprocess.run([environment(peer), "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def side(race: Race, name: str) -> tuple[dict[str, float], float]:
    """Runs one side of a race once; gives its figures and its seconds. Raises Failed."""
    figures: dict[str, float] = {}
    seconds = 0.0
    # A peer is to find nothing of ours but this folder, from which it runs.
    around = {} if name == OURS else {"PYTHONPATH": ""}
    if name == OURS:
        commands = [[sys.executable, "-m", *f"benchmarks.{module}".split()] for module in race.ours]
    else:
        commands = [[str(environment(name)), "-m", *f"benchmarks.peers.{name}.{race.peers[name]}".split()]]
    for command in commands:
        ran = runner.run(command, race.seconds, around)
        figures |= ran.figures
        seconds += ran.seconds
    return figures, seconds


def run(race: Race, turns: int, sides: Sequence[str]) -> Iterator[Result]:
    """Runs a race; yields what comes of each side. Those that have failed once are not tried again."""
    began = datetime.now(UTC).isoformat(timespec="seconds")
    lost: set[str] = set()
    if race.bundle:
        bundles.compile(race.bundle)
    for turn in range(turns):
        # One after another from a different one on, so that none always follows the same.
        order = [*sides[turn % len(sides) :], *sides[: turn % len(sides)]]
        for name in order:
            if name in lost:
                continue
            figures: dict[str, float] = {}
            seconds, failed, load = 0.0, "", os.getloadavg()[0]
            try:
                figures, seconds = side(race, name)
            except Failed as fault:
                failed = str(fault)
                lost.add(name)
            yield Result(
                race=race.name,
                began=began,
                turn=turn,
                side=name,
                commit=commit(),
                machine=machine.here(),
                load=round(load, 2),
                seconds=round(seconds, 1),
                version="" if name == OURS or failed else version(name),
                figures={figure: float(f"{value:.5g}") for figure, value in figures.items()},
                failed=failed,
            )


def measure(race: Race, turns: int, *, alone: bool) -> bool:
    """Runs a race and says what comes of it; `alone`: our side of it, which is not kept. Gives whether all sides did."""
    session = []
    for result in run(race, turns, [OURS] if alone else [OURS, *race.peers]):
        session.append(result)
        if not alone:
            results.append(result)
        shown = result.failed or "  ".join(f"{name} {value:g}" for name, value in result.figures.items())
        print(f"{race.name:<10}{result.side:<9} {result.seconds:6.0f} s  load {result.load:4.1f}  {shown}", flush=True)
    for row in ROWS:
        if row.race == race.name:
            print(" ", document.sentence(judge(row, session)), flush=True)
    return not any(result.failed for result in session)


def chosen(names: Sequence[str], *, long: bool) -> list[str]:
    """Gives the names to run, in the table's order. Raises SystemExit for one that there is not."""
    races = [race.name for race in RACES]
    if unknown := set(names) - {*races, *BESIDE}:
        sys.exit(f"there is no {', '.join(sorted(unknown))}: choose of {', '.join((*races, *BESIDE))}")
    return [name for name in (*races, *BESIDE) if name in names] or [race.name for race in RACES if long or not race.long]


def main() -> int:
    """Measures; gives 1 where something could not be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=_AS_IT_IS)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--long", action="store_true", help="races that take many minutes, too")
    parser.add_argument("--turns", type=int, help="how often each side runs, instead of what the table says")
    parser.add_argument("--ours", action="store_true", help="our side alone, which is neither kept nor written down")
    parser.add_argument("--write", action="store_true", help="measure nothing, write the document")
    told = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # as Ctrl-C does: what runs is ended, what it left is removed
    fine = True
    for name in [] if told.write else chosen(told.names, long=told.long):
        if name in BESIDE:
            fine &= not subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=ROOT, check=False).returncode
        else:
            race = next(race for race in RACES if race.name == name)
            fine &= measure(race, told.turns or race.turns, alone=told.ours)
    if not told.ours:
        document.write()
    return 0 if fine else 1


_AS_IT_IS = argparse.RawDescriptionHelpFormatter

if __name__ == "__main__":
    sys.exit(main())
