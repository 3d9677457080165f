"""The protocol's golden vectors: each a .json that people read and a .cbor that machines do, of the same name.

A .json holds what a .cbor says, with bytes as {"hex": "..."}. `python -m tests.kit.golden` writes the .cbor files anew from the
.json files; do that for a new vector, never for one that has been released: other people's devices are tested against it.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from folkmoot.wire import bundle, codec, partial
from folkmoot.wire.bundle import Bundle, Program
from folkmoot.wire.codec import Envelope
from folkmoot.wire.messages import TYPES
from folkmoot.wire.partial import Group, Leaf, Partial

FOLDER = Path(__file__).parents[1] / "shared" / "wire" / "golden"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
BODIES = {body.__name__: body for body in TYPES.values()}


def read(name: str) -> dict[str, Any]:
    """Gives what a .json says, its bytes as bytes."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(), object_hook=_bytes)
    return found


def sent(name: str) -> bytes:
    """Gives what a .cbor holds."""
    return (FOLDER / f"{name}.cbor").read_bytes()


def encode(vector: dict[str, Any]) -> bytes:
    """Gives the bytes that our code makes of a vector."""
    if "partial" in vector:
        form = vector["partial"]
        groups = {key: Group(one["weight"], one["tag"], one["data"]) for key, one in form["groups"].items()}
        leaves = tuple(Leaf(*leaf) for leaf in form["leaves"])
        return partial.dump(Partial(groups=groups, leaves=leaves, metrics=form["metrics"]))
    if "program" in vector:
        return bundle.dump(msgspec.convert(vector["program"], Program))
    if "bundle" in vector:
        return bundle.dump(msgspec.convert(vector["bundle"], Bundle))
    fields = dict(vector["envelope"])
    body = msgspec.convert(vector["body"], BODIES[vector["type"]])
    return codec.seal(Envelope(**fields | {"fresh": tuple(fields["fresh"])}, body=body))


def decode(vector: dict[str, Any], data: bytes) -> dict[str, Any]:
    """Gives what our code reads in the bytes, in the form of the vector; `about` and `topic` are taken from it."""
    found = {key: vector[key] for key in ("about", "topic") if key in vector}
    if "partial" in vector:
        value = partial.load(data, limit=len(data))
        groups = {key: {"weight": one.weight, "tag": one.tag, "data": bytes(one.data)} for key, one in value.groups.items()}
        leaves = [[leaf.device, leaf.fate, leaf.note] for leaf in value.leaves]
        return found | {"partial": {"groups": groups, "leaves": leaves, "metrics": value.metrics}}
    if "program" in vector:
        return found | {"program": _plain(bundle.program(data))}
    if "bundle" in vector:
        return found | {"bundle": _plain(bundle.load(data)[0])}
    envelope = codec.unseal(data, limit=len(data))
    fields = {key: getattr(envelope, key) for key in ("id", "src", "dst", "ts_ms")} | {"fresh": list(envelope.fresh)}
    if envelope.ask:
        fields["ask"] = envelope.ask
    if envelope.remaining_ms is not None:
        fields["remaining_ms"] = envelope.remaining_ms
    return found | {"type": type(envelope.body).__name__, "envelope": fields, "body": _plain(envelope.body)}


def write(vector: Any) -> str:
    """Gives a .json's text."""
    return json.dumps(vector, indent=1, default=lambda data: {"hex": data.hex()}, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    plain = msgspec.to_builtins(value, builtin_types=(bytes,))
    return json.loads(write(plain), object_hook=_bytes)  # lists, as the file has them, where a structure has tuples


def _bytes(found: dict[str, Any]) -> Any:
    return bytes.fromhex(found["hex"]) if found.keys() == {"hex"} else found


if __name__ == "__main__":
    for each in NAMES:
        (FOLDER / f"{each}.cbor").write_bytes(encode(read(each)))
