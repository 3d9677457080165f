"""The seam of selection: whom a round invites.

A module in `folkmoot/selectors/` that has `Options` and `make` is a selector by the name of its file.
"""

from collections.abc import Sequence
from random import Random
from typing import Protocol

import msgspec


class Eligible(msgspec.Struct, frozen=True, gc=False):
    """A device that could take part now."""

    device: str
    gateway: str
    examples: int


class Selector(Protocol):
    """A policy of selection: a pure function of the fleet and of chance."""

    def pick(self, fleet: Sequence[Eligible], count: int, rng: Random) -> list[Eligible]:
        """Gives at most `count` of the fleet, sorted by device; equal arguments give equal picks."""
        ...
