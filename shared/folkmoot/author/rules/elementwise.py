"""What works on each element for itself, or on elements that meet."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from folkmoot.author.channels import Step, index, rule_for, whole
from folkmoot.author.units import Signal, Units, held

layers = keras.layers


@rule_for(layers.Activation, layers.ReLU, layers.LeakyReLU, layers.ELU, layers.Softmax, layers.Identity, layers.Masking)
@rule_for(layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D, layers.AlphaDropout)
@rule_for(layers.GaussianDropout, layers.GaussianNoise, layers.ActivityRegularization, layers.UnitNormalization)
@rule_for("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Gelu", "Sigmoid", "HardSigmoid", "Silu", "HardSilu", "Tanh", "Softplus")
@rule_for("Softsign", "Softmax", "Negative", "Exp", "Log", "Sqrt", "Rsqrt", "Square", "Absolute", "Abs", "Identity")
def _same(units: Units, layer: keras.Operation, x: Signal) -> Step:
    return Step(out=x)


@rule_for(layers.Rescaling)
def _rescaling(units: Units, layer: keras.Layer, x: Signal) -> Step:
    if np.ndim(layer.scale) or np.ndim(layer.offset):  # one for each channel
        units.hold(*x.axes)
    return Step(out=x)


@rule_for(layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum)
def _merge(units: Units, layer: keras.Layer, xs: Sequence[Signal]) -> Step:
    return Step(out=units.merge(xs))


@rule_for("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum")
def _arithmetic(units: Units, operation: keras.Operation, *xs: Any) -> Step:
    return Step(out=units.merge([x if isinstance(x, Signal) else Signal(whole(np.shape(x))) for x in xs]))


@rule_for(layers.Dot)
def _dot(units: Units, layer: keras.Layer, xs: Sequence[Signal]) -> Step:
    numbers = [layer.axes] * 2 if isinstance(layer.axes, int) else layer.axes
    summed = [index(x, number) for x, number in zip(xs, numbers, strict=True)]
    units.join(*(x.axes[i] for x, i in zip(xs, summed, strict=True)))
    left = [axis for x, gone in zip(xs, summed, strict=True) for i, axis in enumerate(x.axes) if i != gone]
    return Step(out=Signal(tuple(left or [held(1)])))
