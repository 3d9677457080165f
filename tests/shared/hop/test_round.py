"""The upper end of one phase of one round."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot.errors import MisuseFault, PeerFault
from folkmoot.hop import round
from folkmoot.hop.round import (
    Answered,
    AskedAgain,
    Away,
    Back,
    Belated,
    Closed,
    Gone,
    Joined,
    Merge,
    Refused,
    Round,
    SendAsk,
    SendCancel,
    SendReceipt,
    Started,
    Stopped,
    Woke,
)
from folkmoot.store.ledger import EVENT_LIMIT
from folkmoot.wire import codec
from folkmoot.wire.messages import Offline
from tests.kit.asks import opened

A, B = b"a" * 32, b"b" * 32


def machine(*members: str, **terms: object) -> Round:
    """Gives a round that has just opened at time 0."""
    fresh = Round()
    fresh.handle(opened(*members, **terms), 0)
    return fresh


def test_everybody_invited_is_asked() -> None:
    assert Round().handle(opened("d1", "d2"), 0) == [SendAsk("d1"), SendAsk("d2")]


def test_a_member_that_is_away_is_asked_when_it_comes_back() -> None:
    fresh = Round()
    absent = round.Opened("key", opened().ask, round.Terms(deadline=10_000), (round.Invitation("d1", here=False),))
    assert fresh.handle(absent, 0) == []
    assert fresh.handle(Back("d1"), 5) == [SendAsk("d1")]


def test_an_answer_merges_once_and_its_repetition_is_told_dup() -> None:
    one = machine("d1", "d2")
    assert one.handle(Answered("d1", A, ("d1",)), 1) == [Merge("d1", A), SendReceipt("d1", "ok", A)]
    assert one.handle(Answered("d1", A, ("d1",)), 2) == [SendReceipt("d1", "dup", A)]
    assert one.handle(Answered("d1", B, ("d1",)), 3) == [SendReceipt("d1", "dup", B)]


def test_the_last_answer_closes_the_round() -> None:
    one = machine("d1")
    assert one.handle(Answered("d1", A, ("d1",)), 1)[-1] == Closed("complete", "all")


def test_an_answer_after_the_end_is_late_and_one_that_merged_is_dup() -> None:
    one = machine("d1", "d2")
    one.handle(Answered("d1", A, ("d1",)), 1)
    one.handle(Woke(), 10_000)
    assert one.handle(Answered("d2", B, ("d2",)), 10_001) == [SendReceipt("d2", "late", B)]
    assert one.handle(Answered("d1", A, ("d1",)), 10_001) == [SendReceipt("d1", "dup", A)]


def test_the_goal_closes_the_round_and_cancels_the_rest() -> None:
    one = machine("d1", "d2", goal=1)
    effects = one.handle(Answered("d1", A, ("d1",)), 1)
    assert effects[-2:] == [SendCancel("d2", "goal"), Closed("complete", "goal")]
    assert one.seats["d2"].fate == "silent:goal"


def test_too_few_answers_by_the_deadline_make_a_short_round() -> None:
    one = machine("d1", "d2", minimum=2)
    one.handle(Answered("d1", A, ("d1",)), 1)
    assert one.handle(Woke(), 10_000)[-1] == Closed("short", "deadline")


def test_the_deadline_needs_no_message_to_pass() -> None:
    one = machine("d1")
    one.handle(Started("d1"), 1)
    assert one.wake == 10_000


def test_an_ask_that_nothing_answers_is_sent_again_with_growing_pauses() -> None:
    one = machine("d1", deadline=100_000)
    sent = [0]
    while (wake := one.wake) is not None and wake < 100_000:
        assert one.handle(Woke(), wake) == [SendAsk("d1")]
        sent.append(wake)
    assert [later - sooner for sooner, later in itertools.pairwise(sent)] == [2_000, 4_000, 8_000, 16_000, 32_000]


def test_started_ends_the_resending() -> None:
    one = machine("d1")
    one.handle(Started("d1"), 1)
    assert one.handle(Woke(), 5_000) == []


def test_away_is_gone_after_the_grace_and_taken_back_in_time() -> None:
    one = machine("d1", "d2", grace=1_000)
    one.handle(Away("d1"), 0)
    one.handle(Woke(), 1_000)
    assert one.seats["d1"].fate == "gone"
    assert one.handle(Back("d1"), 1_500) == [SendAsk("d1")]
    assert Merge("d1", A) in one.handle(Answered("d1", A, ("d1",)), 2_000)


def test_a_round_does_not_wait_for_who_said_goodbye() -> None:
    one = machine("d1", "d2")
    one.handle(Answered("d1", A, ("d1",)), 1)
    assert one.handle(Gone("d2"), 2)[-1] == Closed("complete", "all")


def test_an_answer_of_a_member_that_is_counted_out_still_merges() -> None:
    one = machine("d1", "d2")
    one.handle(Gone("d1"), 1)
    assert Merge("d1", A) in one.handle(Answered("d1", A, ("d1",)), 2)


def test_overlapping_leaves_are_refused() -> None:
    one = machine("g1", "g2")
    one.handle(Answered("g1", A, ("d1", "d2")), 1)
    assert SendReceipt("g2", "bad", B, "duplicate_leaf") in one.handle(Answered("g2", B, ("d2", "d3")), 2)
    assert one.leaves == 2


def test_a_rejected_answer_is_recorded_with_its_reason_and_stays_out() -> None:
    one = machine("d1", "d2")
    assert one.handle(Answered("d1", A, rejection="non_finite"), 1) == [SendReceipt("d1", "bad", A, "non_finite")]
    assert one.handle(Answered("d1", A, ("d1",)), 2) == [SendReceipt("d1", "bad", A, "non_finite")]
    assert one.seats["d1"].fate == "rejected:non_finite"


def test_a_refusal_is_recorded() -> None:
    one = machine("d1", "d2")
    one.handle(Refused("d1", "not_ready"), 1)
    assert one.seats["d1"].fate == "refused:not_ready"


def test_a_member_that_asks_again_gets_the_ask_or_a_cancellation() -> None:
    one = machine("d1", "d2")
    assert one.handle(AskedAgain("d1"), 1) == [SendAsk("d1")]
    one.handle(Answered("d1", A, ("d1",)), 2)
    assert one.handle(AskedAgain("d1"), 3) == [SendCancel("d1", "answered")]


def test_newcomers_are_asked_only_where_they_are_welcome() -> None:
    assert machine("d1", welcome=True).handle(Joined("d9"), 1) == [SendAsk("d9")]
    assert machine("d1").handle(Joined("d9"), 1) == []


def test_a_stranger_changes_nothing() -> None:
    one = machine("d1")
    with pytest.raises(PeerFault, match="not_asked"):
        one.handle(Answered("d9", A, ("d9",)), 1)
    assert one.leaves == 0


def test_opening_twice_is_our_own_bug() -> None:
    with pytest.raises(MisuseFault):
        machine("d1").handle(opened("d1"), 1)


def test_after_a_replay_all_who_have_not_answered_are_asked_again() -> None:
    one = machine("d1", "d2", "d3")
    one.handle(Started("d1"), 1)
    one.handle(Answered("d2", A, ("d2",)), 1)
    assert one.resume(2) == [SendAsk("d1"), SendAsk("d3")]


MEMBERS = st.sampled_from(["d1", "d2", "d3"])
EVENTS = st.one_of(
    st.builds(Started, MEMBERS),
    st.builds(
        Answered, MEMBERS, st.sampled_from([A, B]), st.sets(st.sampled_from(["x", "y", "z"])).map(lambda s: tuple(sorted(s)))
    ),
    st.builds(Answered, MEMBERS, st.sampled_from([A, B]), rejection=st.just("shape")),
    st.builds(Refused, MEMBERS, st.just("busy")),
    *(st.builds(kind, MEMBERS) for kind in (Away, Back, Gone, AskedAgain, Joined)),
    st.just(Woke()),
    st.builds(Stopped, st.just("operator")),
)


@given(st.lists(st.tuples(EVENTS, st.integers(0, 3_000)), max_size=40), st.integers(0, 3))
def test_whatever_happens_a_round_keeps_its_laws(happenings: list[tuple[round.Event, int]], goal: int) -> None:
    """Leaves are unique, ok is told to nobody who did not merge, a closed round never merges, and a replay ends the same."""
    live, now, merged, told = Round(), 0, [], []
    history = [(0, opened("d1", "d2", "d3", goal=goal, grace=700))]
    live.handle(history[0][1], 0)
    for event, pause in happenings:
        now += pause
        over = live.state == "closed"
        effects = live.handle(event, now)
        history.append((now, event))
        merged += [effect.member for effect in effects if isinstance(effect, Merge)]
        told += [effect.member for effect in effects if isinstance(effect, SendReceipt) and effect.status == "ok"]
        assert not (over and any(isinstance(effect, Merge) for effect in effects))
        assert sum(isinstance(effect, Closed) for effect in effects) == (not over and live.state == "closed")
    assert merged == told
    assert len(set(merged)) == len(merged)
    leaves = [leaf for seat in live.seats.values() if seat.state == "taken" for leaf in seat.leaves]
    assert len(set(leaves)) == len(leaves) == live.leaves
    if now >= 10_000:
        assert live.wake is None or live.wake <= now or live.state == "closed"
    again = Round()
    for at, event in history:
        stored = codec.load(codec.dump(event), round.Event, limit=EVENT_LIMIT)  # type: ignore[arg-type]
        again.handle(stored, at)
    assert (again.state, again.seats, again.closed) == (live.state, live.seats, live.closed)
    live.handle(Woke(), now + 20_000)
    assert live.state == "closed"


def late(ask: bytes = b"1" * 16, *leaves: str) -> Belated:
    """Gives an answer to an Ask of an earlier round."""
    return Belated(member="d9", ask=ask, round=3, base=2, weights=b"w" * 32, factor=724, payload=A, leaves=leaves or ("d9",))


def test_a_belated_answer_merges_without_a_seat_and_once() -> None:
    one = machine("d1")
    assert one.handle(late(), 1) == [Merge("d9", A, late())]
    with pytest.raises(MisuseFault, match="counted twice"):
        one.handle(late(), 2)
    assert one.belated == {b"1" * 16: late()}
    assert one.state == "open"


def test_belated_devices_count_for_the_minimum_once_and_never_for_the_goal() -> None:
    one = machine("d1", "d2", minimum=2, goal=2)
    one.handle(late(b"1" * 16, "d1", "d3"), 1)
    one.handle(late(b"2" * 16, "d1", "d3"), 1)
    assert one.state == "open"
    one.handle(Answered("d1", A, ("d1",)), 2)
    assert one.handle(Woke(), 10_000)[-1] == Closed("complete", "deadline")
    few = machine("d1", "d2", minimum=3)
    few.handle(late(b"1" * 16, "d1", "d3"), 1)
    few.handle(Answered("d1", A, ("d1",)), 2)
    assert few.handle(Woke(), 10_000)[-1] == Closed("short", "deadline")


def test_an_answer_that_comes_too_late_is_told_so_unless_the_policy_leaves_it_a_chance() -> None:
    for offline, replies in ((None, [SendReceipt("d1", "late", A)]), (Offline(), [])):
        one = Round()
        question = msgspec.structs.replace(opened().ask, offline=offline)
        one.handle(round.Opened("key", question, round.Terms(deadline=10_000), (round.Invitation("d1"),)), 0)
        one.handle(Woke(), 10_000)
        assert one.handle(Answered("d1", A, ("d1",)), 10_001) == replies
