import msgspec
import pytest

from folkmoot.errors import PeerFault
from folkmoot.wire import bundle, codec
from folkmoot.wire.bundle import Bundle, Contract, Graft, Manifest, Program
from folkmoot.wire.layout import Layout, Tensor

LAYOUT = Layout((Tensor("b", (2,)), Tensor("w", (2, 2))))
MANIFEST = Manifest(
    task="digits",
    version="1",
    layout=LAYOUT,
    contract=Contract(name="digits-8x8", x_shape=(8, 8), classes=("0", "1")),
    batch=16,
    parameters=6,
    reference={"losses": [0.5, 0.25]},
)
PROGRAM = bundle.dump(Program(manifest=MANIFEST, tflite=b"TFL3" * 2_000))
BUNDLE = Bundle(program=PROGRAM, weights=bytes(24), inference={"float": b"TFL3"}, grafts={"float": (Graft("w", 8, (1, 0)),)})


def test_a_bundle_comes_out_as_it_went_in() -> None:
    found, program = bundle.load(bundle.dump(BUNDLE))
    assert found == BUNDLE
    assert program.manifest == MANIFEST
    assert bundle.dump(found) == bundle.dump(BUNDLE)


@pytest.mark.parametrize("size", [0, 23, 25])
def test_weights_that_are_not_the_layout_s_are_refused(size: int) -> None:
    with pytest.raises(PeerFault, match="layout"):
        bundle.load(bundle.dump(msgspec.structs.replace(BUNDLE, weights=bytes(size))))


@pytest.mark.parametrize("cut", [0, 1, 20, -1])
def test_half_a_bundle_is_malformed(cut: int) -> None:
    with pytest.raises(PeerFault, match="malformed"):
        bundle.load(bundle.dump(BUNDLE)[:cut])


@pytest.mark.parametrize(
    "change",
    [
        {"folkmoot": 2},
        {"program": b""},
        {"program": "text"},
        {"program": codec.dump({"manifest": {}, "tflite": b""})},
        {"inference": {"float": 1}},
        {"grafts": {"float": [["w", -1, []]]}},
        {"grafts": {"float": [["w", 8, [1, 0], 0]]}},
    ],
)
def test_a_bundle_that_cannot_be_is_malformed(change: dict[str, object]) -> None:
    fields = msgspec.to_builtins(BUNDLE, builtin_types=(bytes,)) | change
    with pytest.raises(PeerFault, match="malformed"):
        bundle.load(codec.dump(fields))


@pytest.mark.parametrize("name", ["", "Loss", "a-b", "9", "x" * 24])
def test_a_metric_that_could_not_travel_is_malformed(name: str) -> None:
    fields = msgspec.to_builtins(Program(manifest=MANIFEST, tflite=b""), builtin_types=(bytes,))
    fields["manifest"]["metrics"] = ["loss", name]
    with pytest.raises(PeerFault, match="malformed"):
        bundle.program(codec.dump(fields))


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": -1},
        {"flops": -1},
        {"cuts": {"w": [[[-1, 1]]]}},
        {"signatures": {"train": {"inputs": {"x": [[-1], "float32"]}}}},
        {"signatures": {"train": {"inputs": {"x": [[1], "float32", 0]}}}},
        {"contract": {"name": "toy", "x_shape": [-1]}},
        {"contract": {"name": "toy", "x_shape": [1] * 33}},
        {"layout": {"tensors": [{"name": "w", "shape": [1 << 28] * 33}]}},
        {"sha256": "aGVsbG8="},
    ],
)
def test_a_manifest_that_cannot_be_is_malformed(change: dict[str, object]) -> None:
    fields = msgspec.to_builtins(Program(manifest=MANIFEST, tflite=b""), builtin_types=(bytes,))
    fields["manifest"] |= change
    with pytest.raises(PeerFault, match="malformed"):
        bundle.program(codec.dump(fields))


def test_a_program_of_a_newer_minor_version_is_read() -> None:
    fields = msgspec.to_builtins(Program(manifest=MANIFEST, tflite=b""), builtin_types=(bytes,))
    fields["newer"] = fields["manifest"]["newer"] = 1
    assert bundle.program(codec.dump(fields)).manifest == MANIFEST
