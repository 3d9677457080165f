"""The upper end of one phase of one round."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot.errors import MisuseFault, PeerFault
from folkmoot.hop import events
from folkmoot.hop.effects import Closed, Merge, SendAsk, SendCancel, SendReceipt, Unmerge
from folkmoot.hop.events import Answered, AskedAgain, Away, Back, Gone, Joined, Refused, Retracted, Started, Stopped, Woke
from folkmoot.hop.round import Round
from folkmoot.store.ledger import EVENT_LIMIT
from folkmoot.wire import codec
from folkmoot.wire.messages import Invited
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
    absent = events.Opened("key", opened().ask, events.Terms(deadline=10_000), (events.Invitation("d1", here=False),))
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


def homes(**leaves: str) -> Round:
    """Gives a round with a gateway for each argument, and the devices below it."""
    fresh = Round()
    members = tuple(events.Invitation(name, tuple(map(Invited, devices)), len(devices)) for name, devices in leaves.items())
    fresh.handle(events.Opened("key", opened().ask, events.Terms(deadline=10_000), members), 0)
    return fresh


def test_a_device_that_trains_is_taken_out_and_called_off() -> None:
    one = machine("d1", "d2")
    one.handle(Started("d1"), 1)
    assert one.handle(Retracted("d1"), 2) == [SendCancel("d1", "retracted")]
    assert one.seats["d1"].fate == "retracted"
    assert one.handle(Answered("d1", A, ("d1",)), 3) == [SendReceipt("d1", "bad", A, "retracted")]
    assert one.handle(AskedAgain("d1"), 3) == [SendCancel("d1", "answered")]
    assert one.handle(Answered("d2", B, ("d2",)), 4)[-1] == Closed("complete", "all")
    assert one.handle(Answered("d1", A, ("d1",)), 5) == [SendReceipt("d1", "bad", A, "retracted")]


def test_an_answer_that_was_told_ok_is_taken_out_of_the_sums() -> None:
    one = machine("d1", "d2")
    one.handle(Answered("d1", A, ("d1",)), 1)
    assert one.holder("d1") == ("d1", A)
    assert one.handle(Retracted("d1"), 2) == [Unmerge("d1", A), SendCancel("d1", "retracted")]
    assert (one.leaves, one.holder("d1")) == (0, None)
    assert one.handle(Retracted("d1"), 3) == []


def test_who_is_out_does_not_come_in_again() -> None:
    one = machine("d1", welcome=True)
    one.handle(Retracted("d9"), 1)
    assert one.handle(Joined("d9"), 2) == []


def test_a_home_that_owes_an_answer_is_asked_for_those_who_are_left() -> None:
    one = homes(g1="abc", g2="d")
    one.handle(Started("g1"), 1)
    assert one.handle(Retracted("b"), 2) == [SendAsk("g1")]
    assert (one.seats["g1"].each, one.seats["g1"].goal) == ((Invited("a"), Invited("c")), 2)
    assert one.wake == 2_000  # the other home's Ask is due again
    one.handle(Started("g2"), 3)
    assert one.wake == 2_002  # until it says that it has this Ask, too
    assert one.devices == {"a", "c", "d"}


def test_a_home_that_is_away_is_asked_for_those_who_are_left_when_it_is_back() -> None:
    one = homes(g1="ab")
    one.handle(Away("g1"), 1)
    assert one.handle(Retracted("b"), 2) == []
    assert one.handle(Back("g1"), 3) == [SendAsk("g1")]
    assert one.seats["g1"].each == (Invited("a"),)


def test_a_home_that_has_answered_answers_again_without_the_device() -> None:
    one = homes(g1="abc", g2="d")
    one.handle(Answered("g1", A, ("a", "b")), 1)
    assert one.handle(Retracted("a"), 2) == [Unmerge("g1", A), SendAsk("g1")]
    assert (one.leaves, one.seats["g1"].state) == (0, "asked")
    assert one.handle(Answered("g1", A, ("a", "b")), 3) == [SendAsk("g1")]  # it crossed
    assert one.handle(Answered("g1", B, ("b",)), 4) == [Merge("g1", B), SendReceipt("g1", "ok", B)]
    assert one.handle(Answered("g1", A, ("a", "b")), 5) == [SendReceipt("g1", "dup", A)]


def test_a_home_that_is_to_answer_again_is_waited_for_even_if_it_is_gone() -> None:
    one = homes(g1="ab", g2="c")
    one.handle(Answered("g1", A, ("a", "b")), 1)
    one.handle(Retracted("a"), 2)
    one.handle(Gone("g1"), 3)
    assert Closed("complete", "all") not in one.handle(Answered("g2", B, ("c",)), 4)
    assert one.handle(Back("g1"), 5) == [SendAsk("g1")]
    assert one.handle(Answered("g1", B, ("b",)), 6)[-1] == Closed("complete", "all")


def test_a_home_that_is_to_answer_again_is_asked_until_it_does() -> None:
    one = homes(g1="ab")
    one.handle(Answered("g1", A, ("a", "b")), 1)
    two = homes(g1="ab")
    two.handle(Retracted("a"), 1)
    for fresh in (one, two):
        fresh.handle(Retracted("a"), 2)
        fresh.handle(Answered("g1", A, ("a", "b")), 3)
        fresh.handle(Started("g1"), 4)  # may have been under way since before
        assert fresh.handle(Woke(), 2_003) == [SendAsk("g1")]


def test_an_answer_without_the_device_stays_where_it_is() -> None:
    one = homes(g1="abc", g2="d")
    one.handle(Answered("g1", A, ("b",)), 1)
    assert one.handle(Retracted("a"), 2) == []
    assert one.holder("b") == ("g1", A)


def test_a_home_that_loses_everybody_is_called_off() -> None:
    one = homes(g1="a", g2="b", g3="c")
    assert one.handle(Retracted("a"), 1) == [SendCancel("g1", "retracted")]
    one.handle(Answered("g2", A, ("b",)), 2)
    assert one.handle(Retracted("b"), 3) == [Unmerge("g2", A), SendCancel("g2", "retracted")]
    assert one.handle(Retracted("c"), 4) == [SendCancel("g3", "retracted"), Closed("short", "all")]


def test_a_closed_round_of_devices_stays_closed_and_one_of_gateways_opens_again() -> None:
    one = machine("d1", "d2", goal=1)
    one.handle(Answered("d1", A, ("d1",)), 1)
    assert one.handle(Retracted("d1"), 2) == [Unmerge("d1", A), SendCancel("d1", "retracted")]
    assert (one.state, one.leaves) == ("closed", 0)
    two = homes(g1="ab", g2="c")
    two.handle(Answered("g1", A, ("a", "b")), 1)
    two.handle(Answered("g2", B, ("c",)), 2)
    assert two.handle(Retracted("a"), 3) == [Unmerge("g1", A), SendAsk("g1")]
    assert (two.state, two.closed) == ("open", None)
    assert two.handle(Answered("g1", B, ("b",)), 4)[-1] == Closed("complete", "all")


def test_a_round_that_opens_again_does_not_wait_for_whom_it_gave_up() -> None:
    one = homes(g1="ab", g2="c")
    one.handle(Answered("g1", A, ("a", "b")), 1)
    one.handle(Stopped("operator"), 2)
    one.handle(Retracted("a"), 3)
    assert one.resume(3) == [SendAsk("g1")]
    assert one.handle(Answered("g1", B, ("b",)), 4)[-1] == Closed("complete", "all")


def test_a_round_that_opens_again_after_its_deadline_closes_at_once() -> None:
    one = homes(g1="ab")
    one.handle(Answered("g1", A, ("a", "b")), 1)
    assert one.handle(Retracted("a"), 10_000)[-1] == Closed("short", "deadline")


def test_whoever_answers_for_all_below_names_them_when_one_is_out() -> None:
    one = machine("g1", "g2")
    one.handle(Answered("g1", A, ("a", "b")), 1)
    assert one.handle(Retracted("a"), 2) == [Unmerge("g1", A), SendAsk("g1")]
    assert one.seats["g1"].each == (Invited("b"),)
    assert one.handle(Answered("g2", B, ("a", "c")), 3) == [SendAsk("g2")]
    assert one.seats["g2"].each == (Invited("c"),)


MEMBERS = st.sampled_from(["d1", "d2", "d3"])
EVENTS = st.one_of(
    st.builds(Started, MEMBERS),
    st.builds(
        Answered, MEMBERS, st.sampled_from([A, B]), st.sets(st.sampled_from(["x", "y", "z"])).map(lambda s: tuple(sorted(s)))
    ),
    st.builds(Answered, MEMBERS, st.sampled_from([A, B]), rejection=st.just("shape")),
    st.builds(Refused, MEMBERS, st.just("busy")),
    *(st.builds(kind, MEMBERS) for kind in (Away, Back, Gone, AskedAgain, Joined)),
    st.builds(Retracted, st.sampled_from(["d1", "d3", "x", "y"])),
    st.just(Woke()),
    st.builds(Stopped, st.just("operator")),
)


@given(st.lists(st.tuples(EVENTS, st.integers(0, 3_000)), max_size=40), st.integers(0, 3))
def test_whatever_happens_a_round_keeps_its_laws(happenings: list[tuple[events.Event, int]], goal: int) -> None:
    """Leaves are unique, ok is told to nobody who did not merge, a closed round never merges, and a replay ends the same.

    Who was taken out is in nobody's answer, and nobody merges twice without having been taken out between.
    """
    live, now, merged, told, inside = Round(), 0, [], [], set[str]()
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
        closed = sum(isinstance(effect, Closed) for effect in effects)
        assert closed == (live.state == "closed" and (not over or any(isinstance(effect, SendAsk) for effect in effects)))
        for effect in effects:
            if isinstance(effect, Merge | Unmerge):
                assert (effect.member in inside) == isinstance(effect, Unmerge)
                inside ^= {effect.member}
        assert inside == {name for name, seat in live.seats.items() if seat.state == "taken"}
        assert live.retracted.isdisjoint(leaf for seat in live.seats.values() for leaf in seat.leaves)
    assert merged == told
    leaves = [leaf for seat in live.seats.values() if seat.state == "taken" for leaf in seat.leaves]
    assert len(set(leaves)) == len(leaves) == live.leaves
    if now >= 10_000:
        assert live.wake is None or live.wake <= now or live.state == "closed"
    again = Round()
    for at, event in history:
        stored = codec.load(codec.dump(event), events.Event, limit=EVENT_LIMIT)  # type: ignore[arg-type]
        again.handle(stored, at)
    assert (again.state, again.seats, again.closed) == (live.state, live.seats, live.closed)
    live.handle(Woke(), now + 20_000)
    assert live.state == "closed"
