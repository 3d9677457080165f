"""The batch that every runtime can make for itself, and the losses that ten steps on it must have.

Element i of a tensor is h(salt + i) / 2^24, with h the upper 24 bits of MurmurHash3's finaliser (fmix32, Austin Appleby, public
domain) of a 32-bit number; salt is 0 for `x` and 2^31 for `y`. A label is h(2^31 + i) modulo the number of classes, an x in
int32 h(i) modulo the vocabulary. So the others lie in [0, 1), are exact in float32, and come out alike in any language with
32-bit integers. The seed of step k is k.
"""

from itertools import accumulate
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from folkmoot.arrays import Array
from folkmoot.serve.program import Learner
from folkmoot.wire.bundle import Contract, Manifest

FORMULA = "fmix32"
STEPS = 10
# Two runtimes add in different orders: the losses of ten steps differed by up to 2e-7 between them.
TOLERANCE = 1e-5  # of a loss, relative to the larger of itself and 1
# Rounding grows from step to step where a model divides by small deviations: within five steps of a MobileNetV2 TensorFlow is
# 0.06 away from itself if the last four bits of its weights are changed. `spread` records by how much; of the models that we
# tried, programs were at most 2.4 times as far away.
SPREADS = 5

_SALT = 1 << 31


class Reference(TypedDict):
    """What a manifest records under `reference`."""

    formula: str
    learning_rate: float
    losses: list[float]  # mean loss of the batch before each step, rounded to 6 decimals
    spread: list[float]  # by how much each of them changes with the last four bits of the initial weights


def batch(contract: Contract, size: int) -> tuple[Array, Array]:
    """Gives `size` examples of a contract: x and y, with the batch in front."""
    x = _numbers((size, *contract.x_shape), 0)
    y = _numbers((size, *contract.y_shape), _SALT)
    shown = _unit(x) if contract.x_dtype == "float32" else (x % max(contract.vocabulary, 1)).astype(np.int32)
    if contract.y_dtype == "float32":
        return shown, _unit(y)
    return shown, (y % max(len(contract.classes), 1)).astype(np.int32)


def losses(learner: Learner, weights: bytes, learning_rate: float, steps: int = STEPS) -> list[float]:
    """Gives the mean loss before each of the first steps from `weights` on the generated batch."""
    x, y = batch(learner.manifest.contract, learner.manifest.batch)
    learner.set_weights(weights)
    found = (learner.train(x, y, rate=learning_rate, seed=number) for number in range(steps))
    return [float(losses.mean(dtype=np.float64)) for losses in found]


def worst(found: list[float], manifest: Manifest) -> float:
    """Gives the largest difference between `found` and the recorded losses of as many steps, in the unit of TOLERANCE.

    What lies within SPREADS times the largest spread so far is none.
    """
    expected = manifest.reference["losses"][: len(found)]
    spread = accumulate(manifest.reference.get("spread", [0.0] * len(expected))[: len(found)], max)
    rows = zip(found, expected, spread, strict=True)
    return float(max(max(0.0, abs(a - b) - SPREADS * known) / max(1.0, abs(b)) for a, b, known in rows))


def _numbers(shape: tuple[int, ...], salt: int) -> NDArray[np.uint32]:
    h = np.arange(int(np.prod(shape)), dtype=np.uint32) + np.uint32(salt)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return (h >> np.uint32(8)).reshape(shape)


def _unit(numbers: NDArray[np.uint32]) -> NDArray[np.float32]:
    return (numbers / np.float64(1 << 24)).astype(np.float32)
