"""Which channels of a model stay or go together: what width levels are reckoned with.

A layer that makes channels opens an axis of units, one unit for each channel. What flows through the model is a Signal: for
each axis of one example, the unit that each index belongs to. Layers pass units on, move them around, or join those that must
agree, as the two sides of an addition do; whoever reads a signal knows from its last axis which channels a narrower model
has there. Nothing that flows has to be followed element by element, for what a narrower model has of it is a product: some
indices of each axis.

HeteroFL (Diao, Ding, Tarokh, ICLR 2021) keeps the first ceil(r C) of C channels at the rate r. Here unit i of C has its place
at i / C and stays where that is below r, which is the same. Joined units have the place of the one from the shortest axis:
where a long axis meets shorter ones, it consists of several of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import prod

import numpy as np
from numpy.typing import NDArray

Axis = NDArray[np.intp]
"""The unit of each index."""

HELD = 0  # the unit of everything that is never cut


def held(size: int) -> Axis:
    """Gives an axis that is never cut."""
    return np.zeros(size, np.intp)


@dataclass(frozen=True, slots=True)
class Signal:
    """What flows between two layers, by the axes of one example."""

    axes: tuple[Axis, ...]

    @property
    def last(self) -> Axis:
        """The channels."""
        return self.axes[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example in the full model."""
        return tuple(len(axis) for axis in self.axes)

    def ending(self, last: Axis) -> "Signal":
        """Gives the same signal with other channels."""
        return Signal((*self.axes[:-1], last))


class Units:
    """All units of a model, as a forest of those that were joined (union-find)."""

    def __init__(self) -> None:
        self._parents = [HELD]  # never greater than the unit, so that HELD is a root for ever
        self._places = [(0, 0.0)]  # length of the axis and place on it; of roots, for others are out of date

    def open(self, size: int) -> Axis:
        """Gives an axis of new units. The first is held: no layer is ever without a channel."""
        first = len(self._parents)
        self._parents += range(first, first + size - 1)
        self._places += [(size, i / size) for i in range(1, size)]
        return np.array([HELD, *range(first, first + size - 1)], np.intp)

    def join(self, one: Axis, other: Axis) -> None:
        """Lets two axes agree, index by index."""
        for pair in {*zip(one.tolist(), other.tolist(), strict=True)}:
            root, leaf = sorted(self._root(unit) for unit in pair)
            self._parents[leaf] = root
            self._places[root] = min(self._places[root], self._places[leaf])

    def hold(self, *axes: Axis) -> None:
        """Lets whole axes stay as they are."""
        for axis in axes:
            self.join(axis, held(len(axis)))

    def free(self, axis: Axis) -> bool:
        """Tells whether some index may go, as far as is known by now."""
        return bool(self._roots(axis).any())

    def kept(self, axis: Axis, rate: float) -> NDArray[np.intp]:
        """Gives the indices that stay at a rate, in ascending order."""
        return np.array([i for i, root in enumerate(self._roots(axis).tolist()) if self._places[root][1] < rate], np.intp)

    def merge(self, signals: Sequence[Signal]) -> Signal:
        """Gives what comes of signals that meet element by element, with axes of one element stretched as numpy does."""
        found: list[Axis] = []
        for axes in zip_longest(*(reversed(signal.axes) for signal in signals), fillvalue=held(1)):
            size = max(len(axis) for axis in axes)
            wide = [axis for axis in axes if len(axis) == size]
            self.hold(*(axis for axis in axes if len(axis) < size))
            for axis in wide[1:]:
                self.join(wide[0], axis)
            found.append(wide[0])
        return Signal(tuple(reversed(found)))

    def concatenate(self, signals: Sequence[Signal], along: int) -> Signal:
        """Gives signals one behind the other along one axis; the others agree."""
        found = []
        for i, axes in enumerate(zip(*(signal.axes for signal in signals), strict=True)):
            for axis in axes[1:] if i != along else ():
                self.join(axes[0], axis)
            found.append(np.concatenate(axes) if i == along else axes[0])
        return Signal(tuple(found))

    def reshape(self, signal: Signal, shape: Sequence[int]) -> Signal:
        """Gives the same elements in another shape.

        Where an axis is split, the innermost of its parts becomes the channels, as the images have them that a decoder makes
        of a flat vector: units are joined so that whole channels stay or go. Where two axes become one that both might lose
        indices, only the inner one still may.
        """
        solid = [axis for axis in signal.axes if len(axis) > 1]
        found: list[Axis] = []
        for axes, sizes in _blocks(solid, [size for size in shape if size > 1]):
            found += self._rearrange(axes, sizes)
        left = iter(found)
        return Signal(tuple(next(left) if size > 1 else held(1) for size in shape))

    def split(self, grid: Axis, along: int) -> Axis:
        """Lets the units of a grid agree that have the same index on one axis, and gives that axis."""
        found = self.open(grid.shape[along])
        for line in np.moveaxis(grid, along, -1).reshape(-1, len(found)):
            self.join(line, found)
        return found

    def _rearrange(self, axes: Sequence[Axis], sizes: Sequence[int]) -> list[Axis]:
        """Gives the axes of `sizes` for a grid that has had `axes`."""
        inner = max((i for i, axis in enumerate(axes) if self.free(axis)), default=None)
        if inner is None:
            return [held(size) for size in sizes]
        self.hold(*axes[:inner])
        before, after = (prod(len(axis) for axis in part) for part in (axes[:inner], axes[inner + 1 :]))
        grid = np.tile(np.repeat(axes[inner], after), before).reshape(sizes)
        for i in reversed(range(len(sizes))):
            rows = np.moveaxis(grid, i, 0).reshape(sizes[i], -1)
            roots = self._roots(rows)
            if (roots == roots[:, :1]).all():  # nothing else tells which elements stay
                channels = rows[:, 0]
                break
        else:
            i, channels = len(sizes) - 1, self.split(grid, -1)
        return [*map(held, sizes[:i]), channels, *map(held, sizes[i + 1 :])]

    def _root(self, unit: int) -> int:
        while self._parents[unit] != unit:
            self._parents[unit] = unit = self._parents[self._parents[unit]]
        return unit

    def _roots(self, axis: Axis) -> Axis:
        units, back = np.unique(axis, return_inverse=True)
        return np.array([self._root(unit) for unit in units.tolist()], np.intp)[back].reshape(axis.shape)


def _blocks(axes: Sequence[Axis], shape: Sequence[int]) -> Iterator[tuple[Sequence[Axis], Sequence[int]]]:
    """Gives the smallest groups of neighbouring axes, before and after a reshape, that have as many elements as each other."""
    i = j = 0
    while i < len(axes):
        a, b, before, after = i + 1, j + 1, len(axes[i]), shape[j]
        while before != after:
            if before < after:
                before, a = before * len(axes[a]), a + 1
            else:
                after, b = after * shape[b], b + 1
        yield axes[i:a], shape[j:b]
        i, j = a, b
