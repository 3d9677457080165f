"""Recurrent layers. Along the last axis of their weights lie the gates, one block of all units behind the other."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from folkmoot.author.channels import Step, apply, lost, rule_for, weights, whole
from folkmoot.author.units import Signal, Units

layers = keras.layers

GATES: Mapping[type, int] = {layers.SimpleRNN: 1, layers.GRU: 3, layers.LSTM: 4}


@rule_for(*GATES)
def _recurrent(units: Units, layer: keras.Layer, x: Signal, initial_state: Any = None) -> Step:
    units.hold(x.axes[0])
    out = units.open(layer.units)
    for state in keras.tree.flatten(initial_state) if initial_state is not None else ():
        units.join(state.last, out)
    gates = np.tile(out, GATES[type(layer)])
    held_by = weights(layer.cell, kernel=(x.last, gates), recurrent_kernel=(out, gates))
    if layer.use_bias:  # of a GRU with reset_after it has two rows
        held_by += weights(layer.cell, bias=(*whole(layer.cell.bias.shape[:-1]), gates))
    found = [x.ending(out) if layer.return_sequences else Signal((out,))]
    if layer.return_state:
        found += [Signal((out,)) for _ in keras.tree.flatten(layer.cell.state_size)]
    return Step(out=found if layer.return_state else found[0], weights=held_by, settings={"units": out})


@rule_for(layers.Bidirectional)
def _bidirectional(units: Units, layer: keras.Layer, x: Signal) -> Step:
    inner = (layer.forward_layer, layer.backward_layer)
    if any(type(one) not in GATES for one in inner) or inner[0].units != inner[1].units:
        raise lost(layer)
    ways = [apply(units, one, x) for one in inner]
    units.join(*(way.settings["units"] for way in ways))  # Keras takes the output for twice as long as one of them
    (ahead, *states), (back, *others) = (keras.tree.flatten(way.out) for way in ways)
    if layer.merge_mode == "concat":
        merged = [units.concatenate([ahead, back], len(ahead.axes) - 1)]
    else:
        merged = [units.merge([ahead, back])] if layer.merge_mode else [ahead, back]
    found = [*merged, *states, *others]
    return Step(
        out=found if len(found) > 1 else found[0],
        weights=[*ways[0].weights, *ways[1].weights],
        settings={"layer": ways[0].settings, "backward_layer": ways[1].settings},
    )
