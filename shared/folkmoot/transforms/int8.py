"""One signed byte for each parameter and one float32 step for each tensor: a quarter of float32, right on the average.

Alistarh et al., "QSGD: Communication-Efficient SGD via Gradient Quantization and Encoding", NeurIPS 2017, section 3.1, with s
= 127 levels on either side, the greatest magnitude of a tensor in the place of its 2-norm (as in the paper's own
experiments), and no entropy coding. With x = delta / step, an element becomes floor(x) + 1 with the probability x - floor(x),
otherwise floor(x): its expectation is x, and its error is less than a step.

    data = step of each tensor (float32, little-endian), then the elements of each tensor (int8), in the layout's order
"""

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from folkmoot.errors import MisuseFault, PeerFault

LEVELS = 127  # on either side; -128 would have no counterpart
# A step is a normal number, for a subnormal one has few digits left, and so many steps are not beyond float32.
LEAST, MOST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max) / LEVELS
STEP = np.dtype("<f4")


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There is nothing to choose."""


class Int8:
    """The transform; no state."""

    keeps: ClassVar[Literal["mean"]] = "mean"

    def encode(self, tensors: Iterable[Any], seed: int) -> bytes:
        """Gives steps and bytes. Takes five float32 arrays of one tensor beside what it gives."""
        rng = np.random.default_rng(seed)
        steps: list[float] = []
        elements: list[bytes] = []
        for delta in tensors:
            steps.append(step := _step(delta))
            elements.append(_rounded(delta, step, rng).tobytes())
        return np.array(steps, STEP).tobytes() + b"".join(elements)

    def decode(self, data: bytes | memoryview, sizes: Sequence[int]) -> NDArray[np.float32]:
        """Gives float32(byte * step), rounded once; refuses another size, a step beyond LEAST and MOST, and -128."""
        head, size = STEP.itemsize * len(sizes), sum(sizes)
        if len(data) != head + size:
            raise PeerFault("malformed", f"{len(data)} bytes; {len(sizes)} tensors of {size} elements take {head + size}")
        steps = np.frombuffer(data, STEP, len(sizes))
        least, most = float(steps.min()), float(steps.max())
        if not LEAST <= least <= most <= MOST:  # nor is NaN
            raise PeerFault("malformed", f"steps from {least:g} to {most:g}; they are from {LEAST:g} to {MOST:g}")
        elements = np.frombuffer(data, np.int8, size, head)
        if elements.min() < -LEVELS:
            raise PeerFault("malformed", f"a byte of {elements.min()}; bytes are from {-LEVELS} to {LEVELS}")
        found = elements.astype(STEP)
        found *= np.repeat(steps, sizes)
        return found


def _step(delta: NDArray[np.float32]) -> float:
    """Gives the largest float32 with which LEVELS steps are no more than the greatest magnitude: no bound is passed."""
    most = max(float(delta.max()), -float(delta.min()))
    if not isfinite(most):
        raise MisuseFault("an update with NaN or infinity in it is to be encoded")
    step = np.float32(most / LEVELS)
    if LEVELS * float(step) > most:  # exact: 24 bits and 7
        step = np.nextafter(step, np.float32(0))
    return max(LEAST, float(step))


def _rounded(delta: NDArray[np.float32], step: float, rng: np.random.Generator) -> NDArray[np.int8]:
    """Gives delta / step, each element rounded up or down at random, so that its expectation is what it was."""
    exact = np.divide(delta, np.float32(step))
    np.clip(exact, -LEVELS, LEVELS, out=exact)  # the step was rounded down: by 2^-23 of it, the greatest may be beyond
    below = np.floor(exact)
    exact -= below
    below += rng.random(delta.size, np.float32) < exact
    rounded: NDArray[np.int8] = below.astype(np.int8)
    return rounded


def make(options: Options) -> Int8:
    """Gives the transform."""
    return Int8()
