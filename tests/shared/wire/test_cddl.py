"""docs/protocol.cddl says what the code does."""

import re
from functools import cache

import cbor2
import msgspec
import pycddl
import pytest
from hypothesis import given

from folkmoot.wire import bundle, codec, layout, messages, partial
from folkmoot.wire.codec import Envelope
from folkmoot.wire.messages import NUMBERS, TYPES
from folkmoot.wire.partial import Partial
from tests.architecture.conftest import ROOT
from tests.kit import golden
from tests.kit.bodies import envelopes
from tests.shared.wire.test_partial import partials

TEXT = (ROOT / "docs" / "protocol.cddl").read_text()
# Which structure a rule describes, where it is not the type of a message.
RULES: dict[str, type[msgspec.Struct]] = {
    **{body.__name__.lower(): body for body in TYPES.values()},
    "plan": messages.Plan,
    "offline": messages.Offline,
    "program": bundle.Program,
    "manifest": bundle.Manifest,
    "optimizer": bundle.Optimizer,
    "signature": bundle.Signature,
    "contract": bundle.Contract,
    "bundle": bundle.Bundle,
    "tensor": layout.Tensor,
}
ARRAYS: dict[str, type[msgspec.Struct]] = {
    "invited": messages.Invited,
    "home": messages.Device,
    "leaf": partial.Leaf,
    "graft": bundle.Graft,
}


@cache
def schema(rule: str) -> pycddl.Schema:
    """Gives the schema that checks for one rule."""
    return pycddl.Schema(f"start = {rule}\n{TEXT}")


def block(rule: str, ends: str) -> str:
    """Gives what stands between the brackets of a rule."""
    opens, closes = ends
    found = re.search(
        rf"^{rule} = \{opens}(.*?)\{closes}$" if rule in RULES else rf"^{rule} = \{opens}(.*?)\{closes}", TEXT, re.M | re.S
    )
    assert found, rule
    return re.sub(r";.*", "", found[1])


@pytest.mark.parametrize("name", golden.NAMES)
def test_every_golden_vector_is_what_the_schema_says(name: str) -> None:
    vector = golden.read(name)
    rule = "message" if "type" in vector else next(key for key in ("partial", "program", "bundle") if key in vector)
    schema(rule).validate_cbor(golden.sent(name))


@given(envelopes)
def test_every_message_that_our_code_writes_is_what_the_schema_says(envelope: Envelope) -> None:
    schema("message").validate_cbor(codec.seal(envelope))


@given(partials)
def test_every_partial_that_our_code_writes_is_what_the_schema_says(value: Partial) -> None:
    schema("partial").validate_cbor(partial.dump(value))


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_the_fields_of_its_structure(rule: str) -> None:
    written = block(rule, "{}")
    keys = re.findall(r'(\? )?"(\w+)":', re.sub(r'\{"tensors".*?\}', "", written))
    fields = msgspec.structs.fields(RULES[rule])
    assert [key for _, key in keys] == [field.encode_name for field in fields]
    if RULES[rule].__struct_config__.omit_defaults:
        assert [bool(optional) for optional, _ in keys] == [not field.required for field in fields]
    else:
        assert not any(optional for optional, _ in keys)


@pytest.mark.parametrize("rule", ARRAYS)
def test_an_array_has_the_fields_of_its_structure(rule: str) -> None:
    assert len(re.findall(r"(\w+): ", block(rule, "[]"))) == len(msgspec.structs.fields(ARRAYS[rule]))


def test_every_type_of_message_is_in_the_schema_with_its_number() -> None:
    named = dict(re.findall(r"1: (\d+), 9: (\w+)", TEXT))
    assert named == {str(number): body.__name__.lower() for body, number in NUMBERS.items()}


WRONG = {
    "an id that is too short": {2: b"short"},
    "no type": {1: None},
    "a type that is not there": {1: 99},
    "a scale beyond the widest": {"scale": 53},
    "a digest that is none": {"program": b"short"},
    "a field that is not there": {"colour": "red"},
    "a plan that takes for ever": {"plan": {"epochs": 1001}},
    "a round before the first": {"round": -1},
}


@pytest.mark.parametrize("case", WRONG)
def test_the_schema_refuses_what_the_code_does_not_write(case: str) -> None:
    fields = cbor2.loads(golden.sent("ask-inline"))
    for key, value in WRONG[case].items():
        (fields if isinstance(key, int) else fields[9])[key] = value
    with pytest.raises(pycddl.ValidationError):
        schema("message").validate_cbor(cbor2.dumps(fields, canonical=True))
