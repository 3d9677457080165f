"""Uniform sampling without replacement: every device is as likely as every other.

McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data", AISTATS 2017, Algorithm 1: S_t is a
random set of m clients. Weighting by examples happens when updates merge; sampling by examples as well would count them twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from random import Random

import msgspec

from folkmoot.selector import Eligible


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There is nothing to choose."""


@dataclass(frozen=True, slots=True)
class Uniform:
    """The policy."""

    options: Options

    def pick(self, fleet: Sequence[Eligible], count: int, rng: Random) -> list[Eligible]:
        """Gives `count` of the fleet, or all of it."""
        ranked = sorted(fleet, key=attrgetter("device"))
        return ranked if count >= len(ranked) else sorted(rng.sample(ranked, count), key=attrgetter("device"))


def make(options: Options) -> Uniform:
    """Gives the policy."""
    return Uniform(options)
