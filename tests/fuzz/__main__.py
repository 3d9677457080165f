"""Fuzzing by hand: `python -m tests.fuzz [TARGET ...] [--seconds N]`, and `python -m tests.fuzz TARGET --replay FILE`."""

import argparse
import sys
import tracemalloc
from pathlib import Path

from tests.fuzz import session
from tests.fuzz.table import TARGETS
from tests.fuzz.target import Target, hold

SECONDS = 300  # for each target


def main() -> int:
    """Fuzzes, or runs one input again; gives the exit code, 1 where a law was broken."""
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)}; none: all of them")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for each target (%(default)s)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run this input again")
    given = parser.parse_args()
    unknown = sorted(set(given.targets) - TARGETS.keys())
    if unknown or (given.replay and len(given.targets) != 1):
        parser.error(f"no such target: {', '.join(unknown)}" if unknown else "--replay takes one target")
    chosen = [TARGETS[name] for name in given.targets or TARGETS]
    if given.replay:
        tracemalloc.start()
        hold(chosen[0], given.replay.read_bytes())  # what it raises is what there is to see
        print(f"{given.replay}: no law of {chosen[0].name} is broken")
        return 0
    if not session.HERE:
        parser.error(session.WHY_NOT)
    return max([_fuzz(target, given.seconds) for target in chosen])


def _fuzz(target: Target, seconds: int) -> int:
    print(f"{target.name}: {seconds} s", flush=True)
    came = session.guide(target, seconds)
    print(f"{target.name}: {came.inputs:,} inputs, {came.edges} edges, {came.corpus} kept, {came.peak} MB resident at most")
    for file in came.found:
        print(
            f"\n{came.said[-3000:]}\n{target.name}: found {file.name}; again with\n  {session.replay(target, file)}", flush=True
        )
    return 1 if came.found else 0


if __name__ == "__main__":
    sys.exit(main())
