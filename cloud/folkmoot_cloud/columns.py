"""Column types that mean the same in SQLite and in PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, String, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

# A counter that the database gives: SQLite counts only plain INTEGER columns by itself.
COUNTER: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
NAME = String(32)  # folkmoot.ids.NAME
DIGEST = String(64)  # sha256 in hexadecimal


class Moment(TypeDecorator[datetime]):
    """A point in time, UTC: milliseconds since 1970 in the database, an aware datetime in Python."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Gives the milliseconds."""
        return None if value is None else milliseconds(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Gives the datetime."""
        return None if value is None else moment(value)


class Prose(TypeDecorator[str]):
    """Text that any peer may have written: PostgreSQL keeps no NUL, so it becomes the sign for what cannot be shown."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Gives the text without NUL."""
        return None if value is None else value.replace("\0", "\ufffd")


def milliseconds(value: datetime) -> int:
    """Gives the milliseconds since 1970 of an aware datetime."""
    return round(value.timestamp() * 1000)


def moment(value: int) -> datetime:
    """Gives the datetime of milliseconds since 1970."""
    return datetime.fromtimestamp(value / 1000, UTC)
