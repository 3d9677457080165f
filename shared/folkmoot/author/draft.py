"""What a person writes to make a task: an ordinary Keras model, a loss, an optimiser, and what an example looks like."""

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from folkmoot.author.losses import Loss, Metrics
from folkmoot.wire.bundle import Contract
from folkmoot.wire.messages import Plan

WIDTHS = (1 / 2, 1 / 4, 1 / 8, 1 / 16)
"""HeteroFL's levels below the full width (Diao, Ding, Tarokh, ICLR 2021)."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A task before it is compiled.

    The function that `folkmoot author MODULE:FUNCTION` names gives one. It is called in a fresh process with every seed of
    Keras set, so that the same draft has the same initial weights.
    """

    task: str  # its name: folkmoot.ids.NAME
    version: str
    title: str = ""
    model: keras.Model  # one input, one output; the batch dimension is open
    loss: Loss  # a name or an object of keras.losses, or (y, output) -> [B]
    metrics: Metrics = ()  # names of keras.metrics, or {name: (y, output) -> [B]}
    optimizer: keras.optimizers.Optimizer | None = None  # None: plain SGD
    contract: Contract
    batch: int = 16
    plan: Plan | None = None  # None: one epoch at the optimiser's learning rate
    representative: NDArray[np.generic] | None = None  # [N, *x_shape]: examples by whose range int8 inference is scaled
    features: str = ""  # name of the layer whose output the signature `features` gives
    local: tuple[str, ...] = ()  # names of layers whose weights stay on their device
    widths: tuple[float, ...] = ()  # rates of the narrower levels that the bundle has beside the full model, such as WIDTHS
