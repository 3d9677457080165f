"""Which tensors a task's weights consist of, and how they lie in one flat little-endian block."""

from math import prod
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from folkmoot.errors import PeerFault
from folkmoot.wire.messages import TensorName, Word

AXES = 32  # that a tensor may have: numpy 1 knows no more
GROUPS = 32  # that a layout, and with it a partial, may have
Role = Literal["trained", "averaged", "local", "frozen"]
# Bytes per element of the dtypes that may stand in a layout (numpy's names, always little-endian on the wire).
WIDTHS = {"float32": 4, "float16": 2, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1}


class Tensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One named tensor of a model."""

    name: TensorName
    shape: Annotated[tuple[Annotated[int, Meta(ge=1, le=1 << 28)], ...], Meta(max_length=AXES)]  # () for a scalar
    dtype: str = "float32"
    role: Role = "trained"  # trained: by the optimiser; averaged: merged only (batch norm); local, frozen: never sent
    group: Word = "main"  # tensors that share one weight when they merge

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the tensor takes in the flat block."""
        return self.size * WIDTHS[self.dtype]


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The tensors of one task, sorted by name: the order in which they lie in every block of weights."""

    tensors: tuple[Tensor, ...]

    def __post_init__(self) -> None:
        names = [tensor.name for tensor in self.tensors]
        if names != sorted(set(names)):
            raise PeerFault("layout", "tensor names must be unique and sorted")
        for tensor in self.tensors:
            if tensor.dtype not in WIDTHS:
                raise PeerFault("layout", f"{tensor.name} has dtype {tensor.dtype}; known are {', '.join(WIDTHS)}")
        if len({tensor.group for tensor in self.tensors}) > GROUPS:
            raise PeerFault("layout", f"more than {GROUPS} groups")

    @property
    def nbytes(self) -> int:
        """Bytes of a whole block of weights."""
        return sum(tensor.nbytes for tensor in self.tensors)

    @property
    def shared(self) -> tuple[Tensor, ...]:
        """The tensors that travel in updates: trained and averaged ones."""
        return tuple(tensor for tensor in self.tensors if tensor.role in ("trained", "averaged"))

    @property
    def groups(self) -> dict[str, tuple[Tensor, ...]]:
        """The shared tensors by group, groups sorted by name, tensors in layout order."""
        found: dict[str, list[Tensor]] = {}
        for tensor in self.shared:
            found.setdefault(tensor.group, []).append(tensor)
        return {name: tuple(found[name]) for name in sorted(found)}

    def sizes(self) -> dict[str, int]:
        """Gives the number of elements of each group's flat array."""
        return {name: sum(tensor.size for tensor in tensors) for name, tensors in self.groups.items()}
