"""What a round wants done once the event that brought it about is stored."""

from typing import Literal

import msgspec

from folkmoot.hop.events import Belated


class SendAsk(msgspec.Struct, frozen=True):
    """Send the member its Ask."""

    member: str


class SendReceipt(msgspec.Struct, frozen=True):
    """Tell the member what became of its answer."""

    member: str
    status: Literal["ok", "dup", "bad", "late"]
    payload: bytes
    reason: str = ""


class SendCancel(msgspec.Struct, frozen=True):
    """Tell the member that its work is no longer wanted."""

    member: str
    reason: str


class Merge(msgspec.Struct, frozen=True):
    """Add the answer to the sums."""

    member: str
    payload: bytes
    belated: Belated | None = None  # where it answers an earlier Ask


class Unmerge(msgspec.Struct, frozen=True):
    """Take the answer out of the sums again."""

    member: str
    payload: bytes
    belated: Belated | None = None  # where it answers an earlier Ask


class Closed(msgspec.Struct, frozen=True):
    """The round is over."""

    outcome: Literal["complete", "short", "stopped"]
    reason: str  # goal, all, deadline, or why it was stopped


Effect = SendAsk | SendReceipt | SendCancel | Merge | Unmerge | Closed
