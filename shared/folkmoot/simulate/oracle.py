"""What a run must have ended with, worked out again from its record alone, by other means than the product's.

The product multiplies, rounds and adds in binary64; here a float32 is taken apart into an integer and a power of two, and
everything up to the mean is integer arithmetic.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from folkmoot.simulate import toy
from folkmoot.wire.messages import Ask

MANTISSA = 24  # bits of a float32


def lifted(values: Any, weight: int, scale: int) -> Any:
    """Gives rint(value * weight * 2^scale), ties to even, of float32 `values`, as int64 of the same shape."""
    fraction, exponent = np.frexp(values.astype(np.float64))
    whole = (fraction * (1 << MANTISSA)).astype(np.int64) * weight  # exact: a float32 has 24 bits
    shift = exponent.astype(np.int64) - MANTISSA + scale
    left = whole << np.maximum(shift, 0)
    down = np.clip(-shift, 0, 62)
    floor = left >> down
    rest = left - (floor << down)
    half = np.where(down > 0, np.int64(1) << np.maximum(down - 1, 0), np.int64(1))
    up = (down > 0) & ((rest > half) | ((rest == half) & (floor & 1 == 1)))
    return floor + up


def models(rounds: Sequence[Any], parameters: int, scale: int = 22) -> dict[int, str]:
    """Gives the sha256 of the model after each round that has learnt, from who contributed according to the record.

    `rounds`: the cloud's RoundClosed facts, in order.
    """
    weights = np.zeros(parameters, "<f4")
    found: dict[int, str] = {}
    for closed in rounds:
        devices = [leaf.device for leaf in closed.sums.leaves if leaf.fate == ""]
        if closed.closed.outcome != "complete":
            continue
        base = hashlib.sha256(weights.tobytes()).digest()
        ask = Ask(run="", round=0, phase="train", strategy="", program=b"", weights=base, base=0)
        total = sum(toy.examples(device) for device in devices)
        sums = np.zeros(parameters, np.int64)
        for device in devices:
            update = np.frombuffer(toy.train(device, ask, parameters).groups["main"].data, "<f4")
            sums += lifted(update, toy.examples(device), scale)
        mean = np.array([int(value) / (total << scale) for value in sums])
        weights = (weights.astype(np.float64) + mean).astype("<f4")
        found[closed.number] = hashlib.sha256(weights.tobytes()).hexdigest()
    return found
