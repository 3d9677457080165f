"""The seam of compression: how a device's update becomes bytes for the way up, and numbers again where it is first merged.

A transform is a value of pure functions; its randomness comes from a seed that it is handed. A module in
`folkmoot/transforms/` that has `Options` and `make` is a transform by the name of its file. The training process encodes; the
upper end decodes before it judges, so that screens, sums and strategies know of float32 alone.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal, Protocol


class Transform(Protocol):
    """A way of encoding one group of an update."""

    keeps: ClassVar[Literal["exact", "mean"]]
    """exact: what is decoded is what was encoded, to the bit; mean: so it is on the average over all seeds (unbiased)."""

    def encode(self, tensors: Iterable[Any], seed: int) -> bytes:
        """Gives the bytes of a group; the same tensors and the same seed always give the same.

        `tensors`: the group's, flat float32 arrays in the layout's order, each looked at once; every element is finite. Raises
        MisuseFault for one that is not.
        """
        ...

    def decode(self, data: bytes | memoryview, sizes: Sequence[int]) -> Any:
        """Gives the group as one flat float32 array, little-endian, that owns its memory; no element is NaN or infinity.

        `sizes`: the tensors' numbers of elements. Raises PeerFault("malformed") for bytes that `encode` makes of no such
        tensors.
        """
        ...
