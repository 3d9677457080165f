"""What is inside a converted model: its operators, its initial values, and inputs that are to be constants."""

from collections.abc import Mapping
from typing import Any

import flatbuffers
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

# The schema of TFLite gives the data of constants this alignment, which the generated Python code does not keep.
ALIGNMENT = 16  # bytes
FLEX = "Flex"  # what the names of TensorFlow's own operators begin with in a .tflite

_BUILTINS = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
_CALL_ONCE = schema.BuiltinOptions.CallOnceOptions


def operators(tflite: bytes) -> tuple[str, ...]:
    """Gives the operators that a model names, sorted; one that is no builtin under its own name, such as FlexMatrixInverse."""
    return tuple(sorted({_operator(code) for code in _read(tflite).operatorCodes}))


def lean(tflite: bytes) -> bytes:
    """Gives the model without the subgraph that sets its variables, which every signature would call once, and without names.

    The converter writes the values of all variables into it. Here they are always set from a block of weights. Without it a
    program is half the size, and has the same bytes whatever the weights were. Names of tensors, a fifth of what is left, tell
    the layers of the model to whoever reads the file; interpreters go by the names in signatures.
    """
    model = _read(tflite)
    setters = set()
    for graph in model.subgraphs:
        setters |= {op.builtinOptions.initSubgraphIndex for op in graph.operators if op.builtinOptionsType == _CALL_ONCE}
        graph.operators = [op for op in graph.operators if op.builtinOptionsType != _CALL_ONCE]
        for tensor in graph.tensors:
            tensor.name = None
    for index in setters:  # others are named by their number: an empty one holds the place
        model.subgraphs[index].operators = []
        model.subgraphs[index].tensors = []
    _drop_unused(model)
    return _pack(model)


def with_constants(tflite: bytes, values: Mapping[str, bytes]) -> tuple[bytes, dict[str, int]]:
    """Gives the model with some inputs made constants, and where the bytes of each one lie in it.

    `values` maps the name of an input in the model's only signature to its little-endian bytes.
    """
    model = _read(tflite)
    (signature,) = model.signatureDefs
    graph = model.subgraphs[signature.subgraphIndex]
    buffers = {}
    for entry in list(signature.inputs):
        name = entry.name.decode()
        if name in values:
            buffers[name] = graph.tensors[entry.tensorIndex].buffer = len(model.buffers)
            model.buffers.append(_Constant(values[name]))
            graph.inputs = [index for index in graph.inputs if index != entry.tensorIndex]
            signature.inputs.remove(entry)
    data = _pack(model)
    root = schema.Model.GetRootAs(data)
    return data, {name: _offset(root.Buffers(index)) for name, index in buffers.items()}


class _Constant(schema.BufferT):
    """A buffer whose data is aligned as the schema of TFLite wants it."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = data

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 - the name that generated code calls
        """Writes the buffer; gives where."""
        builder.StartVector(1, len(self.data), ALIGNMENT)
        builder.head = builder.Head() - len(self.data)
        builder.Bytes[builder.Head() : builder.Head() + len(self.data)] = self.data
        place = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, place)
        return schema.BufferEnd(builder)


def _read(tflite: bytes) -> Any:
    return flatbuffer_utils.read_model_from_bytearray(bytearray(tflite))


def _pack(model: Any) -> bytes:
    # Buffer 0 stands for no data at all and stays as it is.
    model.buffers = [
        buffer if buffer.data is None or len(buffer.data) == 0 else _Constant(bytes(buffer.data)) for buffer in model.buffers
    ]
    return flatbuffer_utils.convert_object_to_bytearray(model)


def _drop_unused(model: Any) -> None:
    """Empties the buffers that nothing names any more, and leaves out operator codes that no operator has."""
    live = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    live |= {entry.buffer for entry in model.metadata or ()}
    for index, buffer in enumerate(model.buffers):
        if index not in live:
            buffer.data = None
    used = sorted({op.opcodeIndex for graph in model.subgraphs for op in graph.operators})
    for graph in model.subgraphs:
        for op in graph.operators:
            op.opcodeIndex = used.index(op.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[index] for index in used]


def _operator(code: Any) -> str:
    # Numbers up to 127 stand in the older field and larger ones in the newer; the other one is 0 or a placeholder then.
    name = _BUILTINS[max(code.builtinCode, code.deprecatedBuiltinCode)]
    return str(code.customCode.decode()) if name == "CUSTOM" else name


def _offset(buffer: Any) -> int:
    """Gives where the data of a buffer begins, in bytes from the beginning of the model."""
    table = buffer._tab
    return int(table.Vector(table.Offset(4)))  # 4: the first field of the table, `data`
