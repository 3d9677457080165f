"""docs/protocol.md says what the code does: fields, defaults, topics, numbers, and the example to the byte."""

import json
import re
from typing import Any

import msgspec
import pytest

from folkmoot.hop import events, fetch, lower, member, ports, round
from folkmoot.serve import admission
from folkmoot.wire import chunks, codec, layout, messages
from folkmoot.wire.messages import TYPES, Body, Offline, Plan
from folkmoot.wire.topics import Tree
from tests.architecture.conftest import ROOT
from tests.kit import golden

TEXT = (ROOT / "docs" / "protocol.md").read_text()


def section(title: str) -> str:
    """Gives what stands between a heading and the next one."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", TEXT, re.M | re.S)
    assert found, title
    return found[1]


def in_words(value: Any) -> str:
    """Gives a default as the document writes it."""
    if value == b"":
        return '""'
    return json.dumps(value if not isinstance(value, Plan) else {})


def described(structure: type[msgspec.Struct], written: str) -> None:
    """Checks that a text has a row for every field, with its default in brackets."""
    for field in msgspec.structs.fields(structure):
        row = re.search(rf"^\| `{field.encode_name}` \|(.*)$", written, re.M)
        assert row, field.name
        if not field.required:
            default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
            assert f"[{in_words(default)}]" in row[1].replace("`", '"'), field.name


@pytest.mark.parametrize(("number", "body"), TYPES.items())
def test_every_field_of_every_message_is_described_with_its_default(number: int, body: type[Body]) -> None:
    described(body, section(f"{number} {body.__name__}"))


def test_every_field_of_a_plan_is_described_with_its_default() -> None:
    described(Plan, section("1 Ask"))


def test_every_field_of_a_policy_is_described_with_its_default() -> None:
    described(Offline, section("1 Ask"))


def test_the_topics_are_those_of_the_tree() -> None:
    tree = Tree("fl", "gw-of-the-doc")
    rows = dict(re.findall(r"^\| `(fl/v1/h/\S+)` \| [a-z ]+ \| ([a-z, ]+) \|", section("Topics"), re.M))
    found: dict[str, set[str]] = {"fl/v1/h/{gw}/_gw/status": {"status"}}
    for body in TYPES.values():
        topic = tree.topic("dev-of-the-doc", body).replace("gw-of-the-doc", "{gw}").replace("dev-of-the-doc", "{dev}")
        found.setdefault(topic, set()).add(body.__name__.lower())
    assert {topic: set(types.split(", ")) for topic, types in rows.items()} == found


def test_the_numbers_are_those_of_the_code() -> None:
    numbers = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", section("Numbers"), re.M))
    seconds = 1000
    expected = {
        "an Ask without a reply is sent again after": (round.RESEND // seconds, round.RESEND_CAP // seconds),
        "a manifest without a receipt is sent again after": (member.OFFER_AGAIN // seconds, member.OFFER_CAP // seconds // 60),
        "blocks that do not come are asked for again after": (fetch.PATIENCE // seconds, fetch.PATIENCE_CAP // seconds),
        "blocks asked for at once": (fetch.WINDOW,),
        "status is repeated after": (lower.HEARTBEAT_FIRST // seconds, lower.HEARTBEAT // seconds),
        "grace from away to gone": (msgspec.structs.fields(events.Terms)[3].default // seconds,),
        "piece of a payload": (chunks.CHUNK,),
        "envelope and other fields around it": (ports.ROOM,),
        "map entries, nesting": (codec.MAP, codec.DEPTH),
        "items of a message or a payload": (codec.ITEMS,),
        "a blob": (messages.BLOB,),
        "axes of a tensor": (layout.AXES,),
        "groups of a layout": (layout.GROUPS,),
    }
    assert f"`need` within {member.HEEL // seconds} s of another" in section("The life of an Ask")
    for what, values in expected.items():
        figures = [int(figure.replace(",", "")) for figure in re.findall(r"(?<![\^\d])\d[\d,]*(?!\^)", numbers[what])]
        assert [figure for figure in figures if figure in values][: len(values)] == list(values), what


def test_what_a_sound_payload_may_have_is_what_admission_counts() -> None:
    sentence = f"at most {admission.REST} bytes, {admission.LEAF:,} a leaf, {admission.METRIC} for each of {codec.MAP} metrics"
    assert sentence in section("Admission").replace("\n", " ")
    assert f"each group {admission.GROUP} and {admission.ELEMENT} an element" in section("Admission").replace("\n", " ")


def test_the_checks_are_in_the_order_of_the_screens() -> None:
    reasons = {"shape": "`shape`", "dtype": "`dtype` |", "weight": "`bad_weight`, `w", "finite": "`non_f", "bound": "`out_of"}
    rows = section("Admission").splitlines()
    places = [max(i for i, row in enumerate(rows) if word in row) for word in reasons.values()]
    assert [name for name in admission.ORDER if name in reasons] == [
        name for _, name in sorted(zip(places, reasons, strict=True))
    ]


EXAMPLES = re.findall(r"```text\n([\w-]+)\.cbor\n\n(.*?)```", TEXT, re.S)


def test_there_are_examples() -> None:
    assert {"status-up", "ask-inline", "started", "answer-inline", "partial-device-7", "receipt-ok"} <= dict(EXAMPLES).keys()


@pytest.mark.parametrize(("name", "listing"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_is_the_golden_vector_to_the_byte(name: str, listing: str) -> None:
    assert bytes.fromhex(re.sub(r";.*", "", listing)) == golden.sent(name)


@pytest.mark.parametrize("name", golden.NAMES)
def test_files_that_the_document_names_are_there(name: str) -> None:
    named = set(re.findall(r"`((?:status|request|hello|get|partial|answer)-[a-z0-9-]+)`", TEXT))
    assert named <= set(golden.NAMES)
