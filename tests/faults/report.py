"""The table of docs/reliability.md, made of the results: `python -m tests.faults.report` writes it."""

import statistics
from collections.abc import Mapping
from pathlib import Path

from tests.faults import results
from tests.faults.cells import PHASES, Cell, all_cells
from tests.faults.results import Result

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN = "<!-- The table between these two lines is written by `python -m tests.faults.report`. -->"
END = "<!-- Until here. -->"
SAYS = {
    "kill": "killed (kill -9), started again at once",
    "outage": "killed, away for 8 s",
    "pause": "stopped for 60 s (SIGSTOP)",
    "half-open": "half open: takes bytes, nothing arrives",
    "cut": "refuses connections for 8 s",
    "reset": "resets every 0.7 s, for 8 s",
    "slow": "15 kB/s and 150 ms each way, for 8 s",
    "corrupt": "a bit flips every 6 kB or so, for 8 s",
    "database": "database away (SQLite: locked for 14 s; PostgreSQL: down for 14 s)",
    "disk-full": "disk full for 6 s",
}
TOWNS = {"sqlite": "", "postgres": " (PostgreSQL)", "amqtt": " (amqtt)", "disks": ""}


def table(found: Mapping[str, Result]) -> str:
    """Gives the table as Markdown."""
    cells = [cell for cell in all_cells() if cell.name in found]
    good = [found[cell.name] for cell in cells if found[cell.name].survived]
    times = sorted(one.seconds for one in good if one.seconds is not None)
    lines = [
        f"{len(good)} of {len(cells)} cells survived; {len(all_cells()) - len(cells)} have not been tried."
        + (f" Seconds to recover: median {statistics.median(times):.1f}, most {times[-1]:.1f}." if times else ""),
        "",
        "| fault | where | " + " | ".join(PHASES) + " |",
        "| --- | --- |" + " ---: |" * len(PHASES),
    ]
    rows = dict.fromkeys((cell.fault, cell.node, cell.kind) for cell in all_cells())
    for fault, node, kind in rows:
        entries = [_entry(found.get(Cell(kind, fault, phase, node).name)) for phase in PHASES]
        lines.append(f"| {SAYS[fault]} | {node}{TOWNS[kind]} | " + " | ".join(entries) + " |")
    return "\n".join([*lines, "", *_rounds(found)])


def _entry(result: Result | None) -> str:
    if result is None:
        return ""
    if not result.survived:
        return "**lost**"
    said = "-" if result.seconds is None else f"{result.seconds:.1f}"
    return said + ("" if result.hit else "*")


def _rounds(found: Mapping[str, Result]) -> list[str]:
    """Gives the table of the rounds that a cloud was killed in."""
    lines = [
        "Until the round was over in which the cloud was killed, from when its API answered again, in seconds:",
        "",
        "| cloud | " + " | ".join(PHASES[1:]) + " |",
        "| --- |" + " ---: |" * len(PHASES[1:]),
    ]
    for kind, name in {"sqlite": "SQLite", "postgres": "PostgreSQL"}.items():
        closed = [found.get(Cell(kind, "kill", phase, "cloud").name) for phase in PHASES[1:]]  # type: ignore[arg-type]
        entries = ["" if one is None else "0" if one.closed is None else f"{one.closed:.1f}" for one in closed]
        lines.append(f"| {name} | " + " | ".join(entries) + " |")
    return lines


def written(document: str, found: Mapping[str, Result]) -> str:
    """Gives the document with the table that the results make."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table(found)}\n\n{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8"), results.newest()), "utf-8")
