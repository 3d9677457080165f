"""`folkmoot simulate`: whole federations on virtual time, with everything going wrong that a seed decides."""

import logging
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from enum import StrEnum
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from folkmoot.errors import UserFault
from folkmoot.simulate.faults import trial
from folkmoot.simulate.faults.record import Block, Record, blocks, source
from folkmoot.simulate.faults.trial import Verdict
from folkmoot.simulate.scenario import crew
from folkmoot_cli import output, scenario
from folkmoot_cli.options import AsJson


class Form(StrEnum):
    """Of tables."""

    PARQUET = "parquet"
    CSV = "csv"


class Engine(StrEnum):
    """Of what has the homes."""

    PROCESSES = "processes"
    RAY = "ray"


MOST = 1 << 40  # a seed
COLOURS = {"befell": "red", "moved": "cyan", "refused": "yellow", "told": "green", "sent": "dim"}


Scenarios = Annotated[
    list[Path] | None, typer.Argument(metavar="[SCENARIO.toml]...", help="What to simulate.", show_default=False)
]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Where tables and reports go, in a folder for each scenario.")]
Tables = Annotated[Form, typer.Option("--format", help="Of the tables.")]
Compare = Annotated[bool, typer.Option("--compare", help="Lay the scenarios over one another in one more report.")]
Workers = Annotated[
    int | None,
    typer.Option(min=0, show_default=False, help="Processes: as many as there are cores; 0: none beside this one."),
]
Engines = Annotated[Engine, typer.Option(help="What has the homes: processes of this machine, or actors of a Ray cluster.")]
Address = Annotated[
    str,
    typer.Option(metavar="HOST:PORT", help="Of the cluster's head node; without it, this machine alone.", show_default=False),
]
Faults = Annotated[
    str | None,
    typer.Option(
        metavar="SEED",
        help="No scenario: who is there and what goes wrong is decided by a seed, or by a range such as 0-1999.",
        rich_help_panel="Faults",
        show_default=False,
    ),
]
About = Annotated[
    str,
    typer.Option(
        metavar="NAMES", help="Of one seed, show only what concerns these machines, such as a,g1.", rich_help_panel="Faults"
    ),
]
Noted = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Of a range, note what was run; what stands there is not run again.", rich_help_panel="Faults"
    ),
]


def simulate(
    scenarios: Scenarios = None,
    out: Out = Path("simulated"),
    form: Tables = Form.PARQUET,
    compare: Compare = False,
    workers: Workers = None,
    engine: Engines = Engine.PROCESSES,
    address: Address = "",
    as_json: AsJson = False,
    faults: Faults = None,
    about: About = "",
    record: Noted = None,
) -> int:
    """Simulate a whole federation on virtual time.

    The programs are the real ones, and devices really train; brokers, disks and time are in memory. A scenario says who is
    there, and which run they do. It leaves tables behind, and a report to look at.

    With --faults, networks, disks, brokers and machines fail as a seed decides, and nobody really trains. Afterwards the laws
    are checked: every model is what its record says, nothing counts twice, and whatever was told ok is in a model or in a
    record that says why not.

    Example: folkmoot simulate fleet.toml

    Example: folkmoot simulate --compare fleet.toml slower.toml

    Example: folkmoot simulate --engine ray --address 10.0.0.7:6379 --workers 16 fleet.toml

    Example: folkmoot simulate --faults 7

    Example: folkmoot simulate --faults 0-1999 --record seeds.jsonl
    """
    cores = os.cpu_count() or 1
    if scenarios and faults is not None:
        raise UserFault("a scenario and --faults exclude each other: give one of them")
    if address and engine is not Engine.RAY:
        raise UserFault("--address is that of a Ray cluster: give --engine ray with it")
    if scenarios:
        hired = (
            scenario.ray(address, workers)
            if engine is Engine.RAY
            else nullcontext((crew.hire, cores if workers is None else workers))
        )
        logging.disable(logging.WARNING)  # of thousands of machines, which come and go
        try:
            return scenario.run(scenarios, out, form.value, hired, compare=compare, as_json=as_json)
        finally:
            logging.disable(logging.NOTSET)
    if faults is None:
        raise UserFault("nothing to simulate: name a SCENARIO.toml, or a seed with --faults")
    first, last = _range(faults)
    logging.disable(logging.CRITICAL)  # thousands of programs that fail on purpose
    try:
        if first == last and record is None:
            return _one(first, [name for name in about.split(",") if name])
        return _many(first, last, record, workers or cores)
    finally:
        logging.disable(logging.NOTSET)


def _range(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if first.isdecimal() and (last.isdecimal() if dash else not last):
        start, end = int(first), int(last or first)
        if start <= end <= MOST:
            return start, end
    raise UserFault(f"--faults {text!r}: write a seed such as 7, or a range such as 0-1999")


def _one(seed: int, about: list[str]) -> int:
    verdict = trial.run(seed, tell=True)
    unknown = sorted(set(about) - set(verdict.plan.machines))
    if unknown:
        raise UserFault(f"--about {','.join(unknown)}: in this run there are {', '.join(verdict.plan.machines)}")
    console = output.console()
    homes = "; ".join(f"{name}: {', '.join(devices)}" for name, devices in verdict.plan.homes.items())
    console.print(
        f"[bold]seed {seed}[/bold]  homes {homes}; {verdict.plan.rounds} rounds, {verdict.plan.parameters} parameters"
    )
    console.print(escape(f"network {verdict.plan.adversary}"), style="dim")
    for line in verdict.lines:
        if line.concerns(about):
            console.print(escape(str(line)), style=COLOURS[line.kind])
    if verdict.broken:
        console.print(f"[bold red]broken[/bold red] {escape(verdict.broken)}")
        return 1
    seconds = verdict.at / 1000
    console.print(f"[bold green]every law holds[/bold green]: {verdict.learnt} models, {seconds:.0f} s of virtual time")
    return 0


def _many(first: int, last: int, path: Path | None, workers: int) -> int:
    kept, mine = (Record(path) if path is not None else None), source()
    todo = kept.left(first, last, mine) if kept is not None else blocks(first, last)
    console = output.console(stderr=True)
    bars = Progress(
        TextColumn("seeds"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    broken: list[Verdict] = []
    with bars, ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        bar = bars.add_task("seeds", total=sum(end - start + 1 for start, end in todo))
        jobs = {pool.submit(_block, start, end): (start, end) for start, end in todo}
        for job in as_completed(jobs):
            start, end = jobs[job]
            found = job.result()
            broken += found
            if kept is not None:
                kept.add(Block(mine, start, end, tuple(verdict.plan.seed for verdict in found)))
            bars.advance(bar, end - start + 1)
    for verdict in sorted(broken, key=lambda verdict: verdict.plan.seed):
        print(verdict)
    ran = sum(end - start + 1 for start, end in todo)
    beside = f"; {kept.seeds} in the record" if kept is not None else ""
    print(f"{ran} seeds, {len(broken)} with a broken law{beside}")
    return 1 if broken else 0


def _block(first: int, last: int) -> list[Verdict]:
    logging.disable(logging.CRITICAL)
    return trial.sweep(first, last)
