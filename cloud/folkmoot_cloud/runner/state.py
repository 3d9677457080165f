"""A server optimiser's state as bytes: deterministic CBOR of named arrays."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from folkmoot.wire import codec

LIMIT = 1 << 30  # bytes: three moments of the largest model that a bundle can hold
DEPTH = 10_000  # tensors


class _Array(msgspec.Struct, frozen=True):
    dtype: str
    shape: tuple[int, ...]
    content: bytes


def dump(state: Mapping[str, Any]) -> bytes | None:
    """Gives the bytes, or None for a strategy that has no state."""
    if not state:
        return None
    arrays = {name: np.ascontiguousarray(array) for name, array in state.items()}
    return codec.dump(
        {
            name: _Array(array.dtype.name, np.shape(state[name]), array.astype(array.dtype.newbyteorder("<")).tobytes())
            for name, array in arrays.items()
        }
    )


def load(content: bytes | None) -> dict[str, Any]:
    """Gives the arrays. Raises PeerFault where the bytes are not such a state."""
    if content is None:
        return {}
    found = codec.load(content, dict[str, _Array], limit=LIMIT, entries=DEPTH)
    return {
        name: np.frombuffer(one.content, np.dtype(one.dtype).newbyteorder("<")).reshape(one.shape)
        for name, one in found.items()
    }
