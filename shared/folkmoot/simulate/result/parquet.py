"""A table as Parquet: a tenth of the bytes, and with types. The one module that imports pyarrow, which is not always there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from folkmoot.errors import UserFault
from folkmoot.simulate.result.tables import Kind

SUFFIX = ".parquet"

_TYPES: Mapping[Kind, Any] = {
    str: pyarrow.string(),
    int: pyarrow.int64(),
    float: pyarrow.float64(),
    float | None: pyarrow.float64(),
}


def write(path: Path, columns: Mapping[str, Kind], rows: Sequence[object]) -> None:
    """Writes rows, which have an attribute for each column. Raises OSError."""
    fields = [pyarrow.field(name, _TYPES[kind], nullable=kind == float | None) for name, kind in columns.items()]
    values = [pyarrow.array([getattr(row, field.name) for row in rows], field.type) for field in fields]
    parquet.write_table(pyarrow.Table.from_arrays(values, schema=pyarrow.schema(fields)), path, compression="zstd")


def read(path: Path, columns: Mapping[str, Kind]) -> list[tuple[Any, ...]]:
    """Gives the rows, each with the values of these columns; whatever other column there is goes unread.

    Raises UserFault for a file without one of them and for one that is no such table, OSError.
    """
    try:
        with parquet.ParquetFile(path) as file:
            if missing := [name for name in columns if name not in file.schema_arrow.names]:
                raise UserFault(f"{path}: the column {missing[0]!r} is missing: this is no table of a simulated run")
            table = file.read(columns=list(columns))
        return list(zip(*(_column(table, name, kind) for name, kind in columns.items()), strict=True))
    except FileNotFoundError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError) as error:  # a damaged page is an OSError
        raise UserFault(f"{path}: the file is damaged: {' '.join(str(error).split())}") from None


def _column(table: Any, name: str, kind: Kind) -> list[Any]:
    """Gives the values of a column. Raises ValueError where they are not of its kind, or one is missing that must not be."""
    column = table.column(name).cast(_TYPES[kind])  # other programs write whole numbers as they like
    if column.null_count and kind != float | None:
        raise ValueError(f"{column.null_count} values of {name!r} are missing")
    values: list[Any] = column.to_pylist()
    return values
