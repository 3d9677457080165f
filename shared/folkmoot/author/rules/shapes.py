"""What moves elements, drops some, or takes several together."""

from collections.abc import Sequence
from types import EllipsisType
from typing import Any

import keras

from folkmoot.author.channels import Step, index, lost, moved, numbered, rule_for
from folkmoot.author.units import Signal, Units, held

layers = keras.layers


@rule_for(layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D, layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D)
@rule_for(layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D, layers.GlobalMaxPooling3D)
@rule_for(layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D, layers.RepeatVector)
@rule_for(layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D, layers.Cropping1D, layers.Cropping2D)
@rule_for(layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D, layers.Cropping3D)
def _moved(units: Units, layer: keras.Layer, x: Signal) -> Step:
    return Step(out=moved(units, layer, x, x.last))


@rule_for(layers.Flatten)
def _flatten(units: Units, layer: keras.Layer, x: Signal) -> Step:
    return Step(out=units.reshape(x, layer.compute_output_shape((1, *x.shape))[1:]))


@rule_for(layers.Reshape)
def _reshape(units: Units, layer: keras.Layer, x: Signal) -> Step:
    out = units.reshape(x, layer.compute_output_shape((1, *x.shape))[1:])
    return Step(out=out, settings={"target_shape": out.axes})


@rule_for(layers.Permute)
def _permute(units: Units, layer: keras.Layer, x: Signal) -> Step:
    return Step(out=Signal(numbered(x, layer.dims)))


@rule_for(layers.Concatenate, "Concatenate")
def _concatenate(units: Units, layer: keras.Operation, xs: Sequence[Signal]) -> Step:
    along = index(xs[0], layer.axis)
    if along == -1:
        raise lost(layer)
    return Step(out=units.concatenate(xs, along))


@rule_for("GetItem")
def _slice(units: Units, operation: keras.Operation, x: Signal, key: Any) -> Step:
    """Slices, numbers, new axes and one ellipsis; an axis of which a part is taken stays whole."""
    parts = list(key) if isinstance(key, tuple) else [key]
    if not all(part is None or isinstance(part, int | slice | EllipsisType) for part in parts):
        raise lost(operation)
    at = parts.index(...) if ... in parts else len(parts)
    taken = sum(isinstance(part, int | slice) for part in parts)
    batch, *parts = [*parts[:at], *[slice(None)] * (1 + len(x.axes) - taken), *parts[at + 1 :]]
    if batch != slice(None):
        raise lost(operation)
    axes, found = iter(x.axes), []
    for part in parts:
        axis = held(1) if part is None else next(axes)
        if part not in (None, slice(None)):
            units.hold(axis)
        if not isinstance(part, int):
            found.append(axis[part] if isinstance(part, slice) else axis)
    return Step(out=Signal(tuple(found)))


@rule_for("Pad")
def _padded(units: Units, operation: keras.Operation, x: Signal) -> Step:
    batch, *pads = operation.pad_width
    if any(batch):
        raise lost(operation)
    units.hold(*(axis for axis, pad in zip(x.axes, pads, strict=True) if any(pad)))
    return Step(out=Signal(tuple(held(sum(pad) + len(a)) if any(pad) else a for a, pad in zip(x.axes, pads, strict=True))))


@rule_for("Mean", "Sum", "Max", "Min")
def _reduced(units: Units, operation: keras.Operation, x: Signal) -> Step:
    numbers = [operation.axis] if isinstance(operation.axis, int) else operation.axis or [0]  # None is all
    gone = {index(x, number) for number in numbers}
    if -1 in gone:
        raise lost(operation)
    kept = [(held(1) if i in gone else axis) for i, axis in enumerate(x.axes) if i not in gone or operation.keepdims]
    return Step(out=Signal(tuple(kept)))
