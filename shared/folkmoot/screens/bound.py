"""Refuses elements beyond the bound that the run's arithmetic was sized for: with it, no merge can ever overflow."""

import msgspec

from folkmoot.parts import reach
from folkmoot.screen import Candidate, Rejected
from folkmoot.wire.layout import Layout
from folkmoot.wire.messages import Ask


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There is nothing to choose: the bound is the Ask's."""


class Bound:
    """The screen."""

    def judge(self, candidate: Candidate, ask: Ask, layout: Layout) -> Rejected | None:
        """Gives `out_of_bounds` for |delta| > c in an update, or |sum| beyond what its weight can reach."""
        for name, (least, greatest) in candidate.extremes.items():
            limit = ask.bound if candidate.device else candidate.groups[name].weight * reach(ask.scale, ask.bound)
            if not -limit <= least <= greatest <= limit:
                return Rejected("out_of_bounds", f"group {name} reaches from {least} to {greatest}; {limit} is allowed")
        return None


def make(options: Options) -> Bound:
    """Gives the screen."""
    return Bound()
