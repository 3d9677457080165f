"""Small bundles that the cloud takes: their programs look like a .tflite and run nowhere."""

from typing import Any

import msgspec
import numpy as np

from folkmoot import arrays, graft
from folkmoot.wire import bundle
from folkmoot.wire.layout import Layout, Tensor

LAYOUT = Layout((Tensor("bias", (3,)), Tensor("kernel", (4, 3))))


def weights(seed: int) -> bytes:
    """Gives a block of weights that no other seed gives."""
    rng = np.random.default_rng(seed)
    return arrays.pack(LAYOUT, {one.name: rng.normal(size=one.shape).astype(np.float32) for one in LAYOUT.tensors})


def tflite(block: bytes) -> bytes:
    """Gives an inference program that holds the weights as a converter would: the kernel transposed."""
    held = arrays.unpack(LAYOUT, block)
    return b"\x1c\0\0\0TFL3" + held["kernel"].T.tobytes() + b"operators" + held["bias"].tobytes()


def manifest(**fields: Any) -> bundle.Manifest:
    """Gives a manifest; `fields` replace its own."""
    contract = bundle.Contract(name="toy", x_shape=(4,))
    made = bundle.Manifest(
        task="toy", version="1", layout=LAYOUT, contract=contract, batch=8, parameters=15, trained=("bias", "kernel")
    )
    return msgspec.structs.replace(made, **fields)


def parcel(seed: int = 1, *, grafts: bool = True, block: bytes | None = None, **fields: Any) -> bytes:
    """Gives the bytes of a bundle; `fields` are of the manifest."""
    block = weights(seed) if block is None else block
    program = bundle.dump(bundle.Program(manifest=manifest(**fields), tflite=b"\x1c\0\0\0TFL3 trains"))
    infers = tflite(weights(seed))
    places = {"float": graft.trace(infers, LAYOUT, weights(seed))} if grafts else {}
    return bundle.dump(bundle.Bundle(program=program, weights=block, inference={"float": infers}, grafts=places))
