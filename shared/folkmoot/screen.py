"""The seam of admission: judges one answer before it merges.

A module in `folkmoot/screens/` that has `Options` and `make` is a screen by the name of its file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from folkmoot.wire.layout import Layout
from folkmoot.wire.messages import Ask
from folkmoot.wire.partial import Group


@dataclass(frozen=True, slots=True)
class Rejected:
    """The answer must not merge. `reason` is a word of the protocol's vocabulary (folkmoot.wire.reasons)."""

    reason: str
    detail: str = ""


class Candidate(msgspec.Struct, frozen=True):
    """An answer as a screen sees it."""

    groups: Mapping[str, Group]
    arrays: Mapping[str, Any]  # group name to its flat numpy array, a view of the payload
    extremes: Mapping[str, tuple[float, float]]  # group name to least and greatest element; both NaN where one element is
    sizes: Mapping[str, int]  # group name to number of elements, of the groups that belong into an answer to this Ask
    metrics: Mapping[str, int]
    leaves: int  # merged devices
    device: bool  # the sender is a device, whose update is still to be lifted; otherwise its groups are sums


class Screen(Protocol):
    """One rule of admission."""

    def judge(self, candidate: Candidate, ask: Ask, layout: Layout) -> Rejected | None:
        """Gives why the answer must not merge, or None where this rule has nothing against it."""
        ...
