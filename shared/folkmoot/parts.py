"""Exact partials: updates become integers, and integers sum to the same bits in any order and any grouping.

An update is lifted once, where it is first merged: every element of `weight * delta` is rounded to a multiple of 2^-scale.
From there on a partial is a sum of integers, so that a tree of gateways equals a flat star to the last bit and a contribution
can be taken out again exactly. The integers live in float64, which holds every one up to 2^53 and which numpy converts, rounds
and adds faster than int64; `check_scale` excludes, before a run starts, that any sum leaves that range.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from math import ceil, ldexp
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from folkmoot.errors import MisuseFault, PeerFault, UserFault
from folkmoot.transform import Transform
from folkmoot.wire.codec import FLOAT32, INT8, INT16, INT32, INT64, MAP
from folkmoot.wire.layout import Layout
from folkmoot.wire.partial import ENCODED, Group, Leaf, Partial

Vector = NDArray[np.generic]
Sums = NDArray[np.float64]  # holds integers

WHOLE = 1 << 10  # a factor is a number of 1,024ths: its product with any integer up to 2^53 is still one that int64 holds
EXACT = 1 << 53  # float64 holds every integer up to here, this one included
FINEST = 52  # largest scale that an Ask may name
# Elements that are worked on together: 64 KiB of float32 beside 256 KiB of float64 stay in the 512 KiB cache of a Raspberry Pi.
# Measured on a core with 2 MiB of it: 2.3 GB/s of float32 at 2,048 elements, 4.2 at 16,384, 2.7 at 131,072, which do not fit.
CHUNK = 16_384

# How the arrays of a partial lie in its bytes, whatever the byte order of the host.
DTYPES: Mapping[int, np.dtype[np.generic]] = {
    FLOAT32: np.dtype("<f4"),
    INT8: np.dtype("<i1"),
    INT16: np.dtype("<i2"),
    INT32: np.dtype("<i4"),
    INT64: np.dtype("<i8"),
}
_INTEGERS = {8: INT8, 16: INT16, 32: INT32, 64: INT64}  # bits to tag, narrowest first


def reach(scale: int, bound: float) -> int:
    """Gives the largest magnitude that an element of an update of weight 1 can have once it is lifted."""
    return ceil(ldexp(bound, scale))


def check_scale(scale: int, bound: float, total: int) -> None:
    """Makes sure that no sum can overflow: `total` times the reach of one unit of weight stays within 2^53.

    `bound` is the largest |delta| that is taken, `total` the largest sum of weights of a round. Raises UserFault, which says
    which values would hold.
    """
    if total * reach(scale, bound) <= EXACT:
        return
    scales = [finer for finer in range(FINEST + 1) if total * reach(finer, bound) <= EXACT]
    choices = [f"a scale of at most {scales[-1]}"] if scales else []
    choices += [f"a total of at most {most}"] if (most := EXACT // reach(scale, bound)) else []
    choices += [f"a bound of at most {ldexp(EXACT // total, -scale)}"] if total <= EXACT else []
    raise UserFault(
        f"a scale of {scale}, a bound of {bound} and a total weight of {total} do not go together: sums could pass 2^53 and "
        f"would no longer be exact; choose {', or '.join(choices)}"
    )


def travelling(deltas: Iterable[NDArray[np.float32]], weight: int, transform: Transform | None, seed: int) -> Group:
    """Gives the group as a device sends it whose tensors' flat deltas these are: in float32, or encoded by the transform."""
    if transform is not None:
        return Group(weight, ENCODED, transform.encode(deltas, seed))
    return Group(weight, FLOAT32, b"".join(delta.astype(DTYPES[FLOAT32], copy=False).tobytes() for delta in deltas))


def decoded(partial: Partial, transform: Transform | None, sizes: Mapping[str, Sequence[int]]) -> Partial:
    """Gives the partial with float32 in every group that the transform has encoded; others are as they came.

    `sizes`: of the tensors of each group. Raises PeerFault: "dtype" for an encoded group where there is no transform, "shape"
    for one that has no sizes, "malformed" for one that cannot be decoded.
    """
    groups = dict(partial.groups)
    for name, group in partial.groups.items():
        if group.tag != ENCODED:
            continue
        if transform is None:
            raise PeerFault("dtype", f"group {name} is encoded, and no transform was asked for")
        if name not in sizes:
            raise PeerFault("shape", f"group {name} is not in the layout")
        deltas = transform.decode(group.data, sizes[name])
        groups[name] = Group(group.weight, FLOAT32, deltas.data.cast("B"))
    return Partial(groups=groups, leaves=partial.leaves, metrics=partial.metrics)


def lift(deltas: NDArray[np.float32], weight: int, scale: int) -> Sums:
    """Gives `weight * deltas` in multiples of 2^-scale, as float64 that hold integers and no -0.0.

    The product is taken in binary64 and rounded to the nearest integer, ties to even; it is exact before that rounding for
    every weight up to 2^29, because a float32 has 24 significant bits and a power of two adds none. `deltas` must be finite.
    """
    return np.add(_lift(deltas, _factor(weight, scale), np.empty(deltas.shape, np.float64)), 0.0)


def staleness(behind: int, exponent: float) -> int:
    """Gives what an answer counts that is `behind` by so many versions: (1 + behind)^-exponent, in 1,024ths, from 1 to 1,024.

    The polynomial discount of FedAsync (Xie et al., "Asynchronous Federated Optimization", 2019, section 5.2), s_a(t - tau).
    """
    return max(1, round(WHOLE * float((1 + behind) ** -exponent)))


def discounted(group: Group, factor: int, scale: int) -> Group:
    """Gives the group with its sums times `factor` / 1,024, each rounded to the nearest, ties to even; float32 is lifted.

    The product is exact before it is rounded, so that everybody who works it out again gets the same integers. The weight stays
    what it is: the answer counts as fully as any other in what is divided by, and less in what is divided, so that a round of
    stale answers alone takes a small step (Nguyen et al., "Federated Learning with Buffered Asynchronous Aggregation", AISTATS
    2022, divide by the number of updates, not by the sum of their discounts).
    """
    elements = view(group)
    sums = lift(elements, group.weight, scale) if group.tag == FLOAT32 else elements  # type: ignore[arg-type]
    whole = sums.astype(np.int64)
    if factor != WHOLE:
        product = whole * factor
        floor, rest = product >> 10, product & (WHOLE - 1)
        half = WHOLE // 2
        whole = floor + ((rest > half) | ((rest == half) & (floor & 1 == 1)))
    return Group(group.weight, INT64, whole.astype(DTYPES[INT64]).data.cast("B"))


def view(group: Group) -> Vector:
    """Gives the elements of a group without a copy: flat, read-only, little-endian."""
    return np.frombuffer(group.data, DTYPES[group.tag])


def extremes(elements: Vector) -> tuple[float, float]:
    """Gives the least and the greatest element; both NaN where one is, whole numbers exactly, (0, 0) for none.

    Two passes at more than 10 GB/s: what every screen wants to know of the elements is told by these two.
    """
    if not elements.size:
        return 0, 0
    return np.minimum.reduce(elements).item(), np.maximum.reduce(elements).item()


def mean(partial: Partial, layout: Layout, scale: int) -> dict[str, NDArray[np.float64]]:
    """Gives the weighted mean of the deltas: tensor name to float64 array in the tensor's shape.

    Each element is the quotient of two numbers that float64 holds exactly, rounded once. Raises PeerFault("no_usable_updates")
    where nothing has merged or a weight is zero: the model is to be kept as it is.
    """
    found: dict[str, NDArray[np.float64]] = {}
    for name, tensors in layout.groups.items():
        group = partial.groups.get(name)
        if group is None or group.weight <= 0:
            raise PeerFault("no_usable_updates", f"group {name} has no weight")
        if group.tag == FLOAT32:
            raise MisuseFault(f"group {name} is an update that was never lifted")
        sums, at = view(group), 0
        for tensor in tensors:
            part = sums[at : at + tensor.size].reshape(tensor.shape)
            found[tensor.name] = np.true_divide(part, _factor(group.weight, scale), dtype=np.float64)
            at += tensor.size
    return found


class Fold:
    """A running sum of partials. What has been added can be taken out again, and then it was never there.

    Takes 8 bytes an element and a chunk or two beside the partial that is being added: three times a float32 model in all.
    """

    def __init__(self, sizes: Mapping[str, int], scale: int, total: int = EXACT) -> None:
        """`sizes`: elements of each group (`Layout.sizes()`); none for a phase that only measures. `total`: of all weights."""
        self._sums = {name: _Sum(size) for name, size in sorted(sizes.items())}
        self._scale = scale
        self._total = total
        self._leaves: dict[Leaf, int] = {}  # to the number of partials that say so: two may know why a device is missing
        self._merged: set[str] = set()
        self._blended = 0  # partials that are in the sums without their leaves
        self._metrics: dict[str, tuple[int, int]] = {}  # name to sum and number of partials that have it

    @property
    def merged(self) -> frozenset[str]:
        """The devices whose updates are in the sums."""
        return frozenset(self._merged)

    def check(self, partial: Partial) -> None:
        """Makes sure that `add` takes the partial; changes nothing.

        Raises PeerFault: "duplicate_leaf" where a device has merged already, "shape" where the groups are not this fold's,
        "weight_over_cap" where the weights would pass the total, "bad_metric" where the metrics would no longer fit the wire.
        """
        merged = partial.merged
        if not self._merged.isdisjoint(merged):
            twice = sorted(self._merged.intersection(merged))
            raise PeerFault("duplicate_leaf", f"{', '.join(twice[:3])} merged already")
        expected = {name: total.size for name, total in self._sums.items()} if merged else {}
        if {name: group.size for name, group in partial.groups.items()} != expected:
            raise PeerFault("shape", f"groups {sorted(partial.groups)}: not {sorted(expected)}, or not of their sizes")
        for name, group in partial.groups.items():
            if self._sums[name].weight + group.weight > self._total:
                raise PeerFault("weight_over_cap", f"group {name} would pass the round's total weight of {self._total}")
        if len(self._metrics.keys() | partial.metrics.keys()) > MAP:
            raise PeerFault("bad_metric", f"more than {MAP} names of metrics in one round")

    def add(self, partial: Partial) -> None:
        """Adds a partial that has passed the screens (folkmoot.serve.admission), lifting groups of float32.

        Raises PeerFault as `check` does, and then nothing has changed.
        """
        self.check(partial)
        for name, group in partial.groups.items():
            self._sums[name].add(group, self._scale)
        self._merged.update(partial.merged)
        self._count(partial, 1)

    def blend(self, partial: Partial) -> None:
        """Adds the sums and metrics of a partial whose leaves are of another Ask: they do not stand in the way of this one's.

        `partial` has no leaves. Raises PeerFault as `check_blend` does, and then nothing has changed.
        """
        self.check_blend(partial)
        for name, group in partial.groups.items():
            self._sums[name].add(group, self._scale)
        self._blended += 1
        self._count(partial, 1)

    def check_blend(self, partial: Partial, reserved: int = 0) -> None:
        """Makes sure that `blend` takes the partial, and leaves room for a weight of `reserved`; changes nothing.

        Raises PeerFault: "shape", "bad_metric" as `check` does, "weight_over_cap" where there is no such room.
        """
        if {name: group.size for name, group in partial.groups.items()} != {n: total.size for n, total in self._sums.items()}:
            raise PeerFault("shape", f"groups {sorted(partial.groups)}: not {sorted(self._sums)}, or not of their sizes")
        for name, group in partial.groups.items():
            if self._sums[name].weight + group.weight + reserved > self._total:
                raise PeerFault("weight_over_cap", f"group {name} would take the room of the round's own answers")
        if len(self._metrics.keys() | partial.metrics.keys()) > MAP:
            raise PeerFault("bad_metric", f"more than {MAP} names of metrics in one round")

    def retract(self, partial: Partial) -> None:
        """Takes a partial out again that was added before: to the bit as if it had never come.

        Raises MisuseFault where it is not in the sums.
        """
        if not self._merged.issuperset(partial.merged) or any(leaf not in self._leaves for leaf in partial.leaves):
            raise MisuseFault("a partial is retracted that is not in the sums")
        for name, group in partial.groups.items():
            self._sums[name].retract(group, self._scale)
        self._merged.difference_update(partial.merged)
        self._count(partial, -1)

    def unblend(self, partial: Partial) -> None:
        """Takes a partial out again that was blended in: to the bit as if it had never come.

        Raises MisuseFault where none is in the sums.
        """
        if not self._blended:
            raise MisuseFault("a partial is taken out that was not blended in")
        for name, group in partial.groups.items():
            self._sums[name].retract(group, self._scale)
        self._blended -= 1
        self._count(partial, -1)

    def partial(self) -> Partial:
        """Gives the sums as they travel on: every group in the narrowest integers that hold it, leaves sorted by device.

        With nothing merged there are no groups.
        """
        ranked = sorted(self._leaves, key=attrgetter("device", "fate", "note"))
        return Partial(
            groups={name: total.group() for name, total in self._sums.items()} if self._merged or self._blended else {},
            # Of several words about one device the first holds, and "" (merged) is the first of all.
            leaves=tuple(next(told) for _, told in groupby(ranked, key=attrgetter("device"))),
            metrics={name: self._metrics[name][0] for name in sorted(self._metrics)},
        )

    def _count(self, partial: Partial, times: int) -> None:
        for leaf in partial.leaves:
            self._leaves[leaf] = self._leaves.get(leaf, 0) + times
            if not self._leaves[leaf]:
                del self._leaves[leaf]
        for name, value in partial.metrics.items():
            total, having = self._metrics.get(name, (0, 0))
            self._metrics[name] = (total + times * value, having + times)
            if not self._metrics[name][1]:
                del self._metrics[name]


class _Sum:
    """The sums of one group."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.weight = 0
        self._array = np.zeros(size)  # the system gives the memory when it is first written

    def add(self, group: Group, scale: int) -> None:
        for sums, part in self._beside(group, scale):
            np.add(sums, part, out=sums)
        self.weight += group.weight

    def retract(self, group: Group, scale: int) -> None:
        for sums, part in self._beside(group, scale):
            np.subtract(sums, part, out=sums)
        self.weight -= group.weight

    def _beside(self, group: Group, scale: int) -> Iterator[tuple[Sums, Sums]]:
        """Gives our sums and the group's integers side by side, a chunk at a time; each pair is good until the next."""
        elements = view(group)
        factor = _factor(group.weight, scale)
        room = np.empty(min(CHUNK, self.size))
        for at in range(0, self.size, CHUNK):
            sums = self._array[at : at + CHUNK]
            part = room[: sums.size]
            if group.tag == FLOAT32:
                _lift(elements[at : at + CHUNK], factor, part)
            else:
                part[:] = elements[at : at + CHUNK]
            yield sums, part

    def group(self) -> Group:
        """Gives the sums as they travel."""
        least, most = extremes(self._array)
        bits = next(bits for bits in _INTEGERS if -(1 << bits - 1) <= least and most < 1 << bits - 1)
        tag = _INTEGERS[bits]
        return Group(self.weight, tag, self._array.astype(DTYPES[tag]).data.cast("B"))


def _factor(weight: int, scale: int) -> float:
    """Gives weight * 2^scale, exact for every weight up to 2^53."""
    return ldexp(float(weight), scale)


def _lift(deltas: Vector, factor: float, out: Sums) -> Sums:
    out[:] = deltas
    np.multiply(out, factor, out=out)
    return np.rint(out, out=out)
