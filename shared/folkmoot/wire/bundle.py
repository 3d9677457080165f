"""A task as one file: the program that devices train, the initial weights, models for inference, and what they mean.

A bundle (.fmb) is deterministic CBOR: {"folkmoot": 1, "program": bytes, "weights": bytes, "levels": {rate: bytes},
"inference": {kind: bytes}, "grafts": {kind: [[tensor, offset, axes]]}, "digests": {part: sha256}}. The program is a blob of its
own, which devices pull by digest: {"manifest": Manifest, "tflite": bytes}. Reading executes nothing.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from folkmoot.errors import PeerFault
from folkmoot.wire import codec
from folkmoot.wire.layout import AXES, Layout
from folkmoot.wire.messages import BLOB, Count, Name, Plan, Text

LIMIT = BLOB  # bytes of a bundle
# In one map: a signature that sets every tensor has an input for each. MobileNetV2 whole has 314 tensors, ResNet-152 has 932.
ENTRIES = 2_048


# A metric NAME travels as eval_NAME_u20, which is a Word of 32 characters at most.
METRIC = r"^[a-z][a-z0-9_]{0,22}\Z"
Metric = Annotated[str, Meta(pattern=METRIC)]


Shape = Annotated[tuple[Count, ...], Meta(max_length=AXES)]


class Contract(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one example looks like. Devices whose examples meet `name` can train the task."""

    name: Name
    x_shape: Shape  # of one example, without the batch
    x_dtype: Literal["float32", "int32"] = "float32"
    y_shape: Shape = ()
    y_dtype: Literal["int32", "float32"] = "int32"
    classes: tuple[str, ...] = ()  # in the order of the labels; () for regression
    vocabulary: Annotated[int, Meta(ge=0, le=1 << 24)] = 0  # of x in int32: its elements are 0 <= x < vocabulary


class Optimizer(msgspec.Struct, frozen=True, kw_only=True):
    """What a step does with a gradient. The learning rate is an input of the step, so that the run can set it."""

    name: Literal["sgd", "adam", "adamw"] = "sgd"
    options: dict[str, float | bool] = {}  # as Keras calls them: momentum, nesterov, beta_1, clipnorm, ...


class Value(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An input or an output of a signature."""

    shape: Shape  # with the batch in front where there is one
    dtype: str


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """One function of a program, as the .tflite names it."""

    inputs: dict[str, Value] = {}
    outputs: dict[str, Value] = {}


Run = tuple[Count, Count]
"""Neighbouring indices, from the first up to but without the second."""
Cut = tuple[tuple[Run, ...], ...]
"""What a narrower tensor keeps of the full one: for each axis, the indices in order, as runs."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a program that is not in the .tflite itself."""

    task: Name
    version: Annotated[str, Meta(min_length=1, max_length=32)]
    title: Text = ""
    layout: Layout
    contract: Contract
    batch: Annotated[int, Meta(ge=1, le=4096)]  # fixed when compiled; the last batch is padded with sample_weight 0
    plan: Plan = Plan()
    optimizer: Optimizer = Optimizer()
    metrics: Annotated[tuple[Metric, ...], Meta(max_length=32)] = ("loss", "correct")
    signatures: dict[str, Signature] = {}
    trained: tuple[str, ...] = ()  # tensors that the optimiser moves, in the order of the input `mask` of `train`
    parameters: Count
    peak_bytes: Count = 0  # measured beside the compiler: resident memory that training adds to a process with a runtime in it
    program_bytes: Count = 0  # of the .tflite
    sha256: bytes = b""  # of the .tflite
    operators: tuple[str, ...] = ()  # builtins of TFLite that the .tflite consists of, sorted
    flops: Count = 0  # of one example, forward
    made_with: str = ""
    rate: float = 1.0  # of the hidden channels that this program has (HeteroFL's width level)
    cuts: dict[str, Cut] = {}  # tensor to what it keeps of the full model's tensor of that name; {} at rate 1
    reference: dict[str, Any] = {}  # losses of the first steps on a generated batch: `folkmoot task check` compares


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What a device pulls."""

    manifest: Manifest
    tflite: bytes


class Graft(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where an inference program keeps one tensor of the layout (folkmoot.graft)."""

    tensor: str
    offset: Annotated[int, Meta(ge=0, le=LIMIT)]  # bytes from the start of the .tflite
    axes: tuple[Annotated[int, Meta(ge=0, le=31)], ...]  # it lies there as `tensor.transpose(axes)`


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A whole task."""

    folkmoot: Literal[1] = 1  # format
    program: bytes  # a Program, encoded
    weights: bytes  # one block, as manifest.layout has it
    levels: dict[str, bytes] = {}  # rate ("0.5") to the Program of the same model, narrower
    inference: dict[str, bytes] = {}  # kind ("float", "int8") to a .tflite without training, which holds `weights`
    grafts: dict[str, tuple[Graft, ...]] = {}  # kind to where its .tflite holds them, so that others can take their place
    digests: dict[str, bytes] = {}  # part ("program", "weights", "levels/0.5", "inference/float") to its sha256

    def parts(self) -> dict[str, bytes]:
        """Gives every part by the name that it has in `digests`."""
        named = {"program": self.program, "weights": self.weights}
        named |= {f"levels/{rate}": level for rate, level in self.levels.items()}
        return named | {f"inference/{kind}": tflite for kind, tflite in self.inference.items()}


def seal(value: Bundle) -> bytes:
    """Gives the bytes of a bundle that names the digests of its parts."""
    return dump(msgspec.structs.replace(value, digests={name: codec.digest(part) for name, part in value.parts().items()}))


def dump(value: Bundle | Program) -> bytes:
    """Gives the bytes of a bundle or of a program; equal values give equal bytes."""
    return codec.dump(value)


def program(data: bytes) -> Program:
    """Gives the program that `data` encodes.

    Raises PeerFault: "oversized" or "malformed".
    """
    return codec.load(data, Program, limit=LIMIT, entries=ENTRIES)


def load(data: bytes) -> tuple[Bundle, Program]:
    """Gives the bundle that `data` encodes, with its program read; sizes are checked against the layout, parts against digests.

    Raises PeerFault: "oversized", "malformed", "digest" or "layout".
    """
    bundle = codec.load(data, Bundle, limit=LIMIT, entries=ENTRIES)
    inner = program(bundle.program)
    if len(bundle.weights) != inner.manifest.layout.nbytes:
        raise PeerFault("layout", f"weights of {len(bundle.weights)} bytes; the layout has {inner.manifest.layout.nbytes}")
    parts = bundle.parts()
    for name, digest in bundle.digests.items():
        if name not in parts or codec.digest(parts[name]) != digest:
            raise PeerFault("digest", f"the bundle's part {name} is not what its digest says")
    for rate, level in bundle.levels.items():
        _check(rate, program(level).manifest, inner.manifest)
    return bundle, inner


def _check(rate: str, narrow: Manifest, full: Manifest) -> None:
    """Raises PeerFault where a level is not a part of the full model, tensor for tensor."""
    whole = {tensor.name: tensor for tensor in full.layout.tensors}
    if rate != f"{narrow.rate:g}" or not 0 < narrow.rate < 1:
        raise PeerFault("malformed", f"level {rate} says that its rate is {narrow.rate:g}")
    if whole.keys() != {tensor.name for tensor in narrow.layout.tensors} or whole.keys() != narrow.cuts.keys():
        raise PeerFault("layout", f"level {rate} does not have the tensors of the full model")
    for tensor in narrow.layout.tensors:
        cut, of = narrow.cuts[tensor.name], whole[tensor.name]
        if len(cut) != len(of.shape) or tuple(sum(stop - start for start, stop in axis) for axis in cut) != tensor.shape:
            raise PeerFault("layout", f"level {rate}: what is kept of {tensor.name} does not have its shape")
        for axis, size in zip(cut, of.shape, strict=True):
            edges = [edge for run in axis for edge in run]
            if edges != sorted(edges) or edges[0] < 0 or edges[-1] > size or any(start == stop for start, stop in axis):
                raise PeerFault("layout", f"level {rate}: what is kept of {tensor.name} lies outside of it")
