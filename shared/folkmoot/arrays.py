"""Weights as numpy arrays and as one flat little-endian block, sorted by name."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from folkmoot.errors import PeerFault
from folkmoot.wire.layout import Layout

Array = NDArray[np.generic]
Params = Mapping[str, Array]
"""Tensor name to array, with the shapes and dtypes of a Layout."""


def unpack(layout: Layout, block: bytes | memoryview) -> dict[str, Array]:
    """Gives read-only views into `block`, one per tensor, without a copy.

    Raises PeerFault("layout") where the block's length is not the layout's.
    """
    if len(block) != layout.nbytes:
        raise PeerFault("layout", f"a block of {len(block)} bytes; the layout has {layout.nbytes}")
    found: dict[str, Array] = {}
    at = 0
    for tensor in layout.tensors:
        found[tensor.name] = np.frombuffer(block, _little(tensor.dtype), tensor.size, at).reshape(tensor.shape)
        at += tensor.nbytes
    return found


def pack(layout: Layout, params: Params) -> bytes:
    """Gives the block that holds `params`: canonical, so that equal weights have equal digests.

    Raises PeerFault("layout") where a tensor is missing, unknown, or has another shape or dtype.
    """
    if params.keys() != {tensor.name for tensor in layout.tensors}:
        raise PeerFault("layout", f"tensors {sorted(params)} do not match the layout")
    parts: list[bytes] = []
    for tensor in layout.tensors:
        array = params[tensor.name]
        if array.shape != tensor.shape or array.dtype.name != tensor.dtype:
            raise PeerFault("layout", f"{tensor.name} is {array.dtype.name}{array.shape}, not {tensor.dtype}{tensor.shape}")
        parts.append(np.ascontiguousarray(array, _little(tensor.dtype)).tobytes())
    return b"".join(parts)


@cache
def _little(name: str) -> "np.dtype[Any]":
    return np.dtype(name).newbyteorder("<")


def moved(weights: Array, step: NDArray[np.float64]) -> Array:
    """Gives `weights + step` in the dtype of `weights`: added in float64 and rounded once, whole numbers to the nearest."""
    sums = weights.astype(np.float64) + step
    if weights.dtype.kind in "iu":
        limits = np.iinfo(weights.dtype.name)
        sums = np.clip(np.rint(sums), limits.min, limits.max)
    return sums.astype(weights.dtype)
