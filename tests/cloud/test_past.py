"""What a run makes of answers to Asks whose round is over."""

from dataclasses import replace
from typing import Any

import pytest

from folkmoot.hop import events, round
from folkmoot.hop.belated import Welcome
from folkmoot.hop.ids import ask_id, local_id
from folkmoot.hop.ports import Late
from folkmoot.wire.messages import Answer, Device, Hello, Invited, Offline
from folkmoot_cloud.runner.campaign import Campaign, Cohort
from tests.kit import toy

OWN = ask_id("run1/1/train", "g1")


def campaign(**policy: Any) -> Campaign:
    """Gives a run whose first round is over: g1 was silent, g2 answered, g3 refused, g4 was rejected."""
    made = toy.campaign(offline=Offline(**{"staleness": 3, "rounds": 2, **policy}))
    made.key = "run1/1/train"
    machine = round.Round()
    members = tuple(events.Invitation(f"g{n}", (Invited(f"d{n}"),)) for n in range(1, 5))
    machine.handle(events.Opened(made.key, made._ask("train", 1), events.Terms(deadline=9), members), 0)
    machine.handle(events.Answered("g2", b"2" * 32, ("d2",)), 1)
    machine.handle(events.Refused("g3", "not_ready"), 1)
    machine.handle(events.Answered("g4", b"4" * 32, rejection="non_finite"), 1)
    machine.handle(events.Woke(), 9)
    made.closed(machine)
    return made


def answer(**fields: Any) -> Answer:
    """Gives the manifest of an answer to the first round's Ask."""
    given = {"base": 0, "weights": b"w" * 32, "program": b"p" * 32, "payload": b"a" * 32, "size": 9, "run": "run1", "round": 1}
    return Answer(**{**given, **fields})


def test_it_counts_in_the_round_that_is_open_less_for_every_version_and_local_round() -> None:
    one = campaign()
    one.key, weights = "run1/2/train", toy.campaign().digest
    for version, local, factor in ((0, 0, 1024), (1, 0, 724), (1, 1, 591), (1, 2, 512)):
        one.version = version
        ask = local_id(OWN, local) if local else OWN
        found = one.standing("g1", ask, answer(local=local))
        assert found == Welcome("run1/2/train", frozenset({"d1"}), Late(0, weights, factor))
    one.version = 2
    assert one.standing("g1", local_id(OWN, 2), answer(local=2)) == "late"


def test_a_local_round_after_an_ask_that_is_still_open_waits_for_the_next_round() -> None:
    one = campaign()
    one.key = "run1/2/train"
    own = ask_id("run1/2/train", "g1")
    assert one.standing("g1", local_id(own, 1), answer(round=2, local=1)) == "wait"
    one.phase = "evaluate"
    assert one.standing("g1", local_id(own, 1), answer(round=2, local=1)) == "late"


def test_it_waits_for_a_round_that_will_open_and_for_none_that_will_not() -> None:
    one = campaign()
    assert one.standing("g1", OWN, answer()) == "wait"
    one.desired = "pause"
    assert one.standing("g1", OWN, answer()) == "wait"
    one.desired = "stop"
    assert one.standing("g1", OWN, answer()) == "late"
    one.desired, one.rounds = "run", 1
    assert one.standing("g1", OWN, answer()) == "late"


@pytest.mark.parametrize(
    ("member", "ask", "fields"),
    [
        ("g9", ask_id("run1/1/train", "g9"), {}),
        ("g3", ask_id("run1/1/train", "g3"), {}),
        ("g4", ask_id("run1/1/train", "g4"), {}),
        ("g2", OWN, {}),
        ("g1", b"x" * 16, {}),
        ("g1", OWN, {"round": 2}),
        ("g1", OWN, {"local": 1}),
        ("g1", local_id(OWN, 3), {"local": 3}),
    ],
    ids=["not asked", "refused", "rejected", "another's", "no such Ask", "no such round", "not the local Ask", "one too many"],
)
def test_what_was_never_asked_is_late(member: str, ask: bytes, fields: dict[str, int]) -> None:
    one = campaign()
    one.key = "run1/2/train"
    assert one.standing(member, ask, answer(**fields)) == "late"


def test_what_was_counted_in_its_own_round_is_no_news_but_local_rounds_after_it_are() -> None:
    one = campaign()
    one.key, own = "run1/2/train", ask_id("run1/1/train", "g2")
    assert one.standing("g2", own, answer()) == "dup"
    assert isinstance(one.standing("g2", local_id(own, 1), answer(local=1)), Welcome)


def test_what_was_counted_in_a_later_round_is_no_news() -> None:
    one = campaign()
    later = round.Round()
    later.handle(events.Opened("run1/2/train", one._ask("train", 2), events.Terms(deadline=9), ()), 0)
    late = events.Belated(
        member="g1", ask=OWN, round=1, base=0, weights=b"w" * 32, factor=1024, payload=b"a" * 32, leaves=("d1",)
    )
    later.belated[OWN] = late
    one.closed(later)
    one.key = "run1/3/train"
    assert one.standing("g1", OWN, answer()) == "dup"


def test_what_no_policy_can_need_is_forgotten() -> None:
    one = campaign(staleness=1)
    assert one.past.rounds.keys() == {1}
    for number in (2, 3):
        machine = round.Round()
        one.version += 1
        machine.handle(events.Opened(f"run1/{number}/train", one._ask("train", number), events.Terms(deadline=9), ()), 0)
        one.closed(machine)
    assert one.past.rounds.keys() == {2, 3}


def test_a_run_without_a_policy_remembers_nothing() -> None:
    one = toy.campaign()
    machine = round.Round()
    machine.handle(events.Opened("run1/1/train", one._ask("train", 1), events.Terms(deadline=9), ()), 0)
    one.closed(machine)
    assert not one.past.rounds
    assert one.standing("g1", OWN, answer()) == "late"


def test_a_device_that_was_taken_out_does_not_come_back_belatedly_nor_in_what_its_home_learnt_by_itself() -> None:
    one = toy.campaign(offline=Offline(staleness=3, rounds=2))
    one.key = "run1/1/train"
    machine = round.Round()
    members = (events.Invitation("g1", (Invited("d1"), Invited("d2"))), events.Invitation("g2", (Invited("d3"),)))
    machine.handle(events.Opened(one.key, one._ask("train", 1), events.Terms(deadline=9), members), 0)
    for device in ("d1", "d3"):
        machine.handle(events.Retracted(device), 1)
    machine.handle(events.Woke(), 9)
    one.closed(machine)
    one.key = "run1/2/train"
    found = one.standing("g1", OWN, answer())
    assert isinstance(found, Welcome)
    assert found.below == {"d2"}
    assert one.standing("g1", local_id(OWN, 1), answer(local=1)) == "late"
    assert one.standing("g2", ask_id("run1/1/train", "g2"), answer()) == "late"


def ready(*homes: int) -> dict[str, Hello]:
    """Gives homes of one device each that can be asked."""
    return {f"g{n}": Hello(devices=(Device(f"d{n}", "up", 10, data=toy.CONTRACT),)) for n in homes}


def begun(**fields: Any) -> Campaign:
    """Gives an asynchronous run in whose first round, which is over, g1, g2 and g3 were asked, and g3 has answered."""
    made = toy.campaign(rounds=9, offline=Offline(staleness=3), deadline=9_000, **{"buffer": 1, **fields})
    opened = made.open(ready(1, 2, 3), 0, 0)
    assert isinstance(opened, events.Opened)
    assert (opened.terms.goal, opened.terms.behind) == (made.spec.buffer, 0)
    machine = round.Round()
    machine.handle(opened, 0)
    machine.handle(events.Answered("g3", b"3" * 32, ("d3",)), 1)
    if machine.state == "open":
        machine.handle(events.Woke(), 9_000)
    made.version += 1
    made.closed(machine)
    return made


def asked(one: Campaign, *homes: int, now: int = 100) -> tuple[list[str], int, int | None]:
    """Gives whom the next round asks of those that are ready, its goal, and how many are at work for earlier ones."""
    opened = one.open(ready(*homes), now, 0)
    assert isinstance(opened, events.Opened)
    return [member.member for member in opened.members], opened.terms.goal, opened.terms.behind


def test_who_is_at_work_is_not_asked_again_and_who_is_free_is() -> None:
    assert asked(begun(), 1, 2, 3, 4) == (["g3", "g4"], 1, 2)
    assert begun().expects("g1", OWN, 100)
    assert not begun().expects("g2", OWN, 100)


def test_no_more_devices_work_at_a_time_than_the_cohort_says() -> None:
    one = begun()
    for devices, count in ((4, 2), (3, 1), (2, 0), (1, 0)):
        one.spec = replace(one.spec, cohort=Cohort(devices=devices))
        members, goal, behind = asked(one, 1, 2, 3, 4)
        assert (len(members), goal, behind) == (count, 1, 2)


def test_a_goal_that_those_at_work_cannot_reach_is_none() -> None:
    one = begun(buffer=3)
    one.spec = replace(one.spec, buffer=9)
    assert asked(one, 1, 2, 3, 4) == (["g3", "g4"], 4, 2)


def test_who_has_refused_or_is_over_its_deadline_or_too_far_behind_is_free() -> None:
    one = begun()
    one.release("g1", OWN)
    assert asked(one, 1, 2, 3) == (["g1", "g3"], 1, 1)
    assert asked(begun(), 1, 2, 3, now=9_000) == (["g1", "g2", "g3"], 1, 0)
    far = begun()
    for number in (2, 3, 4, 5):
        machine = round.Round()
        machine.handle(events.Opened(f"run1/{number}/train", far._ask("train", number), events.Terms(deadline=9_000), ()), 0)
        far.version += 1
        far.closed(machine)
    assert asked(far, 1, 2, 3) == (["g1", "g2", "g3"], 1, 0)
