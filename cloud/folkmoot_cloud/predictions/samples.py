"""Empirical distributions of many members at once, from measurements of which some are only lower bounds.

A device that was late had not answered by the time when its round was over: a right-censored measurement. Its weight goes to
the larger ones, evenly, which gives the product-limit estimate (B. Efron, "The two sample problem with censored data", 1967,
after E. L. Kaplan and P. Meier, "Nonparametric estimation from incomplete observations", 1958). Where a member has no larger
one, those of its like stand in for them; behind the largest of all, the tail is exponential (B. W. Brown, M. Hollander,
R. M. Korwar, "Nonparametric tests of independence for censored data", 1974), with the mean that exact and censored ones give
together.

From few measurements one sees a member's level and not how it varies: that is taken from how all members vary around their own
medians. The level itself lies between its own median and the middle of all, the nearer to that the less is known of it, and
what is left unknown of it is added to what varies (B. Efron, C. Morris, "Data analysis using Stein's estimator", 1975; here of
logarithms, and moved by one standard error at most, so that who is really another kind stays one).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import log, sqrt
from statistics import median

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
GRAINS = 8  # values that stand for one censored measurement, and the weight of one that is not
FEW = 20  # measurements below which a member is taken to vary as all do: of 20, the ends are 5 % quantiles
_MIDDLES = (np.arange(GRAINS) + 0.5) / GRAINS


@dataclass(slots=True)
class Measured:
    """What is known of one member."""

    exact: list[float] = field(default_factory=list)
    beyond: list[float] = field(default_factory=list)  # it was more than this


@dataclass(frozen=True, slots=True)
class Values:
    """Values of one member, [n], all equally likely; each varies by a factor of its own."""

    at: Floats
    vary: Floats  # what the logarithm of that factor is multiplied by; 0: it does not

    @property
    def usual(self) -> float:
        """The median."""
        return float(np.median(self.at))


@dataclass(frozen=True, slots=True)
class Spread:
    """Values of some members, to draw from, and by what factors they vary."""

    of: Mapping[str, Values]
    factors: Floats  # logarithms


class Samples:
    """Draws for many members at once."""

    def __init__(self, names: Sequence[str], spread: Spread) -> None:
        """Takes members that there are values of, one at least."""
        values = [spread.of[name] for name in names]
        self._counts = np.asarray([len(each.at) for each in values], np.int64)
        self._starts = np.cumsum(self._counts) - self._counts
        self._at = np.concatenate([each.at for each in values])
        self._vary = np.concatenate([each.vary for each in values])
        self._factors = spread.factors

    def draw(self, members: Ints, rng: np.random.Generator) -> Floats:
        """Gives a value for each of these members, [n], by their numbers."""
        one = self._starts[members] + (rng.random(len(members)) * self._counts[members]).astype(np.int64)
        factor = self._factors[rng.integers(len(self._factors), size=len(members))]
        return np.asarray(self._at[one] * np.exp(factor * self._vary[one]))


def spread(found: Mapping[str, Measured], kinds: Mapping[str, object]) -> Spread:
    """Gives the values to draw from of each member of which something was measured; of none where nothing is exact.

    `kinds`: who is alike; a member without a kind is like everybody.
    """
    everybody = np.sort([value for each in found.values() for value in each.exact])
    if not len(everybody):
        return Spread({}, np.zeros(1))
    alike: dict[object, list[float]] = {}
    for name, each in found.items():
        alike.setdefault(kinds.get(name), []).extend(each.exact)
    ranked = {kind: np.sort(values) for kind, values in alike.items()}
    logs = {name: [log(value) for value in each.exact] for name, each in found.items() if each.exact and min(each.exact) > 0}
    factors = _factors(logs)
    cut = {name for name, each in found.items() if each.beyond}
    tail, levels = _tail(found), _levels({name: each for name, each in logs.items() if name not in cut}, factors)
    of = {
        name: _values(each, levels.get(name), (ranked[kinds.get(name)], everybody), tail)
        for name, each in found.items()
        if each.exact or each.beyond
    }
    return Spread(of, factors)


def _values(each: Measured, level: tuple[float, float] | None, others: Sequence[Floats], tail: Floats) -> Values:
    own = np.sort(each.exact)
    at = [np.repeat(own if level is None else np.full(len(own), level[0]), GRAINS)]
    for bound in each.beyond:
        larger = next((pool[pool > bound] for pool in (own, *others) if len(pool) and pool[-1] > bound), None)
        at.append(bound + tail if larger is None else larger[(_MIDDLES * len(larger)).astype(np.int64)])
    vary = np.zeros(sum(map(len, at)))
    if level is not None:
        vary[: len(at[0])] = level[1]
    return Values(np.concatenate(at), vary)


def _levels(logs: Mapping[str, Sequence[float]], factors: Floats) -> dict[str, tuple[float, float]]:
    """Gives the level of each member that was measured little, and what its logarithm varies by, in units of `factors`.

    `logs` has nobody who was cut off: he has shown his quick side alone.
    """
    if not logs:
        return {}
    noise = float(np.mean(factors**2))
    own = np.asarray([median(each) for each in logs.values()])
    sizes = np.asarray([len(each) for each in logs.values()])
    # Of a normal, a median of many is as good as a mean of 2 / pi as many.
    unknown = noise / sizes * np.where(sizes > 2, np.pi / 2, 1.0)
    between = max(0.0, float(np.var(own) - np.mean(unknown)))
    share = np.divide(between, between + unknown, out=np.ones(len(own)), where=unknown > 0)
    level = np.exp(own + np.clip((1 - share) * (np.mean(own) - own), -np.sqrt(unknown), np.sqrt(unknown)))
    vary = np.sqrt(1 + share * unknown / noise) if noise else np.ones(len(own))
    found = zip(logs, level.tolist(), vary.tolist(), sizes, strict=True)
    return {name: (middle, spread) for name, middle, spread, size in found if size < FEW}


def _tail(found: Mapping[str, Measured]) -> Floats:
    """Gives what the exponential distribution with the mean of all measurements adds to a bound that nobody was beyond."""
    exact = sum(len(each.exact) for each in found.values())
    total = sum(sum(each.exact) + sum(each.beyond) for each in found.values())
    return np.asarray(-np.log1p(-_MIDDLES) * total / exact)


def _factors(logs: Mapping[str, Sequence[float]]) -> Floats:
    """Gives the logarithms of the factors by which members were off their own medians; 0 where nobody was measured twice."""
    found: list[float] = []
    for each in logs.values():
        if (number := len(each)) > 1:
            middle = median(each)
            # Around their own middle, n values vary by a factor of sqrt((n - 1) / n) too little.
            widen = sqrt(number / (number - 1))
            found += [(one - middle) * widen for one in each]
    return np.asarray(found or [0.0])
