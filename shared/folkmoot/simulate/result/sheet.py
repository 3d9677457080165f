"""A table as CSV (RFC 4180): any spreadsheet opens it, and every number in it reads back as it was."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from folkmoot.errors import UserFault
from folkmoot.simulate.result.tables import Kind

SUFFIX = ".csv"

# Floats are written by repr, the shortest text that is the same float again; what was not measured is empty.
_WRITTEN: Mapping[Kind, Callable[[Any], str]] = {
    str: str,
    int: lambda value: str(int(value)),
    float: lambda value: repr(float(value)),
    float | None: lambda value: "" if value is None else repr(float(value)),
}
_READ: Mapping[Kind, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: float,
    float | None: lambda text: float(text) if text else None,
}


def write(path: Path, columns: Mapping[str, Kind], rows: Sequence[object]) -> None:
    """Writes rows, which have an attribute for each column: equal rows give equal bytes. Raises OSError."""
    texts = [[_WRITTEN[kind](getattr(row, name)) for row in rows] for name, kind in columns.items()]
    with path.open("w", encoding="utf-8", newline="") as file:
        # With the line ends of RFC 4180, csv quotes both of their characters: a name that holds one of them stays whole.
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(columns)
        writer.writerows(zip(*texts, strict=True))


def read(path: Path, columns: Mapping[str, Kind]) -> list[tuple[Any, ...]]:
    """Gives the rows, each with the values of these columns; whatever other column there is goes unread.

    Raises UserFault for a file without one of them and for one that is no such table, OSError.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = csv.reader(file, strict=True)
            heading = next(lines, [])
            if missing := [name for name in columns if name not in heading]:
                raise UserFault(f"{path}: the column {missing[0]!r} is missing: this is no table of a simulated run")
            places = [(heading.index(name), _READ[kind]) for name, kind in columns.items()]
            return [_row(line, len(heading), places) for line in lines]
    except (ValueError, csv.Error) as error:  # UnicodeDecodeError is a ValueError
        raise UserFault(f"{path}: the file is damaged: {error}") from None


def _row(line: list[str], width: int, places: list[tuple[int, Callable[[str], Any]]]) -> tuple[Any, ...]:
    if len(line) != width:
        raise ValueError(f"a row has {len(line)} values, the heading has {width}")
    return tuple(read(line[place]) for place, read in places)
