"""A task as one file: the program that devices train, the initial weights, models for inference, and what they mean.

A bundle (.fmb) is deterministic CBOR: {"folkmoot": 1, "program": bytes, "weights": bytes, "inference": {kind: bytes},
"grafts": {kind: [[tensor, offset, axes]]}}. The program is a blob of its own, which devices pull by digest:
{"manifest": Manifest, "tflite": bytes}. Reading executes nothing.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from folkmoot.errors import PeerFault
from folkmoot.wire import codec
from folkmoot.wire.layout import Layout
from folkmoot.wire.messages import Name, Plan, Text

LIMIT = 256 * 1024 * 1024  # bytes of a bundle: more does not fit the memory of any device that we aim at


class Contract(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one example looks like. Devices whose examples meet `name` can train the task."""

    name: Name
    x_shape: tuple[int, ...]  # of one example, without the batch
    x_dtype: Literal["float32"] = "float32"
    y_shape: tuple[int, ...] = ()
    y_dtype: Literal["int32", "float32"] = "int32"
    classes: tuple[str, ...] = ()  # in the order of the labels; () for regression


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a program that is not in the .tflite itself."""

    task: Name
    version: Annotated[str, Meta(min_length=1, max_length=32)]
    title: Text = ""
    layout: Layout
    contract: Contract
    batch: Annotated[int, Meta(ge=1, le=4096)]  # fixed when compiled; the last batch is padded with sample_weight 0
    plan: Plan = Plan()
    metrics: tuple[str, ...] = ("loss", "correct")
    parameters: int
    peak_bytes: int = 0  # measured beside the compiler: resident memory that training adds to the process
    flops: int = 0  # of one example, forward
    made_with: str = ""
    reference: dict[str, Any] = {}  # losses of the first steps on a generated batch: `folkmoot task check` compares


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What a device pulls."""

    manifest: Manifest
    tflite: bytes


class Graft(msgspec.Struct, frozen=True, array_like=True):
    """Where an inference program keeps one tensor of the layout (folkmoot.graft)."""

    tensor: str
    offset: Annotated[int, Meta(ge=0, le=LIMIT)]  # bytes from the start of the .tflite
    axes: tuple[Annotated[int, Meta(ge=0, le=31)], ...]  # it lies there as `tensor.transpose(axes)`


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A whole task."""

    folkmoot: Literal[1] = 1  # format
    program: bytes  # a Program, encoded
    weights: bytes  # one block, as manifest.layout has it
    inference: dict[str, bytes] = {}  # kind ("float", "int8") to a .tflite without training, which holds `weights`
    grafts: dict[str, tuple[Graft, ...]] = {}  # kind to where its .tflite holds them, so that others can take their place


def dump(value: Bundle | Program) -> bytes:
    """Gives the bytes of a bundle or of a program; equal values give equal bytes."""
    return codec.dump(value)


def program(data: bytes) -> Program:
    """Gives the program that `data` encodes.

    Raises PeerFault: "oversized" or "malformed".
    """
    return codec.load(data, Program, limit=LIMIT)


def load(data: bytes) -> tuple[Bundle, Program]:
    """Gives the bundle that `data` encodes, with its program read, sizes checked against the layout.

    Raises PeerFault: "oversized", "malformed" or "layout".
    """
    bundle = codec.load(data, Bundle, limit=LIMIT)
    inner = program(bundle.program)
    if len(bundle.weights) != inner.manifest.layout.nbytes:
        raise PeerFault("layout", f"weights of {len(bundle.weights)} bytes; the layout has {inner.manifest.layout.nbytes}")
    return bundle, inner
