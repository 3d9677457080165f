"""CBOR (RFC 8949, deterministic) with limits that hold before anything is allocated.

`scan` walks the heads of an item without building it, so that a length that the bytes cannot hold, a nest that is too deep or
a form that deterministic CBOR does not have is refused first; cbor2 then builds what has been found to be sound.
"""

import hashlib
import zlib
from collections.abc import Sequence
from typing import Any, TypeVar

import cbor2
import msgspec

from folkmoot.errors import PeerFault
from folkmoot.wire.messages import NUMBERS, TYPES, Ask, AskId, Body, Count, Device, Hello, Invited, Name, Telemetry

MINOR = 0  # of protocol major 1
DEPTH = 8
MAP = 64  # entries
# Items of a message or a payload: an item is one byte on the wire and 72 or more in memory, and takes 0.2 us to look at. So
# many are what the largest packet could be cut into, and a partial of 60,000 leaves.
ITEMS = 262_144
# Typed arrays of RFC 8746 (little-endian): float32, and signed integers of 8, 16, 32 and 64 bits.
FLOAT32, INT8, INT16, INT32, INT64 = 85, 72, 77, 78, 79
ARRAYS = range(64, 88)  # all that RFC 8746 defines: which of them a payload may use is said where it is read
LONG = 4_096  # bytes beyond which `parse` can leave a byte string where it is
APART = 0x464D  # tag that stands for such a string while cbor2 builds the rest; `scan` lets none in
_APART_HEAD = b"\xd9" + APART.to_bytes(2, "big")
_STOP = 0xE0  # heads from here on are floats and simple values
_SIMPLE = frozenset((20, 21, 22, 25, 26, 27))  # false, true, null, and floats of 16, 32 and 64 bits

T = TypeVar("T")


def rank(key: str) -> tuple[int, bytes]:
    """Gives what the keys of a map are sorted by (RFC 8949, section 4.2.1)."""
    text = key.encode()
    return len(text), text


# The encoder that puts maps in order, and floats into the fewest bytes, takes twice as long or more: it is for bodies that have
# such things inside. The fields of the others are put in order here.
_ORDER = {body: sorted(body.__struct_encode_fields__, key=rank) for body in NUMBERS}
_DEEP = frozenset((Ask, Telemetry))


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What goes round every body."""

    id: bytes  # 16 bytes, UUIDv7
    src: str
    dst: str
    body: Body
    ask: bytes = b""  # 16 bytes, where the message is about an Ask
    remaining_ms: int | None = None  # until the deadline, computed when sent
    ts_ms: int = 0  # advisory: the sender's wall clock
    fresh: tuple[int, int] = (0, 0)  # boot id, sequence
    digest: bytes = b""  # of a hello that has come: sha256 of its body, with what this minor version does not know


class _Head(msgspec.Struct, frozen=True):
    """The envelope's own fields, as they are checked."""

    minor: Count
    id: AskId
    src: Name
    dst: Name
    ts_ms: Count
    fresh: tuple[Count, Count]
    ask: AskId | msgspec.UnsetType = msgspec.UNSET
    remaining_ms: Count | msgspec.UnsetType = msgspec.UNSET


# The last entry of an envelope, and the head of its 4 bytes: the CRC-32 of everything before them. A bit that flips on its way
# through a proxy, or in a broker's store of retained messages, can leave a message that means something else.
_CHECK = 23
_CHECK_HEAD = b"\x17\x44"

_KEYS = {0: "minor", 2: "id", 3: "src", 4: "dst", 5: "ts_ms", 6: "fresh", 7: "ask", 8: "remaining_ms"}
# What holds rows: arrays that stand for a structure. In a map a default may be left out; a row is whole.
_ROWS: dict[Any, tuple[str, type[msgspec.Struct]]] = {Ask: ("each", Invited), Hello: ("devices", Device)}


def scan(data: bytes | memoryview, depth: int = DEPTH, entries: int = MAP) -> list[tuple[int, int, int]]:
    """Checks that `data` is exactly one sound item: lengths that fit, at most `depth` levels, `entries` a map, keys in order.

    It has at most ITEMS items, its own and those in it.

    Gives where its long byte strings lie (more than LONG bytes): start of the head, start of the content, end. Raises
    PeerFault("malformed"). Costs a step an item; the contents of strings are not touched.
    """
    long: list[tuple[int, int, int]] = []
    end, at, total = len(data), 0, 0
    left, last = 1, None  # what is still to come at this level, items or a map's entries, and, in a map, its last key
    around: list[tuple[int, bytes | None]] = []  # the same of the levels around it
    while left or around:
        if not left:
            left, last = around.pop()
            continue
        left -= 1
        head = data[at] if at < end else _STOP
        if last is not None:
            start = at
            at = (
                at + 1 if head < 24 else at + head - 0x5F if 0x60 <= head < 0x78 else _key(data, at)
            )  # a number, or a short name
            key = bytes(data[start:at])
            if key <= last:
                raise PeerFault("malformed", "the keys of a map are in order, none of them twice")
            last = key
            head = data[at] if at < end else _STOP
        start = at
        if head < 24:  # a small number
            at += 1
            continue
        if head & 31 < 24 and head < _STOP:  # most heads are one byte
            major, value, at = head >> 5, head & 31, at + 1
        else:
            major, value, at = _head(data, at)
        if major < 2:
            continue
        if major < 4:
            at += value
            if at > end:
                raise PeerFault("malformed", f"a string of {value} bytes where {end - at + value} are left")
            if value > LONG and major == 2:
                long.append((start, at - value, at))
        elif major < 7:
            around.append((left, last))
            items = _items(major, value, entries)
            left, last = (value, b"") if major == 5 else (items, None)
            total += items
            if items > end - at:
                raise PeerFault("malformed", f"{items} items where {end - at} bytes are left")
            if total > ITEMS:
                raise PeerFault("malformed", f"more than {ITEMS} items")
            if len(around) > depth:
                raise PeerFault("malformed", f"nested deeper than {depth}")
    if at != end:
        raise PeerFault("malformed", f"{end - at} bytes behind the item")
    return long


def _key(data: bytes | memoryview, at: int) -> int:
    """Gives where the key at `at` ends."""
    major, value, at = _head(data, at)
    if major not in (0, 3):
        raise PeerFault("malformed", "the keys of a map are numbers and text")
    return at + value if major == 3 else at


def _head(data: bytes | memoryview, at: int) -> tuple[int, int, int]:
    """Gives the major type of the item at `at`, its value, and where its head ends (RFC 8949, section 3)."""
    if at >= len(data):
        raise PeerFault("malformed", "ends in the middle of an item")
    head = data[at]
    major, info = head >> 5, head & 31
    at += 1
    if head >= _STOP and info not in _SIMPLE:
        raise PeerFault("malformed", f"simple value {info} is not in the protocol")
    if info < 24:
        return major, info, at
    if info > 27:
        raise PeerFault("malformed", "indefinite length")
    width = 1 << (info - 24)
    if at + width > len(data):
        raise PeerFault("malformed", "ends in the middle of a length")
    value = int.from_bytes(data[at : at + width], "big")
    if major != 7 and value < (24 if width == 1 else 1 << 4 * width):
        raise PeerFault("malformed", f"{value} is written longer than it need be")
    return major, value, at + width


def _items(major: int, value: int, entries: int) -> int:
    """Gives how many items follow the head of an array, a map or a tag."""
    if major == 4:
        return value
    if major == 5:
        if value > entries:
            raise PeerFault("malformed", f"a map of {value} entries; {entries} are allowed")
        return 2 * value
    if value not in ARRAYS:
        raise PeerFault("malformed", f"tag {value} is not in the protocol")
    return 1


def dump(value: Any) -> bytes:
    """Gives the deterministic encoding of plain values and of msgspec structures."""
    plain = msgspec.to_builtins(value, builtin_types=(bytes, cbor2.CBORTag), str_keys=False)
    return cbor2.dumps(plain, canonical=True)


def load(data: bytes | memoryview, kind: type[T], *, limit: int, entries: int = MAP) -> T:
    """Gives the value of type `kind` that `data` encodes.

    Raises PeerFault: "oversized" beyond `limit` bytes, "malformed" for anything that is not exactly such a value.
    """
    return convert(parse(data, limit=limit, entries=entries), kind)


def parse(data: bytes | memoryview, *, limit: int, entries: int = MAP, apart: list[memoryview] | None = None) -> Any:
    """Gives the plain value that `data` encodes (maps, lists, text, bytes, numbers, tags of typed arrays).

    With `apart`, byte strings of more than LONG bytes are not copied: they are appended to it as views of `data`, and in the
    value stands CBORTag(APART, index). Raises PeerFault as `load` does.
    """
    if len(data) > limit:
        raise PeerFault("oversized", f"{len(data)} bytes; {limit} are allowed")
    long = scan(data, entries=entries)
    if apart is not None:
        data = _set_apart(data, long, apart)
    try:
        return cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError) as error:
        raise PeerFault("malformed", str(error)) from None


def _set_apart(data: bytes | memoryview, long: list[tuple[int, int, int]], apart: list[memoryview]) -> bytes:
    """Gives `data` without its long byte strings, each a tag with its index in `apart`."""
    whole, at = memoryview(data), 0
    lean: list[bytes | memoryview] = []
    for start, content, end in long:
        lean += (whole[at:start], _APART_HEAD, cbor2.dumps(len(apart)))
        apart.append(whole[content:end])
        at = end
    return b"".join((*lean, whole[at:]))


def convert(value: Any, kind: type[T]) -> T:
    """Gives `value` as the structure `kind`, every field checked.

    Raises PeerFault("malformed") with the field that is wrong.
    """
    try:
        found = msgspec.convert(value, kind, builtin_types=(bytes,))  # without it, base64 would do for bytes
    except PeerFault:
        raise
    except (msgspec.ValidationError, ValueError) as error:
        raise PeerFault("malformed", str(error)) from None
    if kind in _ROWS:
        key, row = _ROWS[kind]
        whole(value.get(key), row)
    return found


def whole(rows: Sequence[Sequence[Any]] | None, kind: type[msgspec.Struct]) -> None:
    """Raises PeerFault("malformed") where one of the rows is shorter or longer than the structure that it stands for."""
    width = len(kind.__struct_fields__)
    if any(len(row) != width for row in rows or ()):
        raise PeerFault("malformed", f"a row that has not the {width} items of a {kind.__name__.lower()}")


def digest(data: bytes | memoryview) -> bytes:
    """Gives the sha256 of `data`, 32 bytes: the name of a blob."""
    return hashlib.sha256(data).digest()


def seal(envelope: Envelope) -> bytes:
    """Gives the bytes of one message."""
    return check(_unchecked(envelope))


def _unchecked(envelope: Envelope) -> bytes:
    """Gives the bytes of one message with a check that is nothing yet."""
    fields: dict[int, Any] = {
        0: MINOR,
        1: NUMBERS[type(envelope.body)],
        2: envelope.id,
        3: envelope.src,
        4: envelope.dst,
        5: envelope.ts_ms,
        6: list(envelope.fresh),
    }
    if envelope.ask:
        fields[7] = envelope.ask
    if envelope.remaining_ms is not None:
        fields[8] = envelope.remaining_ms
    body = msgspec.to_builtins(envelope.body, builtin_types=(bytes,))
    fields[9] = {name: body[name] for name in _ORDER[type(envelope.body)] if name in body}
    fields[_CHECK] = bytes(4)
    data: bytes = cbor2.dumps(fields, canonical=type(envelope.body) in _DEEP)
    return data


class Sealed(bytes):
    """The bytes of a message that know what they were made of; another process gets them with the check that they lack here."""

    envelope: Envelope

    def __reduce__(self) -> tuple[type[bytes], tuple[bytes]]:
        return bytes, (check(self),)


def sealed(envelope: Envelope) -> Sealed:
    """Gives what stands for `seal`'s bytes, and spares `unseal` the work: for a network in memory that damages nothing.

    `envelope`: its digest too, where the body is a hello and the caller has it.
    """
    data = Sealed(_unchecked(envelope))
    if isinstance(envelope.body, Hello) and not envelope.digest:
        envelope = msgspec.structs.replace(envelope, digest=digest(dump(envelope.body)))
    data.envelope = envelope
    return data


def check(data: bytes) -> bytes:
    """Gives an envelope's bytes with the CRC-32 that they should have in the place of their last four."""
    content = memoryview(data)[:-4]
    return b"".join((content, zlib.crc32(content).to_bytes(4, "big")))


def unseal(data: bytes | memoryview, *, limit: int) -> Envelope:
    """Gives the message that `data` holds; keys that this minor version does not know are ignored.

    Raises PeerFault: "oversized", "crc", "malformed", or "unknown_type" for a type of a newer minor version.
    """
    if len(data) > limit:
        raise PeerFault("oversized", f"{len(data)} bytes; {limit} are allowed")
    if type(data) is Sealed:
        return data.envelope
    if data[-6:-4] != _CHECK_HEAD or zlib.crc32(data[:-4]).to_bytes(4, "big") != data[-4:]:
        raise PeerFault("crc", "damaged on its way")
    fields = parse(data, limit=limit)
    if not isinstance(fields, dict):
        raise PeerFault("malformed", "an envelope is a map")
    kind = fields.get(1)
    body = TYPES.get(kind) if type(kind) is int else None
    if body is None:
        raise PeerFault("unknown_type", f"type {kind!r}")
    checked = convert({name: fields[key] for key, name in _KEYS.items() if key in fields}, _Head)
    content = fields.get(9)
    return Envelope(
        id=checked.id,
        src=checked.src,
        dst=checked.dst,
        ts_ms=checked.ts_ms,
        fresh=checked.fresh,
        ask=b"" if checked.ask is msgspec.UNSET else checked.ask,
        remaining_ms=None if checked.remaining_ms is msgspec.UNSET else checked.remaining_ms,
        body=convert(content, body),
        digest=digest(cbor2.dumps(content, canonical=True)) if body is Hello else b"",
    )
