"""Refuses metric sums so large that the sums of many answers would no longer fit the wire."""

from typing import Annotated

import msgspec
from msgspec import Meta

from folkmoot.screen import Candidate, Rejected
from folkmoot.wire.layout import Layout
from folkmoot.wire.messages import Ask


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be chosen."""

    # A partial holds up to 2^62: a million devices of this. In units of 2^-20 it is a loss of 419 on each of 10,000 examples.
    bits: Annotated[int, Meta(ge=20, le=62, description="a metric of one device is at most 2 to the power of this")] = 42


class Metrics:
    """The screen."""

    def __init__(self, options: Options) -> None:
        self._most = 1 << options.bits

    def judge(self, candidate: Candidate, ask: Ask, layout: Layout) -> Rejected | None:
        """Gives `bad_metric` for a sum beyond what so many devices can have measured."""
        for name, value in candidate.metrics.items():
            if abs(value) > self._most * max(1, candidate.leaves):
                return Rejected("bad_metric", f"{name} is {value} for {candidate.leaves} devices")
        return None


def make(options: Options) -> Metrics:
    """Gives the screen."""
    return Metrics(options)
