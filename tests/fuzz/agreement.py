"""Whether what was read is what was sent: every value the same, nothing made up, nothing lost but keys that are not known."""

import struct
from collections.abc import Mapping
from typing import Any

import cbor2
import msgspec
import pycddl

from tests.shared.wire.test_cddl import schema


def agrees(sent: Any, held: Any) -> bool:
    """Says whether `held`, a structure or a plain value, is what the plain value `sent` says.

    A key that the structure does not have is ignored; one that is missing must have a default. Rows are whole. A whole number
    may stand for a float, and nothing else for anything else.
    """
    if isinstance(held, msgspec.Struct):
        fields = msgspec.structs.fields(held)
        if held.__struct_config__.array_like:
            row = [getattr(held, field.name) for field in fields]
            return isinstance(sent, list) and len(sent) == len(row) and all(map(agrees, sent, row))
        return isinstance(sent, dict) and all(_field(sent, held, field) for field in fields)
    if isinstance(held, Mapping):
        return isinstance(sent, dict) and sent.keys() == held.keys() and all(agrees(sent[key], held[key]) for key in held)
    if isinstance(held, tuple | list):
        return isinstance(sent, list) and len(sent) == len(held) and all(map(agrees, sent, held))
    if isinstance(held, float):
        return type(sent) in (int, float) and struct.pack("d", sent) == struct.pack("d", held)
    return type(sent) is type(held) and bool(sent == held)


def _field(sent: dict[Any, Any], held: msgspec.Struct, field: msgspec.structs.FieldInfo) -> bool:
    value = getattr(held, field.name)
    if field.encode_name in sent:
        return agrees(sent[field.encode_name], value)
    default = field.default if field.default is not msgspec.NODEFAULT else None
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    return not field.required and type(value) is type(default) and value == default


def deterministic(data: bytes) -> bool:
    """Says whether bytes are the deterministic encoding of the item that they are.

    Where a float is in it that cannot be said, for receivers take floats in every width: then True.
    """
    item = cbor2.loads(data)
    return _floats(item) or cbor2.dumps(item, canonical=True) == data


def _floats(item: Any) -> bool:
    if isinstance(item, dict):
        return any(map(_floats, item.values()))
    if isinstance(item, list):
        return any(map(_floats, item))
    return isinstance(item, float) or (isinstance(item, cbor2.CBORTag) and _floats(item.value))


def sound(rule: str, data: bytes) -> bool:
    """Says whether a rule of docs/protocol.cddl takes `data`."""
    try:
        schema(rule).validate_cbor(data)
    except pycddl.ValidationError:
        return False
    return True
