"""What a run must have ended with, worked out again from its record alone, by other means than the product's.

The product multiplies, rounds and adds in binary64; here a float32 is taken apart into an integer and a power of two, and
everything up to the mean is integer arithmetic.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from folkmoot.hop import events
from folkmoot.hop.ids import ask_id, local_id
from folkmoot.simulate import toy
from folkmoot.wire.messages import Ask

MANTISSA = 24  # bits of a float32
SCALE = 22  # binary places of the sums

Said = Mapping[tuple[str, bytes], tuple[str, ...]]
"""A gateway and the id of an Ask, to the devices whose updates are in its answer."""


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


def models(rounds: Sequence[Any], parameters: int, said: Said, transform: str | None) -> dict[int, str]:
    """Gives the sha256 of the model after each round that has learnt, from who contributed according to the record.

    `rounds`: the cloud's RoundClosed facts, in order. `said` tells the answers that homes went on from by themselves,
    `transform` how updates travelled.
    """
    versions = [np.zeros(parameters, "<f4")]
    found: dict[int, str] = {}
    for closed in rounds:
        if closed.closed.outcome != "complete":
            continue
        sums, total = _sums([leaf.device for leaf in closed.sums.leaves if leaf.fate == ""], versions[-1], transform)
        for late in closed.belated:
            more, weight = _sums(late.leaves, _started(late, versions[late.base], said, transform), transform)
            sums, total = sums + discounted(more, late.factor), total + weight
        versions.append(_moved(versions[-1], sums, total))
        found[closed.number] = hashlib.sha256(versions[-1].tobytes()).hexdigest()
    return found


def discounted(sums: Any, factor: int) -> Any:
    """Gives rint(sums * factor / 1024), ties to even, of int64 `sums`, in Python's integers."""
    found = []
    for value in sums:
        floor, rest = divmod(int(value) * factor, 1024)
        found.append(floor + (rest > 512 or (rest == 512 and floor % 2 == 1)))
    return np.array(found, np.int64)


def _sums(devices: Sequence[str], weights: Any, transform: str | None) -> tuple[Any, int]:
    """Gives the sum of what these devices learn from `weights`, as int64 of the same shape, and what it weighs."""
    base = hashlib.sha256(weights.tobytes()).digest()
    ask = Ask(run="", round=0, phase="train", strategy="", program=b"", weights=base, base=0, transform=transform)
    sums = np.zeros(weights.size, np.int64)
    for device in devices:
        update = _delta(bytes(toy.train(device, ask, weights.size).groups["main"].data), transform)
        sums += lifted(update, toy.examples(device), SCALE)
    return sums, sum(toy.examples(device) for device in devices)


def _delta(data: bytes, transform: str | None) -> Any:
    """Gives the float32 that a device's group stands for: int8 is bytes behind the one step that they are multiples of."""
    if transform is None:
        return np.frombuffer(data, "<f4")
    return (np.frombuffer(data[4:], np.int8) * np.frombuffer(data[:4], "<f4").astype(np.float64)).astype("<f4")


def _moved(weights: Any, sums: Any, total: int) -> Any:
    """Gives float32 `weights` after a step by the mean."""
    mean = np.array([int(value) / (total << SCALE) for value in sums])
    return (weights.astype(np.float64) + mean).astype("<f4")


def _started(late: events.Belated, weights: Any, said: Said, transform: str | None) -> Any:
    """Gives what a belated answer is relative to: a home's local rounds go on from one another, the first from its answer."""
    ask = ask_id(f"run1/{late.round}/train", late.member)
    for number in range(late.local):
        answered = local_id(ask, number) if number else ask
        weights = _moved(weights, *_sums(said[late.member, answered], weights, transform))
    return weights
