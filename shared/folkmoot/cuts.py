"""Width levels: what a narrower model keeps of the full model's tensors, and the way back.

HeteroFL (Diao, Ding, Tarokh, "HeteroFL: Computation and Communication Efficient Federated Learning for Heterogeneous Clients",
ICLR 2021) trains weak devices on the first channels of every layer, and averages each element of the full model over the
devices that have it:

    for every level:   num[cut] += sums of the level     den[cut] += weight of the level
    new = where(den > 0, num / den, old)

A cut says which indices of each axis a level has, as runs: after a Flatten the channels that stay are no prefix. Nothing here
knows which indices those are; folkmoot.author.widths finds them, and they come with the program.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from folkmoot import arrays
from folkmoot.arrays import Array, Params
from folkmoot.errors import PeerFault
from folkmoot.wire.bundle import Cut, Run
from folkmoot.wire.layout import Layout, Tensor

Index = tuple[slice, ...] | tuple[NDArray[np.intp], ...]
"""What numpy takes in brackets."""


def runs(kept: NDArray[np.intp]) -> tuple[Run, ...]:
    """Gives indices in ascending order as the fewest runs: 0, 1, 2, 8, 9 as ((0, 3), (8, 10))."""
    gaps = np.flatnonzero(np.diff(kept) != 1) + 1
    return tuple((int(part[0]), int(part[-1]) + 1) for part in np.split(kept, gaps) if len(part))


def narrow(block: bytes | memoryview, full: Layout, level: Layout, cuts: Mapping[str, Cut]) -> bytes:
    """Gives a level's block of weights: of each tensor in `full`, what its cut keeps.

    Raises PeerFault("layout") where the block is not the full layout's, or a cut does not make a level's tensor.
    """
    held = arrays.unpack(full, block)
    places = _places({tensor.name: tensor.shape for tensor in level.tensors}, full, cuts)
    return arrays.pack(level, {name: held[name][place] for name, place in places.items()})


def spread(values: Params, full: Layout, cuts: Mapping[str, Cut], into: Mapping[str, Array]) -> None:
    """Adds a level's tensors where they belong in the full ones: `into[name][cut] += values[name]`.

    `values`: some or all of a level's tensors, in its shapes; for a weight that is the same everywhere,
    `np.broadcast_to(weight, shape)` costs no memory. `into`: writable arrays in the shapes of `full`, of a dtype that holds the
    sums. Several levels go into the same arrays one after the other. Raises PeerFault("layout") where shapes do not fit, and
    then nothing has changed.
    """
    places = _places({name: value.shape for name, value in values.items()}, full, cuts)
    shapes = {tensor.name: tensor.shape for tensor in full.tensors}
    for name in places:
        if name not in into or into[name].shape != shapes[name]:
            raise PeerFault("layout", f"there is no {name} of shape {shapes[name]} to add to")
    for name, place in places.items():
        whole = into[name]
        whole[place] = np.add(whole[place], values[name], dtype=whole.dtype)


def _places(shapes: Mapping[str, tuple[int, ...]], full: Layout, cuts: Mapping[str, Cut]) -> dict[str, Index]:
    """Gives where tensors of these shapes lie in the full ones."""
    whole = {tensor.name: tensor for tensor in full.tensors}
    found: dict[str, Index] = {}
    for name, shape in shapes.items():
        if name not in whole or name not in cuts:
            raise PeerFault("layout", f"{name} is no tensor of the full model, or is not cut")
        found[name] = _place(cuts[name], whole[name], shape)
    return found


def _place(cut: Cut, whole: Tensor, shape: tuple[int, ...]) -> Index:
    """Gives the index of a cut: slices where they suffice, for they copy nothing."""
    if len(cut) != len(whole.shape) or tuple(sum(stop - start for start, stop in axis) for axis in cut) != shape:
        raise PeerFault("layout", f"what is kept of {whole.name} does not have the shape {shape}")
    for axis, size in zip(cut, whole.shape, strict=True):
        edges = [0, *(edge for run in axis for edge in run), size]
        if not axis or edges != sorted(edges):
            raise PeerFault("layout", f"what is kept of {whole.name} lies outside of it, or is out of order")
    if all(len(axis) == 1 for axis in cut):
        return tuple(slice(*axis[0]) for axis in cut)
    return np.ix_(*(np.concatenate([np.arange(*run, dtype=np.intp) for run in axis]) for axis in cut))
