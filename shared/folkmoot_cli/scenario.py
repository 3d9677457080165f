"""Scenarios that are played: progress while they are, and what they leave behind."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Literal

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from folkmoot.errors import UserFault
from folkmoot.simulate.result import report, store
from folkmoot.simulate.result.summary import summarise
from folkmoot.simulate.result.tables import Result
from folkmoot.simulate.scenario import document
from folkmoot.simulate.scenario.crew import Hire
from folkmoot.simulate.scenario.document import Scenario
from folkmoot.simulate.scenario.play import Progress as Far
from folkmoot.simulate.scenario.play import play
from folkmoot.simulate.stuck import Stuck
from folkmoot_cli import output

COMPARISON = "comparison.html"


def run(
    paths: Sequence[Path],
    out: Path,
    form: Literal["parquet", "csv"],
    hired: AbstractContextManager[tuple[Hire, int]],
    *,
    compare: bool,
    as_json: bool,
) -> int:
    """Plays scenarios; their tables and reports go to folders below `out`, named after them.

    `hired`: what has the homes somewhere, and in how many parts.

    Raises UserFault where one of them cannot be, or two have the same name.
    """
    scenarios = [document.load(path) for path in paths]
    names = [scenario.name for scenario in scenarios]
    if len(set(names)) < len(names):
        raise UserFault(f"two of the scenarios have the same name ({', '.join(names)}): give each of them its own `name`")
    folders = [out / name for name in names]
    report.check()
    for folder in folders:
        store.check(folder, form)
    results = []
    with hired as (hire, workers):
        for scenario, folder in zip(scenarios, folders, strict=True):
            result = _play(scenario, workers, hire)
            store.write(result, folder, form)
            report.write([result], folder / store.REPORT)
            results.append(result)
    pages = [folder / store.REPORT for folder in folders]
    if compare:
        pages.append(out / COMPARISON)
        report.write(results, pages[-1])
    for result in results:
        _tell(result, as_json=as_json)
    for page in pages:
        output.note(f"report: {page}")
    return 0


def ray(address: str, workers: int | None) -> AbstractContextManager[tuple[Hire, int]]:
    """Gives what has the homes on a Ray cluster. Raises UserFault where Ray is not installed."""
    try:
        cluster = import_module("folkmoot.simulate.scenario.cluster")
    except ImportError as error:
        raise UserFault(f"--engine ray needs Ray ({error}): pip install 'folkmoot[ray]'") from None
    found: AbstractContextManager[tuple[Hire, int]] = cluster.connected(address, workers)
    return found


def _play(scenario: Scenario, workers: int, hire: Hire) -> Result:
    console = output.console(stderr=True)
    bars = Progress(
        TextColumn(f"{scenario.name}: rounds"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[seconds]:.0f} s simulated"),
        console=console,
        disable=not console.is_terminal,
    )
    bar = bars.add_task("rounds", total=None, seconds=0.0)

    def tell(far: Far) -> None:
        bars.start()  # only now, for it is a thread, and processes have been forked meanwhile
        bars.update(bar, completed=far.rounds, total=far.of, seconds=far.seconds)

    try:
        return play(scenario, workers, tell, hire)
    except Stuck as stuck:
        raise UserFault(f"{scenario.name}: {stuck}: give it more `hours`, or a run that can end") from None
    finally:
        bars.stop()


def _tell(result: Result, *, as_json: bool) -> None:
    summary = summarise(result)
    if as_json:
        figures = {name: getattr(summary, name) for name in summary.__struct_fields__}
        output.document({"name": result.name, "seed": result.seed, **figures, **result.facts})
        return
    output.facts(
        [
            ("scenario", f"{result.name}, seed {result.seed}"),
            ("devices", f"{result.facts['devices']} in {result.facts['homes']} homes"),
            ("rounds", f"{summary.complete} of {summary.rounds} made a model"),
            ("simulated", f"{summary.seconds:.0f} s, in {result.facts['wall_seconds']:.1f} s"),
            ("accuracy", output.figure(summary.accuracy)),
            ("bytes", output.size(summary.bytes)),
            ("energy", f"{summary.joules:.0f} J"),
        ]
    )
