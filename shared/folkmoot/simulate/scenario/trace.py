"""What devices do over time, from a table: when they are connected, how full their batteries are, how fast their lines.

CSV with a heading. Each row says what one trace is from a time on; a cell that is empty: as before.

    trace,seconds,connected,battery,charging,up_kbps,down_kbps
    ann,0,1,80,0,2000,8000
    ann,30000,0,,,,
    ann,43200,1,35,1,,

`trace` is a name, `seconds` are from the beginning of that trace, growing from 0; `connected` and `charging` are 0 or 1,
`battery` is in percent, rates are in kilobits a second. Every column but the first two may be left out.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import msgspec

from folkmoot.errors import UserFault


class State(msgspec.Struct, frozen=True):
    """What a trace says from a time on; None: nothing."""

    ms: int  # from its beginning
    connected: bool | None = None
    battery: float | None = None  # percent
    charging: bool | None = None
    up_kbps: float | None = None
    down_kbps: float | None = None


Series = tuple[State, ...]
"""One trace: each state says all that is known from then on."""


class Course:
    """A trace as one device lives it: from its own moment on, over and over."""

    def __init__(self, series: Series, period: int, start: int) -> None:
        """`period`: ms after which the trace begins anew; `start`: where in it this device begins."""
        self._series, self._period, self._start = series, period, start

    def states(self) -> Iterator[tuple[int, State]]:
        """Yields when which state begins, in ms of the simulation, the first one at 0; without end where there are several."""
        before = [state for state in self._series if state.ms <= self._start]
        yield 0, before[-1]
        if len(self._series) == 1:
            return
        lap = -self._start
        yield from ((lap + state.ms, state) for state in self._series[len(before) :])
        while True:
            lap += self._period
            yield from ((lap + state.ms, state) for state in self._series)

    def absences(self) -> Iterator[tuple[int, int]]:
        """Yields when the device loses its connection and can have one again, in ms."""
        if all(state.connected is not False for state in self._series):
            return
        gone: int | None = None
        for at, state in self.states():
            if state.connected is False and gone is None:
                gone = at
            elif state.connected is not False and gone is not None:
                yield gone, at
                gone = None


def read(path: Path, hours: float) -> tuple[Series, ...]:
    """Reads the traces of a file, by name. Raises UserFault with one sentence that says what to change."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file, strict=True, restkey="", restval="")
            columns = rows.fieldnames or []
            _check(path, columns)
            found: dict[str, list[State]] = {}
            for row in rows:
                where = f"{path}, line {rows.line_num}"
                if "" in row:
                    raise UserFault(f"{where}: there are more cells than columns in the heading: take the last ones away")
                _add(found, row, where, hours)
    except FileNotFoundError:
        raise UserFault(f"{path} does not exist: write the traces into it, or name another file") from None
    except OSError as error:
        raise UserFault(f"{path} cannot be read: {(error.strerror or '').lower()}") from None
    except UnicodeDecodeError:
        raise UserFault(f"{path} cannot be read: it is not UTF-8") from None
    except csv.Error as error:
        raise UserFault(f"{path} is no CSV: {error}") from None
    if not found:
        raise UserFault(f"{path} has no traces: write a line for each state below the heading")
    return tuple(_whole(path, name, states) for name, states in sorted(found.items()))


def _check(path: Path, columns: Sequence[str]) -> None:
    for name in ("trace", "seconds"):
        if name not in columns:
            raise UserFault(
                f"{path}: the column {name} is missing: name the columns in the first line, trace,seconds and others"
            )
    known = ("trace", "seconds", *_CELLS)
    if unknown := [name for name in columns if name not in known]:
        raise UserFault(f"{path}: unknown column {unknown[0]!r}; known here are {', '.join(known)}")
    if len(set(columns)) < len(columns):
        raise UserFault(f"{path}: a column is there twice: take one of them away")


def _add(found: dict[str, list[State]], row: Mapping[str, str], where: str, hours: float) -> None:
    name = row["trace"]
    states = found.setdefault(name, [])
    seconds = _cell(row["seconds"], where, "seconds", _NUMBER)
    if seconds is None:
        raise UserFault(f"{where}: seconds is empty: say from when on this holds")
    ms = round(1000 * seconds)
    if not states and ms:
        raise UserFault(f"{where}: trace {name} begins at {seconds:g} s: give it a line at 0")
    if states and ms <= states[-1].ms:
        raise UserFault(f"{where}: {seconds:g} s of trace {name} come after {states[-1].ms / 1000:g} s: sort its lines by time")
    if ms >= hours * 3_600_000:
        raise UserFault(f"{where}: trace {name} goes on after {hours:g} hours, when it begins anew: say `hours` of the trace")
    cells = {column: _cell(row.get(column, ""), where, column, kind) for column, kind in _CELLS.items()}
    known = states[-1] if states else State(0)
    news = {column: value for column, value in cells.items() if value is not None}
    states.append(msgspec.structs.replace(known, ms=ms, **news))


def _whole(path: Path, name: str, states: list[State]) -> Series:
    """Gives a trace in which what its end says holds at its beginning, too, where that says nothing: it is a circle."""
    last = states[-1]
    found = []
    for state in states:
        open = {column: getattr(last, column) for column in _CELLS if getattr(state, column) is None}
        found.append(msgspec.structs.replace(state, **open))
    if all(state.connected is False for state in found):
        raise UserFault(f"{path}: trace {name} is never connected: leave it out")
    return tuple(found)


Kind = tuple[Callable[[float], bool], str]
_NUMBER: Kind = (lambda value: value >= 0, "a number of at least 0")
_FLAG: Kind = (lambda value: value in (0, 1), "0 or 1")
_PERCENT: Kind = (lambda value: 0 <= value <= 100, "a number from 0 to 100")
_RATE: Kind = (lambda value: value > 0, "a number above 0")
_CELLS: Mapping[str, Kind] = {
    "connected": _FLAG,
    "battery": _PERCENT,
    "charging": _FLAG,
    "up_kbps": _RATE,
    "down_kbps": _RATE,
}


def _cell(text: str | None, where: str, column: str, kind: Kind) -> float | bool | None:
    """Gives what a cell says; None for an empty one. Raises UserFault."""
    text = (text or "").strip()
    if not text:
        return None
    sound, words = kind
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not sound(value) or value == float("inf"):
        raise UserFault(f"{where}: {column} is {text!r}: expected {words}")
    return bool(value) if kind is _FLAG else value


def says(traces: Sequence[Series], column: str) -> bool:
    """Whether every trace says something of a column, at all times."""
    return all(getattr(state, column) is not None for state in chain.from_iterable(traces))
