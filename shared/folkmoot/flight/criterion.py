"""What makes a round a bad one: measures of the model that it has made, and where each of them is too much."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from statistics import median

import numpy as np

from folkmoot import arrays
from folkmoot.errors import UserFault
from folkmoot.flight.examples import Examples
from folkmoot.flight.remade import Remade
from folkmoot.serve.program import Learner

# How much worse than before is bad, unless somebody says otherwise. A round of an honest run takes a little of the loss, or
# gives back a little; the step of a round is a mean, and shorter than most of what it is a mean of.
WORSE = {"loss": 1.1, "norm": 2.0, "finite": 1.0}
UNITS = {"loss": "loss", "norm": "length of the step", "finite": "weights that are no numbers"}


@dataclass(frozen=True, slots=True)
class Criterion:
    """A measure of a block of weights; a model is bad where it is more than `limit`, or no number."""

    name: str
    measure: Callable[[bytes], float]
    before: float  # the measure of the model that the round began with
    limit: float

    def bad(self, value: float) -> bool:
        """Whether a measure is too much."""
        return not value <= self.limit


def loss(remade: Remade, examples: Examples, worse: float) -> Criterion:
    """Gives the mean loss on examples, by the task's own program: bad where it is more than `worse` times that of before.

    Raises UserFault where the model was no better before, or no runtime is installed.
    """
    learner = Learner(remade.program)
    x, y = examples
    batch = remade.program.manifest.batch

    def measure(block: bytes) -> float:
        learner.set_weights(block)
        total = 0.0
        for at in range(0, len(x), batch):
            losses, _ = learner.evaluate(x[at : at + batch], y[at : at + batch])
            total += float(losses.sum(dtype=np.float64))
        return total / len(x)

    before = measure(remade.base)
    if not isfinite(before):
        raise UserFault(f"the model was bad before round {remade.ask.round}: its loss is {before}; look at an earlier round")
    return Criterion("loss", measure, before, before * worse)


def norm(remade: Remade, worse: float) -> Criterion:
    """Gives the length of the step: bad where it is more than `worse` times the median of those of single answers."""

    def measure(block: bytes) -> float:
        return float(np.linalg.norm(_flat(remade, block) - _flat(remade, remade.base)))

    alone = [measure(remade.model([number])) for number in range(len(remade.answers))]
    return Criterion("norm", measure, 0.0, worse * (median(alone) if alone else 0.0))


def finite(remade: Remade) -> Criterion:
    """Gives how many weights are no numbers: bad where there are more than before."""

    def measure(block: bytes) -> float:
        return float(np.count_nonzero(~np.isfinite(_flat(remade, block))))

    before = measure(remade.base)
    return Criterion("finite", measure, before, before)


def _flat(remade: Remade, block: bytes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found = arrays.unpack(remade.program.manifest.layout, block)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.concatenate([array.astype(np.float64).ravel() for array in found.values()])
