"""What became of those who went on when rounds of an asynchronous run were over."""

from folkmoot_cloud.predictions.aftermath import Account, Late, settle
from folkmoot_cloud.rounds.fates import Fate

ROUND = [
    Fate("g1", "", "answered", "", 50, 60, 2.0),
    Fate("g1", "a", "answered", train_seconds=1.5, steps=4),
    Fate("g2", "", "late", "goal", 3, 60),
    Fate("g2", "b", "late", "goal", train_seconds=6.0, steps=4),
    Fate("g2", "c", "late", "goal"),
    Fate("g3", "", "late", "goal", 3, 60),
    Fate("g3", "d", "late", "goal"),
    Fate("g4", "", "silent", "goal", 0, 60),
    Fate("g4", "e", "silent", "goal"),
    Fate("g5", "", "silent", "gone", 0, 60),
    Fate("g5", "f", "silent", "gone"),
]


def by_name(members: list[Fate]) -> dict[tuple[str, str], Fate]:
    return {(one.gateway, one.device): one for one in members}


def test_who_answered_later_has_answered() -> None:
    (found,) = settle([Account("r", 10.0, 12.0, ROUND, {"g2": Late(70, 17.5)})])
    those = by_name(found)
    assert those["g2", ""] == Fate("g2", "", "answered", "", 73, 60, 7.5)
    assert those["g2", "b"] == Fate("g2", "b", "answered", train_seconds=6.0, steps=4)
    assert those["g2", "c"] == Fate("g2", "c", "silent", "all")  # its home has not waited for it
    assert [those["g1", name] for name in ("", "a")] == ROUND[:2]
    assert [those["g5", name] for name in ("", "f")] == ROUND[-2:]


def test_of_who_never_answered_it_is_known_for_how_long() -> None:
    later = [Fate("g3", "", "late", "goal"), Fate("g3", "d", "late", "goal")]
    accounts = [
        Account("r", 10.0, 12.0, ROUND, {}),
        Account("r", 12.0, 15.0, [Fate("g1", "", "answered", seconds=3.0)], {}),
        Account("other", 13.0, 99.0, later, {}),
        Account("r", 15.0, 40.0, later, {}),
    ]
    first, _, other, last = map(by_name, settle(accounts))
    assert first["g2", ""].seconds == 30.0  # at work when the run was over
    assert first["g3", ""].seconds == 5.0  # asked anew
    assert first["g3", ""].fate == first["g3", "d"].fate == "late"
    assert (other["g3", ""].seconds, last["g3", ""].seconds) == (86.0, 25.0)


def test_who_had_not_yet_said_that_it_has_begun_says_nothing() -> None:
    (found,) = settle([Account("r", 10.0, 12.0, ROUND, {})])
    assert not [one for one in found if one.gateway == "g4"]
