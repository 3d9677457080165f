"""Belated answers in the upper end of one phase of one round."""

import msgspec
import pytest

from folkmoot.errors import MisuseFault
from folkmoot.hop import events
from folkmoot.hop.effects import Closed, Merge, SendAsk, SendCancel, SendReceipt, Unmerge
from folkmoot.hop.events import Answered, AskedAgain, Belated, Refused, Retracted, Started, Woke
from folkmoot.hop.round import Round
from folkmoot.wire.messages import Offline
from tests.kit.asks import opened
from tests.shared.hop.test_round import A, machine


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
        one.handle(events.Opened("key", question, events.Terms(deadline=10_000), (events.Invitation("d1"),)), 0)
        one.handle(Woke(), 10_000)
        assert one.handle(Answered("d1", A, ("d1",)), 10_001) == replies


def test_a_belated_answer_goes_as_a_whole_with_a_device_that_is_taken_out_and_does_not_come_again() -> None:
    one = machine("d1", "d2")
    one.handle(late(b"1" * 16, "d1", "d3"), 1)
    one.handle(late(b"2" * 16, "d4"), 1)
    assert one.handle(Retracted("d3"), 2) == [Unmerge("d9", A, late(b"1" * 16, "d1", "d3"))]
    assert [merge.belated for merge in one.merged] == [late(b"2" * 16, "d4")]
    assert one.handle(Retracted("d3"), 3) == []
    with pytest.raises(MisuseFault, match="counted twice"):
        one.handle(late(b"1" * 16, "d1", "d3"), 4)
    assert SendAsk("d9") not in one.resume(5)


def test_in_an_asynchronous_round_belated_devices_count_for_the_goal_and_nobody_is_cancelled() -> None:
    one = machine("d1", "d2", goal=2, behind=1)
    one.handle(Started("d1"), 1)
    assert one.handle(late(b"1" * 16, "d8", "d9"), 2)[-1] == Closed("complete", "goal")
    assert one.handle(Started("d2"), 3) == []
    assert one.handle(AskedAgain("d1"), 3) == []
    assert one.handle(Started("d9"), 3) == [SendCancel("d9", "closed")]


def test_an_asynchronous_round_waits_for_those_at_work_for_earlier_ones_and_for_nobody_else() -> None:
    one = machine("d1", goal=3, behind=1)
    assert one.handle(Refused("d1", "not_ready"), 1) == []
    assert one.handle(late(), 2)[-1] == Closed("complete", "all")
    nobody = machine("d1", goal=3, behind=0)
    assert nobody.handle(Refused("d1", "not_ready"), 1) == [Closed("short", "all")]
    lost = machine(goal=1, behind=1)
    assert lost.state == "open"
    assert lost.handle(Woke(), 10_000) == [Closed("short", "deadline")]
