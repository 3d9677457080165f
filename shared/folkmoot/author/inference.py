"""Models that only infer, for any TFLite runtime: one example in, one output out."""

from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from folkmoot import arrays, graft
from folkmoot.arrays import Array
from folkmoot.author import converter, flatbuffer, layers, tensors
from folkmoot.author.draft import Draft
from folkmoot.author.operator import STAND_INS, translated
from folkmoot.author.signatures import Function, concrete
from folkmoot.author.tensors import Variable
from folkmoot.errors import UserFault
from folkmoot.wire.bundle import Graft

NAME = "serving_default"  # of the only signature: what TensorFlow calls it, so that interpreters take it without asking
SHARED = ("trained", "averaged")  # roles of what training can change


def in_float(draft: Draft, held: tuple[Variable, ...]) -> tuple[bytes, tuple[Graft, ...]]:
    """Gives float32 inference with the present weights, and where they lie in it, so that others can take their place."""
    layout, weights = tensors.layout(held), tensors.block(held)
    distinct = _distinct(held)
    try:
        tflite = converter.convert({NAME: _with_constants(draft, held, distinct)}, draft.model)
        grafts = graft.trace(tflite, layout, distinct)
    except UserFault:
        tflite, grafts = _unfolded(draft, held)
    return graft.apply(tflite, grafts, layout, weights), grafts


def in_int8(draft: Draft, held: tuple[Variable, ...], representative: Array) -> bytes:
    """Gives inference in integers of 8 bits, float32 at both ends, with the present weights and no others.

    `representative`: [N, *x_shape]; what is in it decides how finely each tensor is resolved.
    """

    def examples() -> Iterator[dict[str, Array]]:
        for example in representative:
            yield {"x": example[None]}

    def quantised(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = examples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]

    return converter.convert({NAME: _with_constants(draft, held, tensors.block(held))}, draft.model, change=quantised)


def _unfolded(draft: Draft, held: tuple[Variable, ...]) -> tuple[bytes, tuple[Graft, ...]]:
    """Gives inference for a model of which the converter folds weights into one another, a batch normalisation into a kernel.

    It cannot where it does not know them: they are inputs while it converts, and become constants afterwards. That costs a
    turn of each kernel for each example, and takes any weights.
    """
    specs = [tf.TensorSpec(variable.tensor.shape, tf.float32, name=f"w{i}") for i, variable in enumerate(held)]
    function = concrete(lambda x, *weights: _output(draft, held, weights, x), _example(draft), *specs)
    tflite = converter.convert({NAME: function}, draft.model)
    constants = {f"w{i}": variable.value.numpy().astype("<f4").tobytes() for i, variable in enumerate(held)}
    filled, offsets = flatbuffer.with_constants(tflite, constants)
    return filled, tuple(
        Graft(variable.tensor.name, offsets[f"w{i}"], tuple(range(len(variable.tensor.shape))))
        for i, variable in enumerate(held)
        if variable.tensor.role in SHARED
    )


def _with_constants(draft: Draft, held: tuple[Variable, ...], block: bytes) -> Function:
    """Gives inference with the weights of a block in it."""
    values = arrays.unpack(tensors.layout(held), block)
    weights = [values[variable.tensor.name] for variable in held]
    return concrete(lambda x: _output(draft, held, [tf.constant(value) for value in weights], x), _example(draft))


def _output(draft: Draft, held: tuple[Variable, ...], weights: Sequence[tf.Tensor], x: tf.Tensor) -> dict[str, tf.Tensor]:
    """Gives the model's output for `x` with `weights`, in the order of the layout, in the place of its own."""
    by_variable = {id(variable.value): weight for variable, weight in zip(held, weights, strict=True)}
    given = [(one, by_variable[id(one.value)]) for one in draft.model.variables if id(one.value) in by_variable]
    # With weights that are constants, a convolution is fastest as one, and can be quantised.
    kinds = STAND_INS.keys() - {"Conv2D"}
    with layers.traceable(draft.model), translated(kinds=kinds), keras.StatelessScope(state_mapping=given):
        return {"output": draft.model(x, training=False)}


def _example(draft: Draft) -> tf.TensorSpec:
    return tf.TensorSpec((1, *draft.contract.x_shape), draft.contract.x_dtype, name="x")


def _distinct(held: tuple[Variable, ...]) -> bytes:
    """Gives a block in which no two tensors that training can change are alike; the others are as they are."""
    rng = np.random.default_rng(0)
    values = {
        # Around 1 and never 0: a variance has to be positive.
        variable.tensor.name: rng.uniform(0.5, 1.5, variable.tensor.shape).astype(np.float32)
        if variable.tensor.role in SHARED
        else variable.value.numpy()
        for variable in held
    }
    return arrays.pack(tensors.layout(held), values)
