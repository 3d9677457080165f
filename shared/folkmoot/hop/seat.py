"""One member's place in a round."""

from typing import Literal

import msgspec

from folkmoot.wire.messages import Invited

State = Literal["asked", "started", "away", "gone", "taken", "refused", "rejected", "retracted"]
OPEN: tuple[State, ...] = ("asked", "started", "away", "gone")  # its answer may still come
DONE: tuple[State, ...] = ("taken", "refused", "rejected", "retracted")  # who repeats what it said hears the same word again


class Seat(msgspec.Struct):
    """One member's place in the round."""

    state: State
    ask: bytes
    each: tuple[Invited, ...] | None = None  # the leaves below that it is asked for; None: all of them
    goal: int = 0  # leaves wanted of it
    tries: int = 0
    due: int | None = None  # when to send the Ask again (asked) or to count it out (away)
    reason: str = ""
    payload: bytes = b""
    leaves: tuple[str, ...] = ()
    owes: bool = False  # had answered, and is to answer again without a device: it holds what others have given

    @property
    def open(self) -> bool:
        """Whether its answer may still come."""
        return self.state in OPEN

    @property
    def awaited(self) -> bool:
        """Whether the round stays open for it."""
        return self.open and not self.reason and (self.state != "gone" or self.owes)

    @property
    def fate(self) -> str:
        """What the record says: "" for an answer that merged, else state and reason."""
        if self.state == "taken":
            return ""
        word = {"asked": "silent", "started": "late"}.get(self.state, self.state)
        return f"{word}:{self.reason}" if self.reason else word
