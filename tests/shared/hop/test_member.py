"""The lower end of one Ask."""

import pytest

from folkmoot.errors import MisuseFault
from folkmoot.hop.member import (
    HEEL,
    AskAgain,
    Asked,
    Cancelled,
    Discard,
    Failed,
    Forget,
    Local,
    Member,
    Offer,
    Receipted,
    Reconnected,
    Reply,
    SendPieces,
    StopWork,
    Woke,
    Work,
    Worked,
)
from folkmoot.wire import codec
from folkmoot.wire.messages import Invited, Offline
from tests.kit.asks import ask

ASKED = Asked(b"1" * 16, ask(), 10_000)
BOTH, ONE = (Asked(b"1" * 16, ask(each=tuple(map(Invited, names))), 10_000) for names in ("ab", "b"))
WORKED = Worked(b"a" * 32, 100)


def offering() -> Member:
    """Gives a member that has an answer under way since time 5."""
    item = Member()
    item.handle(ASKED, 0)
    item.handle(WORKED, 5)
    return item


def test_an_ask_is_acknowledged_and_worked_on() -> None:
    assert Member().handle(ASKED, 0) == [Reply(), Work()]


def test_the_answer_is_offered_until_there_is_a_receipt() -> None:
    item = offering()
    assert item.wake == 30_005
    assert item.handle(Woke(), 30_005) == [Offer(1)]
    assert item.wake == 30_005 + 60_000
    assert item.handle(Receipted("ok"), 30_100) == [Forget("ok")]
    assert item.wake is None


@pytest.mark.parametrize("status", ["ok", "dup", "late", "bad"])
def test_every_final_receipt_ends_it(status: str) -> None:
    item = offering()
    item.handle(Receipted(status, "why"), 6)  # type: ignore[arg-type]
    assert (item.state, item.fate) == ("done", f"{status}:why")


def test_need_sends_the_missing_pieces_and_waits_on() -> None:
    item = offering()
    assert item.handle(Receipted("need", have=b"\x01"), 6) == [SendPieces(b"\x01")]
    assert item.state == "offering"


def test_a_need_on_the_heels_of_another_brings_the_manifest_again_and_no_piece() -> None:
    item = offering()
    item.handle(Receipted("need"), 6)
    assert item.handle(Receipted("need"), 7) == []
    assert item.wake == 6 + HEEL
    assert item.handle(Woke(), 6 + HEEL) == [Offer(1)]
    assert item.handle(Receipted("need", have=b"\x01"), 7 + HEEL) == [SendPieces(b"\x01")]


def test_what_a_broker_has_forgotten_is_sent_at_once() -> None:
    item = offering()
    item.handle(Receipted("need"), 6)
    item.handle(Reconnected(), 7)
    assert item.handle(Receipted("need"), 8) == [SendPieces(b"")]


def test_work_that_fails_is_refused() -> None:
    item = Member()
    item.handle(ASKED, 0)
    assert item.handle(Failed("no_examples"), 1) == [Reply("no_examples"), Forget("refused:no_examples")]


def test_a_cancelled_ask_stops_the_work() -> None:
    item = Member()
    item.handle(ASKED, 0)
    assert item.handle(Cancelled("goal"), 1) == [StopWork("goal"), Forget("cancelled:goal")]


def test_work_past_the_deadline_is_given_up() -> None:
    item = Member()
    item.handle(ASKED, 0)
    assert item.wake == 10_000
    assert item.handle(Woke(), 10_000)[0] == StopWork("deadline")


def test_an_ask_that_comes_again_is_worked_on_once_and_offered_again_when_done() -> None:
    item = Member()
    item.handle(ASKED, 0)
    assert item.handle(ASKED, 1) == [Reply(), Work()]  # Work is idempotent: the node knows what it is doing
    item.handle(WORKED, 2)
    assert item.handle(ASKED, 3) == [Offer(1)]


def test_an_ask_that_crosses_the_receipt_is_of_no_use() -> None:
    item = offering()
    item.handle(Receipted("ok"), 6)
    assert item.handle(ASKED, 7) == []


def test_an_ask_after_a_refusal_is_a_new_chance() -> None:
    item = Member()
    item.handle(ASKED, 0)
    item.handle(Failed("not_ready"), 1)
    assert item.handle(ASKED, 2) == [Reply(), Work()]


def test_an_ask_after_the_word_late_is_a_new_chance() -> None:
    item = offering()
    item.handle(Receipted("late"), 6)
    assert item.handle(ASKED, 7) == [Reply(), Work()]


def test_after_a_reboot_work_is_asked_for_again_and_answers_are_offered_again() -> None:
    working = Member()
    working.handle(ASKED, 0)
    assert working.resume(1) == [AskAgain()]
    assert offering().resume(6) == [Offer(1)]


def test_a_session_that_the_broker_forgot_is_taken_up() -> None:
    assert offering().handle(Reconnected(), 6) == [Offer(1)]


def test_a_receipt_before_any_ask_is_our_own_bug() -> None:
    with pytest.raises(MisuseFault):
        Member().handle(Receipted("ok"), 0)


def test_an_ask_with_fewer_leaves_holds_from_then_on() -> None:
    for first in (ASKED, BOTH):
        item = Member()
        item.handle(first, 0)
        assert item.handle(ONE, 1) == [Reply(), Work()]
        assert item.ask.each == ONE.ask.each
        item.handle(first, 2)  # was under way for longer
        assert item.ask.each == ONE.ask.each


def test_an_answer_is_withdrawn_when_its_ask_has_fewer_leaves() -> None:
    item = Member()
    item.handle(BOTH, 0)
    item.handle(WORKED, 1)
    assert item.handle(ONE, 2) == [Discard(WORKED.payload), Reply(), Work()]
    assert item.handle(Worked(b"b" * 32, 90), 3) == [Offer(0)]
    assert item.handle(BOTH, 4) == [Offer(1)]


@pytest.mark.parametrize("status", ["ok", "dup"])
def test_an_answer_that_was_delivered_is_made_again_when_its_ask_has_fewer_leaves(status: str) -> None:
    item = Member()
    item.handle(BOTH, 0)
    item.handle(WORKED, 1)
    item.handle(Receipted(status), 2)  # type: ignore[arg-type]
    assert item.handle(BOTH, 3) == []
    assert item.handle(ONE, 4) == [Reply(), Work()]
    assert item.state == "working"


def test_an_answer_that_was_rejected_is_not_made_again() -> None:
    item = Member()
    item.handle(BOTH, 0)
    item.handle(WORKED, 1)
    item.handle(Receipted("bad", "shape"), 2)
    assert item.handle(ONE, 3) == []


def test_the_word_that_it_has_answered_does_not_cost_an_answer_that_is_offered() -> None:
    assert offering().handle(Cancelled("answered"), 6) == [Offer(1)]
    assert offering().handle(Cancelled("goal"), 6) == [Forget("cancelled:goal")]


def test_what_was_kept_for_another_answer_goes_when_there_will_be_none() -> None:
    item = offering()
    item.handle(Receipted("ok"), 6)
    assert item.handle(Cancelled("answered"), 7) == []
    assert item.handle(Cancelled("retracted"), 8) == [StopWork("retracted")]
    assert item.fate == "ok"


OFFLINE = Asked(b"1" * 16, ask(offline=Offline(rounds=2)), 10_000)
OWN = Asked(b"2" * 16, ask(offline=Offline(rounds=2)), 10_000, Local(1, b"1" * 16, b"w" * 32, 90_000))


def test_an_answer_that_may_count_belatedly_outlives_a_cancellation_but_not_a_receipt() -> None:
    item = Member()
    item.handle(OFFLINE, 0)
    assert item.handle(Cancelled("upper"), 1) == [StopWork("upper")]
    assert item.handle(WORKED, 2) == [Offer(0)]
    assert item.handle(Cancelled("upper"), 3) == [Offer(1)]
    assert item.handle(Receipted("late"), 4) == [Forget("late")]


def test_of_an_ask_of_its_own_a_gateway_says_nothing_but_the_answer() -> None:
    item = Member()
    assert item.handle(OWN, 0) == [Work()]
    assert item.handle(Reconnected(), 1) == []
    assert item.resume(2) == [Work()]
    assert item.handle(Cancelled("newer"), 3) == [StopWork("newer")]
    assert item.handle(WORKED, 4) == [Offer(0)]
    failed = Member()
    failed.handle(OWN, 0)
    assert failed.handle(Failed("no_blob"), 1) == [Forget("refused:no_blob")]
    expired = Member()
    expired.handle(OWN, 0)
    assert expired.handle(Woke(), 10_000) == [StopWork("deadline"), Forget("late")]


def test_events_of_the_release_before_are_read_as_asks_of_the_upper_end() -> None:
    stored = codec.parse(codec.dump(ASKED), limit=10_000)
    del stored["local"]
    assert codec.convert(stored, Asked) == ASKED


@pytest.mark.parametrize("reason", ["retracted", "lost"])
def test_an_answer_that_can_be_of_no_use_is_over_whatever_the_policy(reason: str) -> None:
    item = Member()
    item.handle(OFFLINE, 0)
    assert item.handle(Cancelled(reason), 1) == [StopWork(reason), Forget(f"cancelled:{reason}")]
    other = Member()
    other.handle(OFFLINE, 0)
    other.handle(WORKED, 1)
    assert other.handle(Cancelled(reason), 2) == [Forget(f"cancelled:{reason}")]
