"""The golden vectors, both ways: what a device in another language is tested against."""

import hashlib
from typing import Any

import cbor2
import numpy as np
import pytest

from folkmoot import parts, plugins
from folkmoot.wire import codec, partial
from folkmoot.wire.messages import TYPES
from folkmoot.wire.topics import Tree
from tests.kit import golden

every = pytest.mark.parametrize("name", golden.NAMES)
MESSAGES = [name for name in golden.NAMES if "type" in golden.read(name)]


@every
def test_what_is_written_is_what_the_file_holds(name: str) -> None:
    assert golden.encode(golden.read(name)).hex() == golden.sent(name).hex()


@every
def test_what_the_file_holds_is_what_is_read(name: str) -> None:
    vector = golden.read(name)
    assert golden.decode(vector, golden.sent(name)) == vector


@every
def test_the_form_of_a_vector_is_settled(name: str) -> None:
    assert (golden.FOLDER / f"{name}.json").read_text() == golden.write(golden.read(name))


def test_every_type_of_message_has_a_vector() -> None:
    assert {golden.read(name)["type"] for name in MESSAGES} == {body.__name__ for body in TYPES.values()}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_stands_where_it_belongs(name: str) -> None:
    vector = golden.read(name)
    tree = Tree("fl", "" if vector["topic"].startswith("fl/v1/c/") else "hall")
    envelope = codec.unseal(golden.sent(name), limit=1 << 20)
    assert tree.place(vector["topic"]).admits(envelope.body)


def values(name: str) -> Any:
    return cbor2.loads(golden.sent(name))


def test_the_vectors_tell_one_story() -> None:
    """Digests name what the other files hold, and the hello is the one that the status announces."""
    ask, answer = values("ask-inline")[9], values("answer-inline")[9]
    assert ask["program"] == hashlib.sha256(golden.sent("program")).digest() == values("get-blob")[9]["blob"]
    assert ask["weights"] == hashlib.sha256(ask["inline"]).digest() == answer["weights"]
    assert answer["inline"] == golden.sent("partial-device-7")
    assert answer["payload"] == hashlib.sha256(answer["inline"]).digest() == values("receipt-ok")[9]["payload"]
    assert values("status-up")[9]["hello"] == codec.digest(cbor2.dumps(values("hello-device")[9], canonical=True))
    assert values("ask-inline")[7] == values("started")[7] == values("answer-inline")[7] == values("receipt-ok")[7]


def test_the_gateway_s_sums_are_those_of_its_devices() -> None:
    scale = values("ask-inline")[9]["scale"]
    fold = parts.Fold({"main": 3}, scale)
    for name in ("partial-device-8", "partial-device-7"):
        fold.add(partial.load(golden.sent(name), limit=1 << 20))
    sums, forwarded = fold.partial(), partial.load(golden.sent("partial-gateway"), limit=1 << 20)
    assert sums.groups == forwarded.groups
    assert np.array_equal(parts.view(sums.groups["main"]), [1_363_149, -524_288, -3_145_728])


def test_an_encoded_update_is_decoded_to_the_bits_of_one_in_float32() -> None:
    transform = plugins.load("transforms", values("ask-int8")[9]["transform"])
    encoded, plain = (partial.load(golden.sent(f"partial-{name}"), limit=1 << 20) for name in ("int8", "device-7"))
    assert parts.decoded(encoded, transform, {"main": [3]}).groups == plain.groups
