"""Results in folders: `run.json` with what was run, and a file for each table, as Parquet or as CSV."""

import os
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import msgspec

from folkmoot.errors import UserFault
from folkmoot.simulate.result import sheet
from folkmoot.simulate.result.tables import TABLES, Kind, Result, Row, Scalar, columns

Format = Literal["parquet", "csv"]
HEAD = "run.json"
REPORT = "report.html"  # what a caller may lay beside the tables (folkmoot.simulate.result.report)
VERSION = 1  # of the folder's form
SUFFIXES = (".parquet", sheet.SUFFIX)
# What a result is made of. A folder that holds anything else is somebody's, and is never written over.
OURS = {HEAD, REPORT, *(table + suffix for table in TABLES for suffix in SUFFIXES)}


class Head(msgspec.Struct, frozen=True):
    """What `run.json` says."""

    version: int
    name: str
    seed: int
    facts: dict[str, Scalar]
    rows: dict[str, int]  # by table: a file that was cut between two rows looks whole by itself


class Form(Protocol):
    """How a table is written and read: `sheet` and `parquet`."""

    SUFFIX: str

    def write(self, path: Path, columns: dict[str, Kind], rows: list[Any]) -> None:
        """Writes rows."""

    def read(self, path: Path, columns: dict[str, Kind]) -> list[tuple[Any, ...]]:
        """Gives rows."""


def check(folder: Path, form: Format) -> None:
    """Says before a long run what `write` would say after it. Raises UserFault."""
    _form(form)
    try:
        foreign = sorted(path.name for path in folder.iterdir() if path.name not in OURS)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise UserFault(f"{folder} is a file: name a folder for the result") from None
    except OSError as error:
        raise UserFault(f"{folder} cannot be read: {error.strerror or error}") from None
    if foreign:
        raise UserFault(
            f"{folder} holds {foreign[0]!r}, which is of no result: name another folder, or one that is not there yet"
        )


def write(result: Result, folder: Path, form: Format = "parquet") -> None:
    """Writes a result into a folder; one that is there already, and its report, give way to it.

    All of it is written beside and then renamed: whoever reads finds the one or the other, whole. (A power cut in the instant
    between two renames leaves the other beside, as `.{folder}.old`.) Equal results give equal bytes of CSV and `run.json`.

    Raises UserFault for a folder that cannot be written or holds something else, and for Parquet without pyarrow.
    """
    check(folder, form)
    table = _form(form)
    folder = folder.resolve()
    fresh, old = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
    try:
        shutil.rmtree(fresh, ignore_errors=True)  # of a writer that died
        fresh.mkdir(parents=True)
        for name, row in TABLES.items():
            table.write(fresh / (name + table.SUFFIX), columns(row), getattr(result, name))
        rows = {name: len(getattr(result, name)) for name in TABLES}
        head = Head(VERSION, result.name, result.seed, result.facts, rows)
        (fresh / HEAD).write_bytes(msgspec.json.format(msgspec.json.encode(head, order="deterministic")) + b"\n")
        for path in fresh.iterdir():
            _settle(path)
        _replace(folder, fresh, old)
    except OSError as error:
        raise UserFault(f"{folder} cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def read(folder: Path) -> Result:
    """Gives the result in a folder, equal to the one that was written.

    Raises UserFault for a folder that is none, a table that is missing, damaged or without one of its columns, and for Parquet
    without pyarrow.
    """
    try:
        head = msgspec.json.decode((folder / HEAD).read_bytes(), type=Head)
        if head.version != VERSION:
            raise UserFault(f"{folder}: a result of version {head.version}, and this program reads version {VERSION}")
        tables = {name: _rows(folder, name, row, head) for name, row in TABLES.items()}
    except (FileNotFoundError, NotADirectoryError):
        raise UserFault(f"{folder} is no result of a simulated run: there is no {HEAD} in it") from None
    except OSError as error:
        raise UserFault(f"{folder} cannot be read: {error.strerror or error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserFault(f"{folder / HEAD}: the file is damaged: {error}") from None
    return Result(head.name, head.seed, head.facts, **cast(dict[str, Any], tables))


def _rows(folder: Path, name: str, row: type[Row], head: Head) -> list[Row]:
    """Gives the rows of a table, in whichever form it is there."""
    for form in ("parquet", "csv"):
        path = folder / f"{name}.{form}"
        if path.exists():
            rows = [row(*values) for values in _form(form).read(path, columns(row))]
            if len(rows) != head.rows.get(name):
                raise UserFault(f"{path}: the file is damaged: it has {len(rows)} rows of {head.rows.get(name)}")
            return rows
    raise UserFault(f"{folder}: the table {name!r} is missing: there is neither {name}.parquet nor {name}.csv")


def _form(form: Format) -> Form:
    """Gives what writes and reads tables. Raises UserFault for Parquet without pyarrow."""
    if form == "csv":
        return cast(Form, sheet)
    try:
        return cast(Form, import_module("folkmoot.simulate.result.parquet"))
    except ImportError:
        raise UserFault(
            "Parquet needs pyarrow, which is not installed: pip install 'folkmoot[simulate]', or --format csv"
        ) from None


def _settle(path: Path) -> None:
    """Has a file on the disk before its folder is renamed: after a power cut a name without its bytes would be left."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _replace(folder: Path, fresh: Path, old: Path) -> None:
    """Puts a folder in the place of another. Raises OSError, and then the other is where it was."""
    if not folder.exists():
        fresh.rename(folder)
        return
    shutil.rmtree(old, ignore_errors=True)
    folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
