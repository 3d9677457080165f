"""Layers that make channels of whatever they are given, and the layer that applies another one to each moment."""

import keras

from folkmoot.author.channels import Step, apply, rule_for, weights
from folkmoot.author.units import Signal, Units, held

layers = keras.layers


@rule_for(layers.Dense)
def _dense(units: Units, layer: keras.Layer, x: Signal) -> Step:
    out = units.open(layer.units)
    return Step(out=x.ending(out), weights=weights(layer, kernel=(x.last, out), bias=(out,)), settings={"units": out})


@rule_for(layers.Embedding)
def _embedding(units: Units, layer: keras.Layer, x: Signal) -> Step:
    units.hold(*x.axes)
    out = units.open(layer.output_dim)
    table = weights(layer, embeddings=(held(layer.input_dim), out))
    return Step(out=Signal((*x.axes, out)), weights=table, settings={"output_dim": out})


@rule_for(layers.TimeDistributed)
def _time_distributed(units: Units, layer: keras.Layer, x: Signal) -> Step:
    inner = apply(units, layer.layer, Signal(x.axes[1:]))
    return Step(out=Signal((x.axes[0], *inner.out.axes)), weights=inner.weights, settings={"layer": inner.settings})
