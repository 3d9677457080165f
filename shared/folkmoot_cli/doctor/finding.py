"""What the doctor says of one thing."""

from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing, and how it is."""

    part: str  # what it is about: "broker", "home", "machine"
    name: str
    state: State  # note: works, and is worth knowing; wrong: does not work, and `says` what to do
    says: str
    figures: dict[str, Any] = field(default_factory=dict)  # the same for machines
