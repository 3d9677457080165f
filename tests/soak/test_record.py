"""That the record of a soak is seen through where it is wrong."""

from typing import Any

import pytest

from folkmoot.wire import codec
from folkmoot.wire.messages import Receipt
from tests.kit.spy import Seen
from tests.soak.record import Record, Round, check_receipts, check_rounds

HOME = {"a": "g1", "b": "g1"}
ASK = bytes(16)


def entry(fate: str = "answered", reason: str = "", gateway: str = "g1") -> dict[str, Any]:
    """Gives what a record says of a device."""
    return {"fate": fate, "reason": reason, "gateway": gateway}


def closed(members: dict[str, dict[str, Any]], **changes: Any) -> Record:
    """Gives the record of one round that is over."""
    answered = sum(one["fate"] == "answered" for one in members.values())
    view = {"status": "closed", "reason": "all", "outcome": "complete", "model": "m1", "devices": {"answered": answered}}
    return Record(rounds=[Round("r", 1, view | changes, members)])


def ok(member: str, answer: bytes = b"1", status: Any = "ok") -> Seen:
    """Gives a receipt."""
    return Seen(0.0, "g1", member, True, Receipt(status=status, payload=codec.digest(answer)), ASK, "r", 1)


def test_a_sound_record_passes() -> None:
    record = closed({"a": entry(), "b": entry("late", "deadline")})
    check_rounds(record, HOME)
    assert check_receipts(record, [ok("a"), ok("a"), ok("b"), ok("b", status="late")]) == {"ok": 3, "late": 1}


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (closed({"a": entry()}, status="open"), "is open"),
        (closed({"a": entry()}, reason=""), "does not say why"),
        (closed({"a": entry()}, model=None), "round 1"),
        (closed({"a": entry()}, devices={"answered": 2}), "'answered': 2"),
        (closed({"a": entry("asked")}), "a is asked"),
        (closed({"a": entry(gateway="g2")}), "a is in the home g2"),
    ],
)
def test_a_round_that_is_not_as_it_should_be_is_found(record: Record, why: str) -> None:
    with pytest.raises(AssertionError, match=why):
        check_rounds(record, HOME)


def test_who_was_told_ok_and_is_forgotten_is_found() -> None:
    with pytest.raises(AssertionError, match="b was told ok in round 1 of r, and is not in the record"):
        check_receipts(closed({"a": entry()}), [ok("b")])
    with pytest.raises(AssertionError, match="b was told ok, and is in the record as"):
        check_receipts(closed({"a": entry(), "b": entry("silent")}), [ok("b")])


def test_who_was_told_ok_for_two_answers_is_found() -> None:
    with pytest.raises(AssertionError, match="a was told ok for two answers"):
        check_receipts(closed({"a": entry()}), [ok("a"), ok("a", b"2")])
