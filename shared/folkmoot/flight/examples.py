"""Labelled examples from a person's file, as a task's contract has them."""

import csv
import zipfile
from math import prod
from pathlib import Path

import numpy as np

from folkmoot.arrays import Array
from folkmoot.errors import UserFault
from folkmoot.wire.bundle import Contract

Examples = tuple[Array, Array]


def read(path: Path, contract: Contract) -> Examples:
    """Gives x [n, *x_shape] and y [n, *y_shape] of a file: an .npz with `x` and `y`, or a .csv with y in its last column.

    Raises UserFault where the file cannot be read, or its examples are not of the contract.
    """
    try:
        x, y = _table(path) if path.suffix == ".csv" else _arrays(path)
    except OSError as error:
        raise UserFault(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    shapes = (contract.x_shape, contract.y_shape)
    for name, found, shape in zip("xy", (x, y), shapes, strict=True):
        if not len(found) or found.size != len(found) * prod(shape):
            raise UserFault(f"{path}: {name} is {list(found.shape)}; the task takes {list(shape)} for each example")
    if len(x) != len(y):
        raise UserFault(f"{path}: {len(x)} examples x and {len(y)} labels y")
    shaped_x = x.reshape(len(x), *contract.x_shape).astype(contract.x_dtype)
    shaped_y = y.reshape(len(y), *contract.y_shape).astype(contract.y_dtype)
    if contract.classes and not (shaped_y.min() >= 0 and shaped_y.max() < len(contract.classes)):
        raise UserFault(f"{path}: a label y is one of 0 to {len(contract.classes) - 1}, for {', '.join(contract.classes)}")
    return shaped_x, shaped_y


def _arrays(path: Path) -> Examples:
    try:
        with np.load(path, allow_pickle=False) as found:
            return found["x"], found["y"]
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile):
        raise UserFault(f"{path} is no .npz with the arrays x and y of numbers: write it with numpy.savez") from None


def _table(path: Path) -> Examples:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row]
    try:
        float(rows[0][0])
    except (ValueError, IndexError):
        rows = rows[1:]  # a line of names
    try:
        table = np.asarray(rows, np.float64)
    except ValueError:
        raise UserFault(f"{path} is no table of numbers, with as many in each line") from None
    if table.ndim != 2 or table.shape[1] < 2:
        raise UserFault(f"{path}: a line is one example: the numbers of x, then y")
    return table[:, :-1], table[:, -1]
