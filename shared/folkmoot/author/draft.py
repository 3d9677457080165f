"""What a person writes to make a task: an ordinary Keras model, a loss, and what an example looks like."""

from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from folkmoot.wire.bundle import Contract
from folkmoot.wire.messages import Plan

PerExample = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""(y as the contract has it, output of the model), both with the batch in front, to one float32 for each example."""


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
    loss: PerExample
    correct: PerExample | None = None  # 1.0 where the output is right, 0.0 where not; None: there is no such thing
    contract: Contract
    batch: int = 16
    plan: Plan = field(default_factory=Plan)
    representative: NDArray[np.float32] | None = None  # [N, *x_shape]: examples by whose range int8 inference is scaled
