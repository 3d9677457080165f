"""What in a traced model no stock runtime can run, found before the converter and said in one sentence.

Operators that are known to have a builtin stand in KNOWN. One that is not there is tried: converted alone, with the shapes and
constants that it has, which takes a tenth of a second.
"""

import re
from collections.abc import Iterable

import keras
import tensorflow as tf
from tensorflow.lite.python.convert import ConverterError

from folkmoot.author import flatbuffer, layers
from folkmoot.author.flatbuffer import FLEX
from folkmoot.author.quiet import quiet
from folkmoot.errors import UserFault

# Operators of TensorFlow for which the converter has builtins (TensorFlow 2.18 to 2.21), whatever their shapes and attributes;
# those that reckon with shapes are constants by then, for all shapes are known.
KNOWN = frozenset(
    [
        "Abs",
        "Add",
        "AddN",
        "AddV2",
        "ArgMax",
        "AssignVariableOp",
        "AvgPool",
        "BatchMatMul",
        "BatchMatMulV2",
        "BiasAdd",
        "BiasAddGrad",
        "BroadcastGradientArgs",
        "BroadcastTo",
        "Cast",
        "Ceil",
        "ConcatOffset",
        "ConcatV2",
        "Const",
        "Conv2D",
        "Conv2DBackpropInput",
        "Cos",
        "DepthwiseConv2dNative",
        "Div",
        "Elu",
        "Equal",
        "Exp",
        "ExpandDims",
        "Expm1",
        "Fill",
        "Floor",
        "FloorDiv",
        "FloorMod",
        "GatherV2",
        "Greater",
        "GreaterEqual",
        "Identity",
        "IdentityN",
        "InvertPermutation",
        "LeakyRelu",
        "Less",
        "LessEqual",
        "Log",
        "LogSoftmax",
        "LogicalAnd",
        "LogicalNot",
        "LogicalOr",
        "MatMul",
        "Max",
        "MaxPool",
        "Maximum",
        "Mean",
        "Min",
        "Minimum",
        "MirrorPad",
        "Mul",
        "Neg",
        "NoOp",
        "NotEqual",
        "OneHot",
        "OnesLike",
        "Pack",
        "Pad",
        "PadV2",
        "Placeholder",
        "Pow",
        "Prod",
        "Range",
        "Rank",
        "ReadVariableOp",
        "RealDiv",
        "Reciprocal",
        "Relu",
        "Relu6",
        "Reshape",
        "ReverseV2",
        "Rsqrt",
        "Select",
        "SelectV2",
        "Shape",
        "ShapeN",
        "Sigmoid",
        "Sin",
        "Size",
        "Slice",
        "Softmax",
        "Split",
        "SplitV",
        "Sqrt",
        "Square",
        "SquaredDifference",
        "Squeeze",
        "StopGradient",
        "StridedSlice",
        "Sub",
        "Sum",
        "Tanh",
        "Tile",
        "Transpose",
        "Unpack",
        "VarHandleOp",
        "ZerosLike",
    ]
)

# What to use instead, where we can say it. Loops run on devices, but have no gradient there.
INSTEAD = {
    "While": "write the loop over a fixed number of steps in Python, or use keras.layers.RNN, which is unrolled",
    "StatelessWhile": "write the loop over a fixed number of steps in Python, or use keras.layers.RNN, which is unrolled",
    "If": "compute both sides and choose with keras.ops.where",
    "StatelessIf": "compute both sides and choose with keras.ops.where",
    "Svd": "compute it where the data is made and give the result as an input, or learn a Dense projection in its place",
    "Qr": "normalise with keras.layers.UnitNormalization, or learn a Dense projection in its place",
    "MatrixInverse": "learn a Dense projection in its place",
    "Cholesky": "learn a Dense projection in its place",
    "FFT": "compute spectra where the data is made, or multiply with a constant matrix of sines and cosines",
    "RFFT": "compute spectra where the data is made, or multiply with a constant matrix of sines and cosines",
    "Conv3D": "use Conv2D over the frames as channels",
    "CTCLoss": "label every step, and use sparse_categorical_crossentropy",
    "TopKV2": "use keras.ops.max, or a softmax",
    "Tan": "use keras.ops.sin(x) / keras.ops.cos(x)",
    "Erfinv": "use keras.ops.arctanh or a piecewise polynomial of keras.ops.where",
}
ELSE = "use a layer that does without it"


def check(function: tf.types.experimental.ConcreteFunction, model: keras.Model) -> None:
    """Raises UserFault where a traced function has operators without a builtin, each named with its layer."""
    foreign: dict[str, tf.Operation] = {}
    tried: dict[str, bool] = {}
    for op in _needed(function.graph):
        if op.type in INSTEAD or (op.type not in KNOWN and not _convertible(op, tried)):
            foreign.setdefault(op.type, op)
    if foreign:
        raise UserFault(sentence(foreign.items(), model))


def _needed(graph: tf.Graph) -> list[tf.Operation]:
    """Gives the operators that results or variables depend on, in the order of their making; others are not converted."""
    waiting = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    found: set[tf.Operation] = set()
    while waiting:
        op = waiting.pop()
        if op not in found:
            found.add(op)
            waiting += [tensor.op for tensor in op.inputs] + list(op.control_inputs)
    return [op for op in graph.get_operations() if op in found]


def sentence(foreign: Iterable[tuple[str, tf.Operation | None]], model: keras.Model) -> str:
    """Gives what to say of operators that cannot be had: their types, the first place of each, and what to do."""
    found = []
    for kind, op in foreign:
        where = f" in {place(op, model)}" if op is not None else ""
        found.append(f"{kind}{where} is an operator that no stock TFLite runtime can train: {INSTEAD.get(kind, ELSE)}")
    return "; ".join(found)


def place(op: tf.Operation, model: keras.Model) -> str:
    """Gives where an operator comes from: the innermost layer in its name, else the name itself."""
    names = {layer.name for layer in layers.within(model)}
    for scope in reversed(op.name.split("/")[:-1]):
        for name in (scope, re.sub(r"_\d+$", "", scope)):  # a layer's scope is numbered when it is called again
            if name in names:
                return f"layer {name}"
    return op.name


def _convertible(op: tf.Operation, tried: dict[str, bool]) -> bool:
    """Says whether the converter makes builtins of one operator, in a function of its own."""
    constants = [tf.get_static_value(tensor) for tensor in op.inputs]
    key = f"{op.type} {op.node_def.attr} {[(t.shape, t.dtype) for t in op.inputs]} {constants}"
    if key not in tried:
        tried[key] = _try(op, constants)
    return tried[key]


def _try(op: tf.Operation, constants: list[object]) -> bool:
    if any(tensor.dtype == tf.resource for tensor in op.inputs):
        return True  # it cannot stand alone: the converter of the whole has the last word
    given = [tensor for tensor, value in zip(op.inputs, constants, strict=True) if value is None]

    def body(*inputs: tf.Tensor) -> list[tf.Tensor]:
        rest = iter(inputs)
        every = [
            next(rest) if value is None else tf.constant(value, tensor.dtype)
            for tensor, value in zip(op.inputs, constants, strict=True)
        ]
        attributes = {key: value for key, value in op.node_def.attr.items() if not key.startswith("_")}
        made = tf.compat.v1.get_default_graph().create_op(
            op.type, every, [tensor.dtype for tensor in op.outputs], attrs=attributes
        )
        return list(made.outputs)

    signature = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in given]
    alone = tf.function(body, input_signature=signature, autograph=False).get_concrete_function()
    try:
        with quiet():
            tflite = tf.lite.TFLiteConverter.from_concrete_functions([alone], tf.Module()).convert()
    except (ConverterError, ValueError, RuntimeError):
        return False
    return not any(name.startswith(FLEX) for name in flatbuffer.operators(tflite))
