"""Identifiers: 26 characters of lower-case base32 of a UUIDv7, or an operator's own name of the same alphabet."""

import base64
import re
from collections.abc import Callable

import uuid6

from folkmoot.errors import UserFault

# Topic levels must survive every broker: no '.', '+', '#', '/', '$' (RabbitMQ maps '.' to '/'; Mosquitto 2.1 refuses '+#/').
# \Z and not $, which lets a newline follow: such a name would pass here and fail in a topic.
NAME = r"^[a-z0-9-]{1,32}\Z"
_NAME = re.compile(NAME)

MakeId = Callable[[], bytes]
"""Gives 16 bytes that no other call gives; a test or a simulation passes its own, seeded one."""


def fresh() -> bytes:
    """Gives a new UUIDv7 (RFC 9562) as 16 bytes: sorts by the time of its making."""
    return uuid6.uuid7().bytes


def text(raw: bytes) -> str:
    """Gives the 26 characters that stand for 16 bytes in topics, tables and addresses."""
    return base64.b32encode(raw).decode("ascii").rstrip("=").lower()


def check(name: str, what: str) -> str:
    """Gives `name` back if it may be a topic level.

    Raises UserFault that says what `what` may look like.
    """
    if not _NAME.match(name):
        raise UserFault(f"{what} {name!r} must be 1 to 32 characters of a-z, 0-9 and '-'")
    return name
