"""What a device says of its job in the note of its leaf (folkmoot.serve.lesson): for the record, hence believed only so far."""

from math import isfinite
from typing import Annotated

import msgspec
from msgspec import Meta

from folkmoot.errors import PeerFault
from folkmoot.wire import codec

NOTE = 4096  # bytes: folkmoot.wire.messages.Note
SLACK = 1.0  # seconds: clocks of two machines run at different speeds
WEEK = 7 * 86_400.0  # seconds: no deadline is longer


class Note(msgspec.Struct, frozen=True):
    """What a job took."""

    seconds: Annotated[float, Meta(ge=0)]
    steps: Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]


def read(note: bytes, waited: float | None) -> Note | None:
    """Gives what a note says; None where it says nothing, or what cannot be.

    `waited`: seconds from asking the device's gateway to its answer, where that is known: no job in it was longer.
    """
    if not note:
        return None
    try:
        found = codec.load(note, Note, limit=NOTE)
    except PeerFault:
        return None
    most = WEEK if waited is None else waited + SLACK
    return found if isfinite(found.seconds) and found.seconds <= most else None
