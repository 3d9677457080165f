"""What a run must have ended with, worked out again from its record alone, by other means than the product's."""

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from folkmoot.simulate.faults.oracle import SCALE
from folkmoot.simulate.faults.oracle import lifted as lifting
from folkmoot_cloud.runner.facts import RoundClosed
from tests.kit import toy
from tests.kit.asks import ask

CHECKED = 500  # elements of an update that are lifted by rational arithmetic as well


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
        sums = np.zeros(parameters, np.int64)
        for device in devices:
            update = np.frombuffer(toy.train(device, base, parameters).groups["main"].data, "<f4")
            sums += lift(update, toy.examples(device))
        assert np.abs(sums).max() < 1 << 53
        mean = sums / float(total << SCALE)  # both exact in binary64, hence rounded once
        weights = (weights.astype(np.float64) + mean).astype("<f4")
        found.append(hashlib.sha256(weights.tobytes()).hexdigest())
    return tuple(found)


def lift(update: "np.ndarray[Any, Any]", examples: int) -> "np.ndarray[Any, Any]":
    """Gives an update times its examples, in multiples of 2^-SCALE, ties to even: by integers, which rationals check."""
    lifted = lifting(update, examples, SCALE)
    for at in range(min(CHECKED, len(update))):
        assert lifted[at] == round(Fraction(float(update[at])) * (examples << SCALE))
    return lifted  # type: ignore[no-any-return]
