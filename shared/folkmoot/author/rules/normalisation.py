"""Layers that have a weight for each channel of another layer."""

import keras

from folkmoot.author.channels import Step, numbered, rule_for, weights
from folkmoot.author.units import Signal, Units, held

layers = keras.layers


@rule_for(layers.BatchNormalization)
def _batch(units: Units, layer: keras.Layer, x: Signal) -> Step:
    along = numbered(x, layer.axis)
    return Step(out=x, weights=weights(layer, gamma=along, beta=along, moving_mean=along, moving_variance=along))


@rule_for(layers.LayerNormalization)
def _layer(units: Units, layer: keras.Layer, x: Signal) -> Step:
    along = numbered(x, layer.axis)
    return Step(out=x, weights=weights(layer, gamma=along, beta=along))


@rule_for(layers.RMSNormalization)
def _root_mean_square(units: Units, layer: keras.Layer, x: Signal) -> Step:
    return Step(out=x, weights=weights(layer, scale=numbered(x, layer.axis)))


@rule_for(layers.GroupNormalization)
def _group(units: Units, layer: keras.Layer, x: Signal) -> Step:
    along = numbered(x, layer.axis)
    block = along[0].reshape(layer.groups, -1)
    if block.shape[0] >= block.shape[1]:  # whole groups go: there are more to choose from
        groups = units.split(block, 0)
    else:
        units.split(block, 1)
        groups = held(layer.groups)
    return Step(out=x, weights=weights(layer, gamma=along, beta=along), settings={"groups": groups})


@rule_for(layers.PReLU)
def _prelu(units: Units, layer: keras.Layer, x: Signal) -> Step:
    shared = layer.shared_axes or ()
    return Step(
        out=x, weights=weights(layer, alpha=tuple(held(1) if i in shared else axis for i, axis in enumerate(x.axes, 1)))
    )
