"""What other systems let into their model, and what ours says instead."""

from collections.abc import Sequence
from typing import Any

import cbor2
import msgspec
import numpy as np
import pytest

from folkmoot import parts
from folkmoot.errors import PeerFault, UserFault
from folkmoot.screen import Rejected
from folkmoot.serve.admission import ORDER, Admission, Taken
from folkmoot.wire import codec, partial
from folkmoot.wire.layout import Layout, Tensor
from folkmoot.wire.messages import Answer
from folkmoot.wire.reasons import REASONS
from tests.kit.asks import ask

LAYOUT = Layout((Tensor("w", (4,)),))
ASK = ask(scale=20, bound=8.0, cap=1_000, total=1 << 20)
ADMISSION = Admission(ASK, LAYOUT, leaves=10)
ONES = (1.0, 1.0, 1.0, 1.0)
INT8_ADMISSION = Admission(msgspec.structs.replace(ASK, transform="int8"), LAYOUT, leaves=10)
INT8, INT32, FLOAT16, FLOAT64 = 72, 78, 84, 86  # tags of RFC 8746


def payload(values: Sequence[float] = ONES, weight: Any = 10, tag: int = codec.FLOAT32, leaves: Sequence[str] = "b") -> bytes:
    """Gives the payload of an answer, as somebody would write it who checks nothing."""
    dtype = {codec.FLOAT32: "<f4", INT8: "<i1", INT32: "<i4", FLOAT16: "<f2", FLOAT64: "<f8"}[tag]
    groups = {"main": [weight, cbor2.CBORTag(tag, np.array(values, dtype).tobytes())]}
    return cbor2.dumps({"groups": groups, "leaves": [[leaf, "", b""] for leaf in leaves], "metrics": {}}, canonical=True)


def manifest(data: bytes, **fields: Any) -> Answer:
    sound = Answer(base=ASK.base, weights=ASK.weights, program=ASK.program, payload=codec.digest(data), size=len(data))
    return msgspec.structs.replace(sound, **fields)


# What Flower and NVFlare merge without a word, or end the server with.
PROBES: dict[str, tuple[bytes, str]] = {
    "all NaN": (payload([float("nan")] * 4), "non_finite"),
    "one infinity": (payload([1, 1, 1, float("-inf")]), "non_finite"),
    "a negative weight": (payload([3] * 4, weight=-5), "bad_weight"),
    "a weight of a million millions": (payload([5] * 4, weight=10**12), "weight_over_cap"),
    "a weight that is no number": (payload(weight=float("nan")), "bad_weight"),
    "a weight that is a fraction": (payload(weight=2.5), "bad_weight"),
    "no weight at all": (payload(weight=0), "bad_weight"),
    "one element that could be broadcast": (payload([9]), "shape"),
    "three elements where four belong": (payload([1, 1, 1]), "shape"),
    "int8 from a device": (payload([1, 2, 3, 4], tag=INT8), "dtype"),
    "float16": (payload(tag=FLOAT16), "dtype"),
    "float64": (payload(tag=FLOAT64), "dtype"),
    "an element beyond the bound": (payload([1, 1, 1, 8.001]), "out_of_bounds"),
    "a device twice": (payload(tag=INT32, leaves="cc"), "duplicate_leaf"),
    "nobody": (payload(tag=INT32, leaves=""), "no_usable_updates"),
    "sums that were never lifted": (payload(leaves="cd"), "dtype"),
    "sums beyond what their weight can reach": (
        payload([0, 0, 0, 80 * 2**20 + 1], tag=INT32, leaves="cd"),
        "out_of_bounds",
    ),
    "a weight above the cap of two devices": (payload(weight=2_001, tag=INT32, leaves="cd"), "weight_over_cap"),
    "no CBOR": (b"\xff" * 40, "malformed"),
    "half an answer": (payload()[:-20], "malformed"),
    "more bytes than can be sound": (payload([1.0] * 20_000), "oversized"),
}


@pytest.mark.parametrize("probe", PROBES)
def test_what_must_not_get_in_has_its_word_and_leaves_the_sums_as_they_are(probe: str) -> None:
    data, reason = PROBES[probe]
    fold = parts.Fold(LAYOUT.sizes(), ASK.scale, ASK.total)
    fold.add(partial.load(payload(leaves="a"), limit=ADMISSION.limit))
    before = fold.partial()
    verdict = ADMISSION.judge("b", manifest(data), data)
    assert isinstance(verdict, Rejected)
    assert verdict.reason == reason
    assert verdict.reason in REASONS
    assert verdict.detail
    assert fold.partial() == before
    assert parts.mean(before, LAYOUT, ASK.scale)["w"].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"base": 7}, "stale_base"),
        ({"weights": b"x" * 32}, "stale_base"),
        ({"program": b"x" * 32}, "wrong_program"),
        ({"base": 7, "program": b"x" * 32}, "stale_base"),
    ],
)
def test_what_is_relative_to_something_else_is_not_even_read(fields: dict[str, Any], reason: str) -> None:
    verdict = ADMISSION.judge("b", manifest(b"", **fields), b"")
    assert isinstance(verdict, Rejected)
    assert verdict.reason == reason


def test_a_home_in_which_nobody_learnt_says_so_and_changes_no_sum() -> None:
    leaves = [["c", "refused:not_ready", b""], ["d", "late", b""]]
    data = cbor2.dumps({"groups": {}, "leaves": leaves, "metrics": {"bytes_up": 900}}, canonical=True)
    verdict = ADMISSION.judge("gateway", manifest(data), data, {"c", "d"})
    assert isinstance(verdict, Taken)
    fold = parts.Fold(LAYOUT.sizes(), ASK.scale, ASK.total)
    fold.add(verdict.partial)
    assert fold.partial() == verdict.partial
    forged = payload(tag=INT32, leaves="c").replace(b"\x83\x61c\x60", b"\x83\x61c\x61x")
    verdict = ADMISSION.judge("gateway", manifest(forged), forged)
    assert isinstance(verdict, Rejected)
    assert verdict.reason == "shape"


def test_a_round_in_which_everything_was_rejected_keeps_its_model() -> None:
    fold = parts.Fold(LAYOUT.sizes(), ASK.scale, ASK.total)
    for member in "abc":
        data = payload(weight=0, leaves=member)
        assert isinstance(ADMISSION.judge(member, manifest(data), data), Rejected)
    with pytest.raises(PeerFault) as fault:
        parts.mean(fold.partial(), LAYOUT, ASK.scale)
    assert fault.value.reason == "no_usable_updates"


def test_an_honest_update_and_an_honest_sum_are_taken() -> None:
    fold = parts.Fold(LAYOUT.sizes(), ASK.scale, ASK.total)
    for member in "bcd":
        data = payload([8.0, -8.0, 0.0, -0.0], weight=1_000, leaves=member)
        verdict = ADMISSION.judge(member, manifest(data), data, {member})
        assert isinstance(verdict, Taken)
        fold.add(verdict.partial)
    data = partial.dump(fold.partial())
    assert ADMISSION.judge("gateway", manifest(data), data, {"b", "c", "d", "e"}) == Taken(fold.partial())


@pytest.mark.parametrize("leaves", ["c", "bc"])
def test_a_device_answers_for_itself_alone(leaves: str) -> None:
    data = payload(tag=INT32, leaves=leaves)
    verdict = ADMISSION.judge("b", manifest(data), data, {"b"})
    assert isinstance(verdict, Rejected)
    assert verdict.reason == "foreign_leaf"


def test_an_answer_that_only_measures_has_no_numbers_to_merge() -> None:
    admission = Admission(ask(phase="evaluate"), LAYOUT, leaves=10)
    data = cbor2.dumps({"groups": {}, "leaves": [["b", "", b""]], "metrics": {"correct": 7}}, canonical=True)
    assert isinstance(admission.judge("b", manifest(data), data), Taken)
    verdict = admission.judge("b", manifest(payload()), payload())
    assert isinstance(verdict, Rejected)
    assert verdict.reason == "shape"


def test_a_metric_of_one_device_cannot_spoil_the_sums_of_a_million() -> None:
    data = cbor2.dumps(
        {
            "groups": {"main": [1, cbor2.CBORTag(85, np.ones(4, "<f4").tobytes())]},
            "leaves": [["b", "", b""]],
            "metrics": {"loss_u20": -(1 << 50)},
        },
        canonical=True,
    )
    verdict = ADMISSION.judge("b", manifest(data), data)
    assert isinstance(verdict, Rejected)
    assert verdict.reason == "bad_metric"
    wider = Admission(ASK, LAYOUT, leaves=10, screens={"metrics": {"bits": 50}})
    assert isinstance(wider.judge("b", manifest(data), data), Taken)


def test_the_largest_sound_payload_is_not_oversized() -> None:
    leaves = [[f"{i:032}", "a" * 64, b"n" * 4_096] for i in range(9)] + [["z" * 32, "", b"n" * 4_096]]
    form = {
        "groups": {"main": [1_000, cbor2.CBORTag(79, np.array([1 << 32] * 4, "<i8").tobytes())]},
        "leaves": leaves,
        "metrics": {f"m{i:031}": 1 << 40 for i in range(64)},
    }
    data = cbor2.dumps(form, canonical=True)
    assert 0.9 * ADMISSION.limit < len(data) <= ADMISSION.limit
    assert isinstance(ADMISSION.judge("g", manifest(data), data), Taken)


def test_a_screen_that_does_not_exist_is_a_person_s_mistake() -> None:
    with pytest.raises(UserFault, match=r"no screen 'nrom'; there are .*finite"):
        Admission(ASK, LAYOUT, leaves=1, screens={"nrom": {}})


def test_the_first_rejection_counts() -> None:
    assert ORDER.index("shape") < ORDER.index("dtype") < ORDER.index("weight") < ORDER.index("finite") < ORDER.index("bound")
    data = payload([float("nan")] * 3, weight=0, tag=codec.FLOAT32)
    verdict = ADMISSION.judge("b", manifest(data), data)
    assert isinstance(verdict, Rejected)
    assert verdict.reason == "shape"


def encoded(
    step: float = 0.5, elements: Sequence[int] = (1, 2, -3, 0), name: str = "main", leaves: Sequence[str] = "b"
) -> bytes:
    """Gives the payload of an answer that has travelled as int8."""
    content = np.array([step], "<f4").tobytes() + np.array(elements, np.int8).tobytes()
    groups = {name: [10, content]}
    return cbor2.dumps({"groups": groups, "leaves": [[leaf, "", b""] for leaf in leaves], "metrics": {}}, canonical=True)


def test_an_encoded_update_is_taken_as_float32_and_so_is_one_that_is_not_encoded() -> None:
    taken = [INT8_ADMISSION.judge("b", manifest(data), data) for data in (encoded(), payload([0.5, 1.0, -1.5, 0.0]))]
    first, second = (verdict.partial for verdict in taken if isinstance(verdict, Taken))
    assert first == second
    assert first.groups["main"].tag == codec.FLOAT32


UNDECODED: dict[str, tuple[bytes, str]] = {
    "a byte too few": (encoded(elements=[1, 2, 3]), "malformed"),
    "a byte too many": (encoded(elements=[1, 2, 3, 4, 5]), "malformed"),
    "float32 without its tag": (encoded(elements=[0] * 12), "malformed"),
    "a step that is NaN": (encoded(float("nan")), "malformed"),
    "a step that is infinite": (encoded(float("inf")), "malformed"),
    "a step that is negative": (encoded(-0.5), "malformed"),
    "a step that is zero": (encoded(0.0), "malformed"),
    "a step that is subnormal": (encoded(1e-40), "malformed"),
    "a step that is huge": (encoded(3e38), "malformed"),
    "a step beyond the bound": (encoded(8.001), "out_of_bounds"),
    "a group that is none of the layout's": (encoded(name="other"), "shape"),
    "sums of a gateway": (encoded(leaves="cd"), "dtype"),
    "int8 as a typed array": (payload([1, 2, 3, 4], tag=INT8), "dtype"),
}


@pytest.mark.parametrize("probe", UNDECODED)
def test_what_no_device_can_have_encoded_is_refused_in_a_word(probe: str) -> None:
    data, reason = UNDECODED[probe]
    verdict = INT8_ADMISSION.judge("b", manifest(data), data)
    assert isinstance(verdict, Rejected)
    assert (verdict.reason, bool(verdict.detail)) == (reason, True)


def test_nobody_encodes_who_was_not_asked_to() -> None:
    for asked in (ASK, msgspec.structs.replace(ASK, phase="evaluate")):
        verdict = Admission(asked, LAYOUT, leaves=10).judge("b", manifest(encoded()), encoded())
        assert isinstance(verdict, Rejected)
        assert verdict.reason == "dtype"


def test_a_transform_that_is_not_here_is_a_fault_of_the_ask() -> None:
    with pytest.raises(UserFault, match="there is no transform 'int4'"):
        Admission(msgspec.structs.replace(ASK, transform="int4"), LAYOUT, leaves=1)
