"""`make faults`: tries every cell that has no result yet, two towns at a time.

    ARGS=kill.training.cloud      this one (or several, or all that begin so: kill. or kill.training)
    ARGS=--again                  also those that have a result; with names, those of them
    ARGS='--towns 1'              one at a time

A cell that fails leaves its town's folder, with what every process has said, and the line that tries it again.
"""

import argparse
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.faults import house, results
from tests.faults.cells import Cell, all_cells
from tests.faults.results import Result
from tests.faults.stage import CannotBeTried

ROOT = Path(__file__).parents[2]


def main(argv: Sequence[str]) -> int:
    """Tries cells; gives 0 where all survived."""
    options = _options(argv)
    done = results.newest()
    cells = [
        cell
        for cell in all_cells()
        if (not options.names or any(_named(cell, name) for name in options.names)) and (options.again or cell.name not in done)
    ]
    console = Console()
    console.print(f"{len(cells)} cells to try; {len(done)} have a result")
    if not cells:
        return 0
    commit, failed = _commit(), 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("faults", total=len(cells))
        for cell, result, folder in _tried(cells, commit, min(options.towns, len(cells))):
            progress.advance(bar)
            if result is None:
                progress.console.print(f"cannot be tried here: {cell.name}: {folder}", markup=False)
                continue
            results.append(result)
            failed += not result.survived
            word = "[green]survived[/]" if result.survived else "[red]FAILED[/]"
            progress.console.print(f"{word} {result.cell}: {_figures(result)}", highlight=False)
            if not result.survived:
                progress.console.print(
                    f"  {result.why[:500]}\n  kept: {folder}\n  again: make faults ARGS='--again {result.cell}'"
                )
    console.print(f"{failed} did not survive")
    return 1 if failed else 0


def _options(argv: Sequence[str]) -> Any:
    parser = argparse.ArgumentParser("make faults")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--towns", type=int, default=2)
    return parser.parse_args(argv)


def _named(cell: Cell, name: str) -> bool:
    return cell.name == name or cell.name.startswith(name.rstrip(".") + ".")


def _figures(result: Result) -> str:
    said = "-" if result.seconds is None else f"{result.seconds:.2f} s"
    closed = "" if result.closed is None else f", round over after {result.closed:.2f} s"
    return f"recovered in {said}{closed} (took {result.took:.0f} s{'' if result.hit else '; the phase was over'})"


def _commit() -> str:
    run = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], check=False, cwd=ROOT, capture_output=True, text=True)
    return run.stdout.strip() or "unknown"


def _tried(cells: Sequence[Cell], commit: str, towns: int) -> Iterator[tuple[Cell, Result | None, str]]:
    """Gives each result as it comes, and where the town of one that failed is kept; or no result, and why."""
    with ProcessPoolExecutor(towns, multiprocessing.get_context("spawn")) as pool:
        trials = {pool.submit(house.tried, cell, commit): cell for cell in cells}
        try:
            for trial in as_completed(trials):
                try:
                    yield trials[trial], *trial.result()
                except CannotBeTried as error:
                    yield trials[trial], None, str(error)
        finally:
            pool.shutdown(cancel_futures=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
