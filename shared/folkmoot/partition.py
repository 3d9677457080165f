"""Deals examples to homes and devices, as unevenly as real homes are.

Everything is a pure function of the labels and of a seeded generator, so that a demo, a fleet and a benchmark can deal alike.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Labels = NDArray[np.integer[Any]]
Indices = NDArray[np.intp]

POOR = 0.1  # share of a class that a home which is poor in it sees, beside one that is not


def dirichlet(labels: Labels, shards: int, alpha: float, rng: Generator) -> list[Indices]:
    """Gives the indices of each shard; of every class, shards hold shares drawn from Dirichlet(alpha).

    Small `alpha`: each class is with few shards; large: all alike. Every index is dealt once, and no shard stays empty as long
    as there are examples for all. Hsu, Qi, Brown, "Measuring the Effects of Non-Identical Data Distribution for Federated
    Visual Classification", 2019, with the shares taken per class.
    """
    shares = np.stack([rng.dirichlet(np.full(shards, alpha)) for _ in np.unique(labels)])
    return _deal(labels, shares, rng)


def homes(labels: Labels, sizes: Sequence[int], rng: Generator) -> list[list[Indices]]:
    """Gives the indices of each device of each home; `sizes` are the numbers of devices.

    Every home but the first is poor in a third of the classes, each in another third; within a home, devices are alike.
    """
    classes = np.unique(labels)
    third = max(1, len(classes) // 3)
    shares = np.tile(np.asarray(sizes, float), (len(classes), 1))
    for home in range(1, len(sizes)):
        poor = (np.arange(third) + (home - 1) * (len(classes) - third)) % len(classes)
        shares[poor, home] *= POOR
    dealt = _deal(labels, shares / shares.sum(1, keepdims=True), rng)
    return [np.array_split(rng.permutation(indices), size) for indices, size in zip(dealt, sizes, strict=True)]


def _deal(labels: Labels, shares: NDArray[np.float64], rng: Generator) -> list[Indices]:
    """Deals each class by its row of `shares`, (classes, shards); then an empty shard takes one of the largest."""
    shards = shares.shape[1]
    dealt: list[list[Indices]] = [[] for _ in range(shards)]
    for row, label in zip(shares, np.unique(labels), strict=True):
        members = rng.permutation(np.flatnonzero(labels == label))
        cuts = np.rint(np.cumsum(row)[:-1] * len(members)).astype(int)
        for shard, part in enumerate(np.split(members, cuts)):
            dealt[shard].append(part)
    whole = [np.sort(np.concatenate(parts)) for parts in dealt]
    for shard in range(shards):
        if not len(whole[shard]):
            richest = max(range(shards), key=lambda one: len(whole[one]))
            if len(whole[richest]) > 1:
                whole[shard], whole[richest] = whole[richest][-1:], whole[richest][:-1]
    return whole
