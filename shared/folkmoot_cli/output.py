"""What is said: results on standard output, as tables for people or JSON for machines; all else on standard error."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich import box, filesize
from rich.console import Console
from rich.table import Table
from rich.text import Text

MB = 1_000_000
WIDE = 250  # columns where nobody looks: a pipe must not lose the ends of its lines


def console(*, stderr: bool = False) -> Console:
    """Gives a console on either stream; where that is no terminal, lines are not wrapped."""
    found = Console(stderr=stderr, highlight=False)
    return found if found.is_terminal else Console(stderr=stderr, highlight=False, width=WIDE)


def document(value: Any) -> None:
    """Prints one JSON document, on one line."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def note(sentence: str) -> None:
    """Says something that is no result."""
    print(sentence, file=sys.stderr, flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints rows; None is shown as a dash. A column whose title ends in "#" is of numbers, and stands to the right."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        number = column.endswith("#")
        drawn.add_column(column.removesuffix("#"), justify="right" if number else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text("-" if cell is None else str(cell)) for cell in row))
    console().print(drawn)


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Prints what is known of one thing; what is not known is left out."""
    drawn = Table.grid(padding=(0, 2))
    drawn.add_column(style="bold")
    drawn.add_column(overflow="fold")
    for name, value in pairs:
        if value not in (None, "", {}, []):
            drawn.add_row(name, Text(str(value)))
    console().print(drawn)


def size(count: int | None) -> str | None:
    """Gives a number of bytes as people read it."""
    return None if count is None else filesize.decimal(count, precision=0 if count < MB else 1)


def duration(seconds: float) -> str:
    """Gives a length of time as people read it: 9.5 s, 12.5 min, 3.2 h."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def moment(text: str | None) -> str | None:
    """Gives a moment of the API in this machine's time."""
    return None if text is None else datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def figure(value: float | None, digits: int = 3) -> str | None:
    """Gives a figure with so many decimals."""
    return None if value is None else f"{value:.{digits}f}"
