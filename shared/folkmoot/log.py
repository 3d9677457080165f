"""Logging for every tier: the standard library's, set up once, one event a line.

`log.warning("uplink lost", extra={"broker": host, "reason": why})` is written as

    2026-03-01T12:00:00.123Z WARNING folkmoot.link uplink lost broker=10.0.0.2:8883 reason="connection refused"

or, for machines that collect logs, as one JSON object a line. Names in `extra` must not be those of a LogRecord.
"""

import logging
import re
import sys
import time
from typing import Literal, TextIO

import msgspec

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PLAIN = re.compile(r"[^\s\"=]+")  # a value that needs no quotes


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The section `[log]` of a settings file: how much is said, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    json: bool = False


def setup(level: str = "info", *, json: bool = False, stream: TextIO | None = None) -> None:
    """Sends all logging to `stream`, by default standard error. Call it once, in `__main__`."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Json() if json else Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _time(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _OWN}


class Text(logging.Formatter):
    """A line for people: time, level, logger, event, then key=value."""

    def format(self, record: logging.LogRecord) -> str:
        """Gives the line, with the traceback below it where there is one."""
        line = f"{_time(record)} {record.levelname} {record.name} {record.getMessage()}"
        for name, value in _fields(record).items():
            text = str(value)
            line += f" {name}={text if _PLAIN.fullmatch(text) else _quote(text)}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class Json(logging.Formatter):
    """A line for machines: an object with `time`, `level`, `logger`, `event` and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Gives the line; a value that JSON does not have is given as text."""
        fields = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(fields, enc_hook=str).decode()


def _quote(text: str) -> str:
    return msgspec.json.encode(text).decode()


class Outage:
    """Something that is either well or not: said once when it goes, once when it is back, nothing in between."""

    __slots__ = "_on"

    def __init__(self) -> None:
        self._on = False

    def begins(self) -> bool:
        """Whether this is news: it was well until now."""
        news, self._on = not self._on, True
        return news

    def ends(self) -> bool:
        """Whether this is news: it was not well until now."""
        news, self._on = self._on, False
        return news
