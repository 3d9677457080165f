import pickle
import struct
import tracemalloc

import cbor2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot.errors import PeerFault
from folkmoot.wire import codec
from folkmoot.wire.codec import Envelope
from folkmoot.wire.messages import BLOB, TYPES, Block, Get, Hello, Plan, Receipt, Started, Status, Telemetry
from tests.kit import golden
from tests.kit.bodies import BODIES, envelopes

LIMIT = 1 << 20


def _containers(inner: st.SearchStrategy) -> st.SearchStrategy:
    keys = (st.text(max_size=30), st.integers(0, (1 << 64) - 1))  # not both in one map: no message has that
    return st.one_of(st.lists(inner, max_size=4), *(st.dictionaries(key, inner, max_size=4) for key in keys))


numbers = st.integers(-(1 << 64), (1 << 64) - 1) | st.floats()
plain = st.recursive(st.none() | st.booleans() | numbers | st.text() | st.binary(), _containers, max_leaves=12)
SOUND = codec.seal(Envelope(id=b"i" * 16, src="a", dst="b", body=Started(), ask=b"q" * 16, remaining_ms=5))


def verdict(data: bytes) -> str:
    try:
        codec.parse(data, limit=LIMIT)
    except PeerFault as fault:
        return fault.reason
    return "sound"


def test_every_type_of_message_has_a_generator() -> None:
    assert BODIES.keys() == set(TYPES.values())


@given(envelopes)
def test_a_message_comes_out_as_it_went_in(envelope: Envelope) -> None:
    sealed = codec.seal(envelope)
    digest = codec.digest(codec.dump(envelope.body)) if isinstance(envelope.body, Hello) else b""
    arrived = msgspec.structs.replace(envelope, digest=digest)
    assert codec.unseal(sealed, limit=LIMIT) == arrived
    assert codec.unseal(memoryview(sealed), limit=LIMIT) == arrived
    assert codec.seal(codec.unseal(sealed, limit=LIMIT)) == sealed
    assert cbor2.dumps(cbor2.loads(sealed), canonical=True) == sealed
    remembered = codec.sealed(envelope)
    assert len(remembered) == len(sealed)
    assert codec.unseal(remembered, limit=LIMIT) == arrived
    elsewhere = pickle.loads(pickle.dumps(remembered))
    assert type(elsewhere) is bytes  # what goes to another process is parsed there
    assert elsewhere == sealed


@given(plain)
def test_what_deterministic_cbor_can_say_is_sound(value: object) -> None:
    data = cbor2.dumps(value, canonical=True)
    if len(data) < LIMIT and verdict(data) != "sound":
        assert _too_deep(value)


def _too_deep(value: object, level: int = 1) -> bool:
    inner = value if isinstance(value, list) else [*value.values()] if isinstance(value, dict) else []
    return (isinstance(value, list | dict) and level > codec.DEPTH) or any(_too_deep(each, level + 1) for each in inner)


@given(st.binary(max_size=60))
def test_noise_is_sound_or_malformed_and_nothing_else(data: bytes) -> None:
    assert verdict(data) in ("sound", "malformed")
    assert _unsealed(data) == "crc"
    if len(data) >= 4:
        assert _unsealed(codec.check(data)) in ("sound", "crc", "malformed", "unknown_type")


@given(envelopes, st.data())
def test_a_message_that_was_damaged_on_its_way_says_nothing(envelope: Envelope, data: st.DataObject) -> None:
    sealed = bytearray(codec.seal(envelope))
    for at, bit in data.draw(st.sets(st.tuples(st.integers(0, len(sealed) - 1), st.integers(0, 7)), min_size=1, max_size=3)):
        sealed[at] ^= 1 << bit
    assert _unsealed(bytes(sealed)) == "crc"


@given(envelopes, st.data())
def test_a_message_that_was_made_wrong_is_a_message_or_a_fault_of_its_sender(envelope: Envelope, data: st.DataObject) -> None:
    sealed = bytearray(codec.seal(envelope))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(sealed) - 7))
        sealed[at] ^= 1 << data.draw(st.integers(0, 7))
    assert _unsealed(codec.check(bytes(sealed))) in ("sound", "malformed", "unknown_type", "layout")


@given(envelopes, st.data())
def test_half_a_message_says_nothing(envelope: Envelope, data: st.DataObject) -> None:
    sealed = codec.seal(envelope)
    half = sealed[: data.draw(st.integers(0, len(sealed) - 7))]  # six bytes are its check
    assert _unsealed(half) == _unsealed(sealed + b"\x00") == "crc"
    again = codec.check(half + b"\x17\x44" + bytes(4))
    assert again == sealed or _unsealed(again) in ("malformed", "unknown_type")  # equal: only the checksum was cut off


def _sealed(fields: dict[int, object]) -> bytes:
    return codec.check(cbor2.dumps(fields, canonical=True))


def _unsealed(data: bytes) -> str:
    try:
        codec.unseal(data, limit=LIMIT)
    except PeerFault as fault:
        return fault.reason
    return "sound"


HOSTILE = {
    "nothing": "",
    "a string longer than the message": "5a7fffffff00",
    "a string of 2^63 bytes": "5bffffffffffffffff",
    "an array longer than the message": "9a7fffffff",
    "a map longer than the message": "ba7fffffff",
    "more entries than a map may have": "b841" + "".join(f"{i:02x}00" for i in range(24)) + "00" * 90,
    "an array without an end": "9fff",
    "a string without an end": "5fff",
    "a map without an end": "bfff",
    "a stray break": "ff",
    "a nest of nine": "81" * 9 + "00",
    "a nest of ten thousand": "81" * 10_000 + "00",
    "a reserved length": "1c",
    "a number longer than it need be": "1817",
    "a number of eight bytes that fits four": "1b00000000ffffffff",
    "a length longer than it need be": "780161",
    "a bignum": "c249010000000000000000",
    "a date": "c074323031332d30332d32315432303a30343a30305a",
    "a shared reference": "d81c8101",
    "a reference to a shared value": "d81d00",
    "a regular expression": "d8236161",
    "a string reference namespace": "d9010080",
    "the tag that stands for a string elsewhere": "d9464d00",
    "undefined": "f7",
    "a simple value": "f0",
    "a simple value of two bytes": "f8ff",
    "a key twice": "a200010002",
    "keys out of order": "a261620061610 0".replace(" ", ""),
    "a key that is a byte string": "a1410000",
    "a key that is an array": "a1800000",
    "a key that is a float": "a1f93c0000",
    "a key that is true": "a1f500",
    "a negative key": "a12000",
    "text that is no text": "61ff",
    "a tag at the end": "d855",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_deterministic_cbor_does_not_have_is_malformed(case: str) -> None:
    assert verdict(bytes.fromhex(HOSTILE[case])) == "malformed"


def test_a_hostile_length_costs_no_memory() -> None:
    tracemalloc.start()
    try:
        for case in HOSTILE.values():
            verdict(bytes.fromhex(case))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_more_bytes_than_allowed_are_not_looked_at() -> None:
    with pytest.raises(PeerFault, match="oversized"):
        codec.parse(b"\xff" * 11, limit=10)


@pytest.mark.parametrize("depth", [8, 9])
def test_the_depth_that_is_allowed_is_allowed(depth: int) -> None:
    assert verdict(b"\x81" * depth + b"\x00") == ("sound" if depth == 8 else "malformed")


@given(
    st.lists(st.binary(min_size=codec.LONG - 2, max_size=codec.LONG + 2), max_size=3),
    plain.filter(lambda other: len(cbor2.dumps(other)) <= codec.LONG),
)
def test_long_strings_set_apart_are_the_same_strings(strings: list[bytes], other: object) -> None:
    data = cbor2.dumps([strings, other], canonical=True)
    if verdict(data) != "sound":
        return
    apart: list[memoryview] = []
    found = codec.parse(data, limit=LIMIT, apart=apart)
    restored = [apart[each.value] if isinstance(each, cbor2.CBORTag) else each for each in found[0]]
    assert restored == strings
    assert all(len(view) > codec.LONG for view in apart)
    assert cbor2.dumps(found[1], canonical=True) == cbor2.dumps(other, canonical=True)


def test_equal_values_have_equal_bytes_whatever_the_order_of_their_making() -> None:
    assert codec.dump({"b": 1, "a": 2}) == codec.dump({"a": 2, "b": 1}) == bytes.fromhex("a2616102616201")
    assert codec.dump(Plan(epochs=2)) == codec.dump({"epochs": 2})


def test_keys_of_a_newer_minor_version_are_ignored() -> None:
    fields = cbor2.loads(SOUND)
    fields[0], fields[15] = 1, "something new"
    fields[9] = {"newer": [1, 2]}
    assert codec.unseal(_sealed(fields), limit=LIMIT) == codec.unseal(SOUND, limit=LIMIT)


@pytest.mark.parametrize("kind", [0, 13, 99, -1, "1", None, True, 1.0, [1]])
def test_a_type_that_we_do_not_know_is_told_apart(kind: object) -> None:
    fields = cbor2.loads(SOUND)
    fields[1] = kind
    assert _unsealed(_sealed(fields)) == "unknown_type"


@pytest.mark.parametrize("key", [0, 2, 3, 4, 5, 6, 9])
def test_a_message_without_one_of_its_fields_is_malformed(key: int) -> None:
    fields = cbor2.loads(SOUND)
    del fields[key]
    assert _unsealed(_sealed(fields)) == "malformed"


NOT_THAT = {
    "text in the place of bytes": (Receipt, {"status": "ok", "payload": "A" * 43 + "="}),
    "a digest of 31 bytes in a receipt": (Receipt, {"status": "ok", "payload": bytes(31)}),
    "a digest of 33 bytes in a get": (Get, {"blob": bytes(33)}),
    "a digest of one byte in a status": (Status, {"state": "up", "birth": 1, "hello": b"h"}),
    "weights that no device holds": (Block, {"blob": bytes(32), "index": 0, "size": BLOB + 1}),
    "a version below the first": (Hello, {"protocol": [-1, 1]}),
    "a device with half of what it is": (Hello, {"devices": [["a", "up", 4]]}),
    "a device with more than it is": (Hello, {"devices": [["a", "up", 4, "", "", 0, "", 1]]}),
    "a figure that is named by no word": (Telemetry, {"values": {"Loss!": 0.5}}),
}


@pytest.mark.parametrize("case", NOT_THAT)
def test_a_field_of_a_body_that_does_not_hold_is_malformed(case: str) -> None:
    kind, fields = NOT_THAT[case]
    with pytest.raises(PeerFault, match="malformed"):
        codec.load(codec.dump(fields), kind, limit=LIMIT)


@pytest.mark.parametrize("row", [["a"], ["a", b"", 1]])
def test_an_invitation_has_all_of_its_items_and_no_more(row: list[object]) -> None:
    fields = cbor2.loads(golden.sent("ask-inline"))
    fields[9]["each"] = [row]
    assert _unsealed(_sealed(fields)) == "malformed"


def test_more_items_than_a_message_may_have_cost_neither_memory_nor_time() -> None:
    wide = b"\x82" + 2 * (b"\x9a" + (1 << 20).to_bytes(4, "big") + b"\xa0" * (1 << 20))
    tracemalloc.start()
    try:
        assert _parsed(wide) == "malformed"
        assert tracemalloc.get_traced_memory()[1] < 1 << 16
    finally:
        tracemalloc.stop()
    several = b"\x9a" + (codec.ITEMS // 2 - 1).to_bytes(4, "big")
    assert _parsed(b"\x82" + 2 * (several + b"\xa0" * (codec.ITEMS // 2 - 1))) == "sound"
    more = b"\x9a" + (codec.ITEMS // 2).to_bytes(4, "big")
    assert _parsed(b"\x82" + 2 * (more + b"\xa0" * (codec.ITEMS // 2))) == "malformed"


def _parsed(data: bytes) -> str:
    try:
        codec.parse(data, limit=len(data))
    except PeerFault as fault:
        return fault.reason
    return "sound"


WRONG = [
    *((2, value) for value in (b"short", "text", None)),
    *((3, value) for value in ("Upper", "a/b", "a\n", "a" * 33)),
    *((4, value) for value in ("", 4)),
    *((5, value) for value in (-1, 1 << 53)),
    *((6, value) for value in ([1], [1, 2, 3])),
    *((0, value) for value in (-1, "0", None)),
    *((7, value) for value in (b"x" * 17, b"x" * 15, b"", "x", None)),
    *((8, value) for value in (-1, 0.5, None)),
    *((9, value) for value in ([], 7, None)),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_field_of_the_envelope_that_does_not_hold_is_malformed(key: int, value: object) -> None:
    fields = cbor2.loads(SOUND)
    fields[key] = value
    assert _unsealed(_sealed(fields)) == "malformed"


@pytest.mark.parametrize("width", ["e", "f", "d"])
def test_floats_are_read_in_every_width(width: str) -> None:
    head = {"e": b"\xf9", "f": b"\xfa", "d": b"\xfb"}[width]
    assert codec.parse(head + struct.pack(f">{width}", 1.5), limit=LIMIT) == 1.5
