"""The bundle reader, and with it the reader of programs."""

from hashlib import sha256
from itertools import pairwise

import cbor2
import msgspec

from folkmoot.wire import bundle
from folkmoot.wire.bundle import Bundle, Contract, Manifest, Program
from folkmoot.wire.layout import Layout, Tensor
from tests.fuzz.agreement import agrees, deterministic, sound
from tests.fuzz.target import Target, bounded, refusal
from tests.kit import golden

FULL = Manifest(
    task="toy",
    version="1",
    layout=Layout((Tensor("b", (4,)), Tensor("w", (2, 4)))),
    contract=Contract(name="toy-2", x_shape=(2,)),
    batch=4,
    parameters=12,
    trained=("b", "w"),
    reference={"losses": [0.5, 0.25], "seed": 1},
)
HALF = msgspec.structs.replace(
    FULL,
    layout=Layout((Tensor("b", (2,)), Tensor("w", (2, 2)))),
    parameters=6,
    rate=0.5,
    cuts={"b": (((0, 1), (2, 3)),), "w": (((0, 2),), ((0, 1), (2, 3)))},
)


def run(data: bytes) -> None:
    """Reads one input."""
    found: list[tuple[Bundle, Program]] = []
    with bounded(len(data)):
        reason = refusal(lambda: found.append(bundle.load(data)))
    assert reason in ("", "malformed", "digest", "layout"), reason
    for whole, inner in found:
        again = bundle.dump(whole)
        assert deterministic(data), data.hex()
        assert agrees(cbor2.loads(data), whole)
        assert sound("bundle", again), again.hex()
        assert bundle.dump(bundle.load(again)[0]) == again
        _program(whole.program, inner)
        assert len(whole.weights) == inner.manifest.layout.nbytes
        parts = whole.parts()
        assert all(sha256(parts[name]).digest() == digest for name, digest in whole.digests.items())
        for rate, level in whole.levels.items():
            narrow = bundle.program(level)
            _program(level, narrow)
            assert float(rate) == narrow.manifest.rate
            _level(narrow.manifest, inner.manifest)


def _program(data: bytes, held: Program) -> None:
    again = bundle.dump(held)
    assert deterministic(data), data.hex()
    assert agrees(cbor2.loads(data), held)
    assert sound("program", again), again.hex()
    # The schema cannot say it, and a layout is computed with before anything else looks at it.
    names = [tensor.name for tensor in held.manifest.layout.tensors]
    assert names == sorted(set(names))
    assert held.manifest.rate == held.manifest.rate, "NaN"


def _level(narrow: Manifest, full: Manifest) -> None:
    """Holds a level to indices of the full model: as many as its tensors have, ascending, none outside."""
    whole = {tensor.name: tensor.shape for tensor in full.layout.tensors}
    for tensor in narrow.layout.tensors:
        for axis, size, wide in zip(narrow.cuts[tensor.name], tensor.shape, whole[tensor.name], strict=True):
            kept = [range(*run) for run in axis]
            assert sum(map(len, kept)) == size
            assert kept[0][0] >= 0
            assert kept[-1][-1] < wide
            assert all(before[-1] < after[0] for before, after in pairwise(kept))


def seeds() -> tuple[bytes, ...]:
    """Gives the golden bundle, one with a level, without digests (which a change of a part breaks), and a dense one."""
    program, level = (bundle.dump(Program(manifest=one, tflite=b"\x1c\0\0\0TFL3")) for one in (FULL, HALF))
    open = Bundle(program=program, weights=bytes(48), levels={"0.5": level}, inference={"float": b"\x1c\0\0\0TFL3"})
    dense = msgspec.structs.replace(FULL, reference={"a": [{}] * 2_000}, cuts={"b": (((0, 1),) * 200,)})
    heavy = Bundle(program=bundle.dump(Program(manifest=dense, tflite=b"")), weights=bytes(48))
    return (golden.sent("bundle"), bundle.dump(open), bundle.seal(open), bundle.dump(heavy))


TARGET = Target("bundles", run, seeds(), longest=8_192)
