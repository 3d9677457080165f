"""Identifiers: 26 characters of lower-case base32 of a UUIDv7, or an operator's own name of the same alphabet."""

import base64
import os
import re
import time
from collections.abc import Callable

from folkmoot.errors import UserFault

# Topic levels must survive every broker: no '.', '+', '#', '/', '$' (RabbitMQ maps '.' to '/'; Mosquitto 2.1 refuses '+#/').
# \Z and not $, which lets a newline follow: such a name would pass here and fail in a topic.
NAME = r"^[a-z0-9-]{1,32}\Z"
_NAME = re.compile(NAME)

MakeId = Callable[[], bytes]
"""Gives 16 bytes that no other call gives; a test or a simulation passes its own, seeded one."""


def fresh() -> bytes:
    """Gives a new UUIDv7 as 16 bytes: sorts by the time of its making.

    RFC 9562, 5.7, with the time below a millisecond in the 12 bits behind it (6.2, method 3). Python has it from 3.14; of the
    libraries, uuid6 keeps 1.1 MB in an agent at rest and 2.6 MB in a training process.
    """
    ms, ns = divmod(time.time_ns(), 1_000_000)
    chance = int.from_bytes(os.urandom(8), "big") >> 2
    return (ms << 80 | 0x7 << 76 | (ns << 12) // 1_000_000 << 64 | 0b10 << 62 | chance).to_bytes(16, "big")


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
