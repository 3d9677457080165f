"""Attention: queries meet keys in the channels that both have; what comes out has the channels of the values."""

from collections.abc import Sequence

import keras

from folkmoot.author.channels import Step, rule_for, weights, whole
from folkmoot.author.units import Signal, Units, held

layers = keras.layers


@rule_for(layers.MultiHeadAttention)
def _heads(
    units: Units,
    layer: keras.Layer,
    query: Signal,
    value: Signal,
    key: Signal | None = None,
    attention_mask: Signal | None = None,
    use_causal_mask: bool = False,
) -> Step:
    """Every head stays, with fewer channels. Scores are divided by the root of as many as there are, in each level its own."""
    key = key or value
    units.hold(*(axis for x in (query, key, value) for axis in x.axes[:-1]))
    units.hold(*(attention_mask.axes if isinstance(attention_mask, Signal) else ()))
    heads, keys, values = held(layer.num_heads), units.open(layer.key_dim), units.open(layer.value_dim)
    *outer, last = layer.get_config()["output_shape"] or query.shape[-1:]
    out = (*whole(outer), units.open(last))
    held_by = [
        *weights(layer.query_dense, kernel=(query.last, heads, keys), bias=(heads, keys)),
        *weights(layer.key_dense, kernel=(key.last, heads, keys), bias=(heads, keys)),
        *weights(layer.value_dense, kernel=(value.last, heads, values), bias=(heads, values)),
        *weights(layer.output_dense, kernel=(heads, values, *out), bias=out),
    ]
    settings = {"key_dim": keys, "value_dim": values, "output_shape": out}
    return Step(out=Signal((*query.axes[:-1], *out)), weights=held_by, settings=settings)


@rule_for(layers.Attention, layers.AdditiveAttention)
def _attention(units: Units, layer: keras.Layer, xs: Sequence[Signal], use_causal_mask: bool = False) -> Step:
    query, value, key = (*xs, xs[1])[:3]
    units.join(query.last, key.last)
    units.hold(*(axis for x in (query, value, key) for axis in x.axes[:-1]))
    scale = weights(layer, scale=(query.last,)) if isinstance(layer, layers.AdditiveAttention) else ()
    return Step(out=query.ending(value.last), weights=scale)
