"""Refuses numbers of the wrong kind: a device's update is float32, a gateway's sums are whole numbers.

An update that has been rounded before it is weighed, or a sum that has not, would merge without a word and be wrong.
"""

import msgspec

from folkmoot.screen import Candidate, Rejected
from folkmoot.wire.codec import FLOAT32
from folkmoot.wire.layout import Layout
from folkmoot.wire.messages import Ask


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There is nothing to choose."""


class Dtype:
    """The screen."""

    def judge(self, candidate: Candidate, ask: Ask, layout: Layout) -> Rejected | None:
        """Gives `dtype` for a group of whole numbers from a device, or of float32 from a gateway."""
        for name, group in candidate.groups.items():
            if (group.tag == FLOAT32) is not candidate.device:
                due = "float32" if candidate.device else "whole numbers"
                return Rejected("dtype", f"group {name} has tag {group.tag}; its sender's are {due}")
        return None


def make(options: Options) -> Dtype:
    """Gives the screen."""
    return Dtype()
