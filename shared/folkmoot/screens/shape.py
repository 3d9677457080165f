"""Refuses an answer whose groups are not those of the layout, or that have other sizes: nothing is ever broadcast."""

import msgspec

from folkmoot.screen import Candidate, Rejected
from folkmoot.wire.layout import Layout
from folkmoot.wire.messages import Ask


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There is nothing to choose."""


class Shape:
    """The screen."""

    def judge(self, candidate: Candidate, ask: Ask, layout: Layout) -> Rejected | None:
        """Gives `shape` for a group that is missing, unknown, or of another size."""
        for name in candidate.sizes.keys() | candidate.groups.keys():
            expected = candidate.sizes.get(name, 0)
            came = candidate.groups[name].size if name in candidate.groups else 0
            if came != expected:
                return Rejected("shape", f"group {name} has {came} elements; {expected} belong there")
        return None


def make(options: Options) -> Shape:
    """Gives the screen."""
    return Shape()
