"""Refuses weights that are no positive whole numbers, and those beyond what one device may count for."""

import msgspec

from folkmoot.screen import Candidate, Rejected
from folkmoot.wire.layout import Layout
from folkmoot.wire.messages import Ask


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There is nothing to choose: the cap is the Ask's."""


class Weight:
    """The screen."""

    def judge(self, candidate: Candidate, ask: Ask, layout: Layout) -> Rejected | None:
        """Gives `bad_weight` for one below 1, `weight_over_cap` for one above the cap of each device that is in it."""
        for name, group in candidate.groups.items():
            if group.weight < 1:
                return Rejected("bad_weight", f"group {name} weighs {group.weight}")
            if group.weight > ask.cap * candidate.leaves:
                most = f"{candidate.leaves} x {ask.cap}"
                return Rejected("weight_over_cap", f"group {name} weighs {group.weight}; {most} may be")
        return None


def make(options: Options) -> Weight:
    """Gives the screen."""
    return Weight()
