"""Refuses an update with NaN or infinity in it: one such number would be in the model for ever."""

from math import isfinite

import msgspec

from folkmoot.screen import Candidate, Rejected
from folkmoot.wire.layout import Layout
from folkmoot.wire.messages import Ask


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There is nothing to choose."""


class Finite:
    """The screen."""

    def judge(self, candidate: Candidate, ask: Ask, layout: Layout) -> Rejected | None:
        """Gives `non_finite` for a group with a NaN or an infinity."""
        for name, (least, greatest) in candidate.extremes.items():
            if not (isfinite(least) and isfinite(greatest)):
                return Rejected("non_finite", f"group {name} reaches from {least} to {greatest}")
        return None


def make(options: Options) -> Finite:
    """Gives the screen."""
    return Finite()
