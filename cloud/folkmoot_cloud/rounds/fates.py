"""What can become of a member in a round, as the record says it."""

from dataclasses import dataclass
from typing import Literal, get_args

Word = Literal["asked", "answered", "refused", "rejected", "retracted", "late", "silent"]
WORDS: tuple[Word, ...] = get_args(Word)
# Who cannot be reached says nothing: the record calls both silent, and says why.
_ABSENT = ("away", "gone")


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a gateway, or of a device below one."""

    gateway: str
    device: str = ""  # "": the gateway itself
    fate: Word = "asked"
    reason: str = ""  # a word of the protocol, or empty
    bytes_up: int = 0  # payload, towards the cloud
    bytes_down: int = 0
    seconds: float | None = None  # from asked to answered
    train_seconds: float | None = None  # of a device's job, as it says
    steps: int | None = None  # of training in that job


def read(text: str) -> tuple[Word, str]:
    """Gives fate and reason of what a machine says (folkmoot.hop.seat.Seat.fate) or a leaf carries.

    "" is answered; "late:deadline" has its reason behind the colon; a word that is no fate is why an answer was rejected.
    """
    word, _, reason = text.partition(":")
    if not word:
        return "answered", ""
    if word in _ABSENT:
        return "silent", reason or word
    for known in WORDS:
        if word == known:
            return known, reason
    return "rejected", reason or word
