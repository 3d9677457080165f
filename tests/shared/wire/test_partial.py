import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot.errors import PeerFault
from folkmoot.wire import partial
from folkmoot.wire.codec import LONG, MAP
from folkmoot.wire.layout import GROUPS
from folkmoot.wire.partial import ENCODED, WIDTHS, Group, Leaf, Partial
from tests.kit.bodies import NAMES, WORDS
from tests.kit.updates import update

LIMIT = 1 << 20
INT8, FLOAT32, FLOAT64 = 72, 85, 86


@st.composite
def groups(draw: st.DrawFn) -> Group:
    tag = draw(st.sampled_from((ENCODED, *sorted(WIDTHS))))
    size = draw(st.integers(0, 12) | st.integers(LONG // 8 - 1, LONG // 2)) * WIDTHS.get(tag, 3)
    return Group(draw(st.integers(-(1 << 63), (1 << 63) - 1)), tag, draw(st.binary(min_size=1, max_size=1)) * size)


leaves = st.lists(
    st.builds(Leaf, device=NAMES, fate=st.from_regex(r"[a-z_:]{0,64}", fullmatch=True), note=st.binary(max_size=30)),
    max_size=5,
    unique_by=lambda leaf: leaf.device,
).map(lambda found: tuple(sorted(found, key=lambda leaf: leaf.device)))
partials = st.builds(
    Partial,
    groups=st.dictionaries(WORDS, groups(), max_size=3),
    leaves=leaves,
    metrics=st.dictionaries(WORDS, st.integers(-(1 << 62), 1 << 62), max_size=4),
)


@given(partials)
def test_a_partial_comes_out_as_it_went_in(value: Partial) -> None:
    data = partial.dump(value)
    assert partial.load(data, limit=LIMIT) == value
    assert partial.dump(partial.load(data, limit=LIMIT)) == data
    assert cbor2.dumps(cbor2.loads(data), canonical=True) == data


@given(partials, st.data())
def test_a_damaged_partial_is_a_partial_or_a_fault_of_its_sender(value: Partial, data: st.DataObject) -> None:
    sent = bytearray(partial.dump(value))
    for _ in range(data.draw(st.integers(1, 3))):
        sent[data.draw(st.integers(0, min(len(sent), 200) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        partial.load(bytes(sent), limit=LIMIT)
    except PeerFault as fault:
        assert fault.reason in ("malformed", "dtype", "bad_weight", "duplicate_leaf")


@pytest.mark.parametrize("tag", [FLOAT32, ENCODED])
def test_a_large_group_is_not_copied(tag: int) -> None:
    data = partial.dump(Partial(groups={"main": Group(1, tag, bytes(4 * LONG))}, leaves=(Leaf("a"),)))
    found = partial.load(data, limit=LIMIT).groups["main"].data
    assert isinstance(found, memoryview)
    assert found.obj is data


def form(**changes: object) -> dict[str, object]:
    return {
        "groups": {"main": [2, cbor2.CBORTag(FLOAT32, bytes(8))]},
        "leaves": [["a", "", b""]],
        "metrics": {"m": 1},
    } | changes


def main(weight: object, array: object) -> dict[str, object]:
    return form(groups={"main": [weight, array]})


FAULTS = {
    "leaves that are not sorted": (form(leaves=[["b", "", b""], ["a", "", b""]]), "malformed"),
    "a leaf twice": (form(leaves=[["a", "", b""], ["a", "late", b""]]), "duplicate_leaf"),
    "a leaf of two parts": (form(leaves=[["a", ""]]), "malformed"),
    "a leaf of four parts": (form(leaves=[["a", "", b"", b""]]), "malformed"),
    "a leaf without a name": (form(leaves=[[]]), "malformed"),
    "a name that is none": (form(leaves=[["A", "", b""]]), "malformed"),
    "a name with a newline": (form(leaves=[["a\n", "", b""]]), "malformed"),
    "a fate that is no word": (form(leaves=[["a", "Late!", b""]]), "malformed"),
    "a note that is too long": (form(leaves=[["a", "", bytes(LONG + 1)]]), "malformed"),
    "no leaves": ({"groups": {}, "metrics": {}}, "malformed"),
    "no groups": ({"leaves": [], "metrics": {}}, "malformed"),
    "no metrics": ({"leaves": [], "groups": {}}, "malformed"),
    "a metric that is a fraction": (form(metrics={"m": 0.5}), "malformed"),
    "a metric beyond the wire": (form(metrics={"m": (1 << 62) + 1}), "malformed"),
    "more groups than may be": (
        form(groups={f"g{i}": [1, cbor2.CBORTag(FLOAT32, b"")] for i in range(GROUPS + 1)}),
        "malformed",
    ),
    "more metrics than may be": (form(metrics={f"m{i}": 1 for i in range(MAP + 1)}), "malformed"),
    "a group with another name": (form(groups={"Main": [1, cbor2.CBORTag(FLOAT32, b"")]}), "malformed"),
    "a group without an array": (form(groups={"main": [1]}), "malformed"),
    "a weight that is a fraction": (main(1.0, cbor2.CBORTag(FLOAT32, bytes(8))), "bad_weight"),
    "a weight that is NaN": (main(float("nan"), cbor2.CBORTag(FLOAT32, bytes(8))), "bad_weight"),
    "a weight that is true": (main(True, cbor2.CBORTag(FLOAT32, bytes(8))), "bad_weight"),
    "a weight that is a tag": (main(cbor2.CBORTag(FLOAT32, b""), cbor2.CBORTag(FLOAT32, b"")), "bad_weight"),
    "text without a type": (main(1, "00000000"), "malformed"),
    "a list of numbers": (main(1, [0.5, 0.5]), "malformed"),
    "a type within a type": (main(1, cbor2.CBORTag(FLOAT32, cbor2.CBORTag(INT8, b"\x00"))), "malformed"),
    "float64": (main(1, cbor2.CBORTag(FLOAT64, bytes(8))), "dtype"),
    "big-endian float32": (main(1, cbor2.CBORTag(81, bytes(8))), "dtype"),
    "half an element": (main(1, cbor2.CBORTag(FLOAT32, bytes(6))), "malformed"),
    "half an element of many": (main(1, cbor2.CBORTag(FLOAT32, bytes(LONG + 2))), "malformed"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_partial_that_cannot_be_is_refused(case: str) -> None:
    value, reason = FAULTS[case]
    with pytest.raises(PeerFault) as fault:
        partial.load(cbor2.dumps(value, canonical=True), limit=LIMIT)
    assert fault.value.reason == reason


def test_a_partial_that_is_too_large_is_not_read() -> None:
    with pytest.raises(PeerFault, match="oversized"):
        partial.load(partial.dump(update("a", 1)), limit=50)


def test_keys_of_a_newer_minor_version_are_ignored() -> None:
    value = cbor2.dumps(form(newer=[1]), canonical=True)
    assert partial.load(value, limit=LIMIT) == partial.load(cbor2.dumps(form(), canonical=True), limit=LIMIT)
