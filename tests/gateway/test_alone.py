"""When a home goes on by itself."""

from typing import Any

from folkmoot.hop import member
from folkmoot.hop.member import Asked, Local, Member, Worked
from folkmoot.wire.messages import Offline
from folkmoot_gateway.alone import PATIENCE, Alone
from tests.kit.asks import ask

MINUTE = 60_000


def offered(number: int = 1, local: Local | None = None, **policy: Any) -> Member:
    """Gives an answer that is offered, to an Ask of a round that was to last a minute."""
    item = Member()
    question = ask(round=number, offline=Offline(**{"rounds": 2, "seconds": 3_600, **policy}))
    item.handle(Asked(bytes([number]) * 16, question, MINUTE, local), 0)
    item.handle(Worked(b"a" * 32, 9), 1)
    return item


def alone() -> Alone:
    """Gives a gateway that has known its cloud to be there at time 0, and has lost it since."""
    made = Alone()
    made.linked = True
    made.look(True, 0)
    made.linked = False
    made.look(True, 1_000)
    return made


def test_a_local_round_begins_when_the_cloud_has_been_away_for_a_while() -> None:
    one, item = alone(), offered()
    assert one.due([item], 1_000) == []
    assert one.wake == 1_000 + PATIENCE
    assert one.due([item], 1_000 + PATIENCE) == [item]
    assert one.wake is None


def test_a_cloud_whose_own_status_is_down_is_away_although_its_broker_is_not() -> None:
    one = Alone()
    one.linked = True
    one.look(False, 0)
    assert one.due([offered()], PATIENCE) != []
    one.look(True, PATIENCE)
    assert one.due([offered()], 2 * PATIENCE) == []
    assert one.wake is None


def test_the_policy_bounds_how_many_and_until_when() -> None:
    now = 1_000 + PATIENCE
    last = Local(2, b"\1" * 16, b"w" * 32, until=3_660_000)
    assert alone().due([offered(local=last)], now) == []
    assert alone().due([offered(local=Local(1, b"\1" * 16, b"w" * 32, until=3_660_000))], now) != []
    assert alone().due([offered()], 3_659_999) != []
    assert alone().due([offered()], 3_660_000) == []
    assert alone().due([offered(rounds=0)], now) == []


def test_nothing_is_waited_for_that_the_policy_does_not_let_happen() -> None:
    one = alone()
    assert one.due([offered(seconds=0)], 1_000) == []
    assert one.wake is None


def test_only_the_newest_ask_of_a_run_is_gone_on_from() -> None:
    older, newer = offered(1), offered(2)
    assert alone().due([newer, older], PATIENCE + 1_000) == [newer]
    newer.handle(member.Receipted("ok"), 5)
    assert alone().due([newer, older], PATIENCE + 1_000) == []


def test_a_local_round_under_way_is_waited_for() -> None:
    first, local = offered(), Member()
    local.handle(Asked(b"l" * 16, first.ask, MINUTE, Local(1, first.id, b"w" * 32, 3_660_000)), 0)
    assert alone().due([first, local], PATIENCE + 1_000) == []


def test_an_answer_that_nothing_can_be_learnt_from_is_not_tried_again() -> None:
    one, item = alone(), offered()
    one.give_up(item)
    assert one.due([item], PATIENCE + 1_000) == []
    assert one.wake is None


def test_an_ask_without_training_is_not_gone_on_from() -> None:
    item = Member()
    item.handle(Asked(b"1" * 16, ask(phase="evaluate", offline=Offline(rounds=2, seconds=9)), MINUTE), 0)
    item.handle(Worked(b"a" * 32, 9), 1)
    assert alone().due([item], PATIENCE + 1_000) == []
