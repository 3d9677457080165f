"""What a run must have ended with, worked out again from its record alone, by other means than the product's."""

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from functools import cache

import numpy as np

from folkmoot_cloud.runner.node import RoundClosed
from tests.kit import toy
from tests.kit.asks import ask

SCALE = 22


def models(rounds: Sequence[RoundClosed], parameters: int) -> dict[int, str]:
    """Gives the sha256 of the model after each round that has learnt, from who contributed according to the record."""
    learnt = {}
    for closed in rounds:
        devices = tuple(sorted(leaf.device for leaf in closed.sums.leaves if leaf.fate == ""))
        assert len(set(devices)) == len(devices)
        if closed.closed.outcome == "complete":
            learnt[closed.number] = devices
    return dict(zip(learnt, chain(tuple(learnt.values()), parameters), strict=True))


@cache
def chain(rounds: tuple[tuple[str, ...], ...], parameters: int) -> tuple[str, ...]:
    """Gives the sha256 of the model after each round, from the names of the devices that are in it."""
    weights = np.zeros(parameters, "<f4")
    found = []
    for devices in rounds:
        base = ask(weights=hashlib.sha256(weights.tobytes()).digest())
        total = sum(toy.examples(device) for device in devices)
        sums = np.zeros(parameters, object)
        for device in devices:
            update = np.frombuffer(toy.train(device, base, parameters).groups["main"].data, "<f4")
            factor = toy.examples(device) << SCALE
            sums += np.array([round(Fraction(float(value)) * factor) for value in update], object)  # ties to even
        mean = np.array([int(value) / (total << SCALE) for value in sums])
        weights = (weights.astype(np.float64) + mean).astype("<f4")
        found.append(hashlib.sha256(weights.tobytes()).hexdigest())
    return tuple(found)
