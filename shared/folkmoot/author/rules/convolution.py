"""Convolutions. The axes of a kernel are those of the window, then the channels that come in, then those that come out."""

import keras
import numpy as np

from folkmoot.author.channels import Step, moved, rule_for, weights, whole
from folkmoot.author.units import Axis, Signal, Units, held

layers = keras.layers


@rule_for(layers.Conv1D, layers.Conv2D, layers.Conv3D)
def _convolution(units: Units, layer: keras.Layer, x: Signal) -> Step:
    out = units.open(layer.filters)
    groups, inner = _grouped(units, layer.groups, x.last, out) if layer.groups > 1 else (held(1), x.last)
    held_by = weights(layer, kernel=(*whole(layer.kernel_size), inner, out), bias=(out,))
    return Step(out=moved(units, layer, x, out), weights=held_by, settings={"filters": out, "groups": groups})


def _grouped(units: Units, count: int, x: Axis, out: Axis) -> tuple[Axis, Axis]:
    """Gives the groups, and the channels of each that come in: with fewer, all groups must still be of one size."""
    blocks = [axis.reshape(count, -1) for axis in (x, out)]
    if units.free(x) and all(count >= block.shape[1] for block in blocks):  # whole groups go: there are more to choose from
        groups, others = (units.split(block, 0) for block in blocks)
        units.join(groups, others)
        return groups, held(blocks[0].shape[1])
    inner, _ = (units.split(block, 1) for block in blocks)
    return held(count), inner


@rule_for(layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
def _transposed(units: Units, layer: keras.Layer, x: Signal) -> Step:
    out = units.open(layer.filters)
    held_by = weights(layer, kernel=(*whole(layer.kernel_size), out, x.last), bias=(out,))  # out before in
    return Step(out=moved(units, layer, x, out), weights=held_by, settings={"filters": out})


@rule_for(layers.SeparableConv1D, layers.SeparableConv2D)
def _separable(units: Units, layer: keras.Layer, x: Signal) -> Step:
    out, times = units.open(layer.filters), layer.depth_multiplier
    held_by = weights(
        layer,
        depthwise_kernel=(*whole(layer.kernel_size), x.last, held(times)),
        pointwise_kernel=(*whole([1] * len(layer.kernel_size)), np.repeat(x.last, times), out),
        bias=(out,),
    )
    return Step(out=moved(units, layer, x, out), weights=held_by, settings={"filters": out})


@rule_for(layers.DepthwiseConv1D, layers.DepthwiseConv2D)
def _depthwise(units: Units, layer: keras.Layer, x: Signal) -> Step:
    """Channel c becomes `times` of them, from times * c on. Some of these go only where no channel goes that comes in."""
    times = units.open(layer.depth_multiplier)
    if units.free(x.last):
        units.hold(times)
        out = np.repeat(x.last, len(times))
    else:
        out = np.tile(times, len(x.last))
    held_by = weights(layer, kernel=(*whole(layer.kernel_size), x.last, times), bias=(out,))
    return Step(out=moved(units, layer, x, out), weights=held_by, settings={"depth_multiplier": times})
