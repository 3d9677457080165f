"""Lists, a page at a time. A cursor says behind which row the next page begins, so rows that come or go shift nothing."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field
from sqlalchemy import Select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from folkmoot_cloud.columns import Moment, milliseconds, moment
from folkmoot_cloud.database import ReadSession
from folkmoot_cloud.faults import Fault

T = TypeVar("T")
MOST = 200  # rows of one page
LARGEST = 253_402_300_799_999  # the last millisecond that Python's datetime has; no counter comes near it


class Rows(Generic[T]):
    """One page of a list, as a repository gives it: rows, and where the next page begins."""

    def __init__(self, items: Sequence[T], next: str | None) -> None:
        self.items = list(items)
        self.next = next


class Page(BaseModel, Generic[T]):
    """One page of a list, as the API gives it."""

    items: list[T]
    next: str | None = Field(default=None, description="`cursor` of the next page; null on the last one.")


@dataclass(frozen=True, slots=True)
class Window:
    """Which page is wanted."""

    limit: int
    after: tuple[int | str, ...] | None

    def key(self, columns: Sequence[InstrumentedAttribute[Any]]) -> tuple[Any, ...] | None:
        """Gives the values of `columns` behind which the page begins; None for the first page.

        Raises Fault for a cursor that belongs to another list.
        """
        if self.after is None:
            return None
        kinds = [str if column.type.python_type is str else int for column in columns]
        if [type(value) for value in self.after] != kinds:
            raise _bad()
        pairs = zip(columns, self.after, strict=True)
        return tuple(moment(int(value)) if isinstance(column.type, Moment) else value for column, value in pairs)


async def page(
    session: ReadSession,
    rows: Select[Any],
    window: Window,
    *columns: InstrumentedAttribute[Any],
    newest_first: bool = False,
) -> Rows[Any]:
    """Gives the page of `rows`, ordered by `columns`, which together are unique."""
    key = window.key(columns)
    if key is not None:
        ours, theirs = tuple_(*columns), tuple_(*key, types=[column.type for column in columns])
        rows = rows.where(ours < theirs if newest_first else ours > theirs)
    rows = rows.order_by(*(column.desc() if newest_first else column.asc() for column in columns))
    found = (await session.scalars(rows.limit(window.limit + 1))).all()
    items = found[: window.limit]
    last = [getattr(items[-1], column.key) for column in columns] if len(found) > window.limit else None
    return Rows(items, None if last is None else _write(last))


def _write(values: Sequence[Any]) -> str:
    plain = [milliseconds(value) if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).decode().rstrip("=")


def read(cursor: str) -> tuple[int | str, ...]:
    """Gives what a cursor stands for. Raises Fault for one that we never gave."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise _bad() from None
    if not isinstance(values, list) or not 1 <= len(values) <= 3 or not all(map(_sound, values)):
        raise _bad()
    return tuple(values)


def _sound(value: Any) -> bool:
    """Whether a value can stand in a cursor of ours: what a database would choke on cannot."""
    if isinstance(value, str):
        return len(value) <= 64 and value.isascii() and value.isprintable()
    return type(value) is int and 0 <= value <= LARGEST


def _bad() -> Fault:
    return Fault("the cursor is none that this list gave: take `next` of the page before, or leave it out")
