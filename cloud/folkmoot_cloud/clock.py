"""The wall clock of the API. Rows are stamped with it; nothing is decided by it but leases and what is old."""

from datetime import UTC, datetime


def now() -> datetime:
    """Gives the time, UTC, in whole milliseconds: what the database keeps."""
    current = datetime.now(UTC)
    return current.replace(microsecond=current.microsecond // 1000 * 1000)
