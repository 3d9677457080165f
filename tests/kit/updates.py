"""Layouts, updates of devices and the gateways that merge them, for tests."""

from collections.abc import Iterable

import numpy as np

from folkmoot.parts import Fold
from folkmoot.wire import codec, partial
from folkmoot.wire.layout import Layout, Tensor
from folkmoot.wire.partial import Group, Leaf, Partial

SCALE = 22

# Two groups, both roles that are shared and both that are not, a scalar, and a group whose tensors are not neighbours.
LAYOUT = Layout(
    (
        Tensor("conv/kernel", (3, 3, 2)),
        Tensor("dense/bias", (5,)),
        Tensor("embedding", (4, 2), role="frozen"),
        Tensor("head", (2,), role="local"),
        Tensor("norm/mean", (7,), role="averaged", group="norm"),
        Tensor("norm/scale", (), group="norm"),
        Tensor("output", (5, 2)),
    )
)
ROLES = {tensor.name: tensor.role for tensor in LAYOUT.tensors}


def update(device: str, seed: int, *, layout: Layout = LAYOUT, spread: float = 0.5, weight: int | None = None) -> Partial:
    """Gives what a device sends: float32 deltas that no two seeds share, with a weight for each group."""
    rng = np.random.default_rng(seed)
    groups = {
        name: Group(
            int(rng.integers(1, 500)) if weight is None else weight,
            codec.FLOAT32,
            (rng.standard_normal(size) * spread).astype("<f4").tobytes(),
        )
        for name, size in layout.sizes().items()
    }
    metrics = {"loss_u20": int(rng.integers(0, 1 << 40)), "correct": int(rng.integers(0, 500))}
    return Partial(groups=groups, leaves=(Leaf(device, "", rng.bytes(3)),), metrics=metrics)


def merged(partials: Iterable[Partial], *, layout: Layout = LAYOUT, scale: int = SCALE) -> Partial:
    """Gives what a gateway sends that has merged these, as its upper end reads it."""
    fold = Fold(layout.sizes(), scale)
    for each in partials:
        fold.add(each)
    return partial.load(partial.dump(fold.partial()), limit=1 << 20)


def weights(seed: int = 0, *, layout: Layout = LAYOUT) -> dict[str, np.ndarray]:
    """Gives a model's weights."""
    rng = np.random.default_rng(seed)
    return {tensor.name: rng.standard_normal(tensor.shape).astype(tensor.dtype) for tensor in layout.tensors}
