"""Which version of MQTT to begin with, after all that has happened."""

from folkmoot.link.dialect import HOLDS, PATIENCE, V5, V311, Dialect


def test_mqtt_5_comes_first_and_is_waited_for_briefly_until_it_was_spoken() -> None:
    dialect = Dialect()
    assert dialect.pick(0) == V5
    assert dialect.patience(V5, 30) == PATIENCE
    dialect.taken(V5)
    assert dialect.patience(V5, 30) == 30
    assert dialect.patience(V311, 30) == 30


def test_a_refusal_of_the_version_holds_for_a_while() -> None:
    dialect = Dialect()
    assert dialect.turned(V5, 10, 0x84, silent=False)
    assert dialect.pick(10 + HOLDS / 2) == V311
    assert dialect.pick(10 + HOLDS) == V5


def test_a_refusal_for_another_reason_says_nothing_about_versions() -> None:
    dialect = Dialect()
    assert not dialect.turned(V5, 10, 0x86, silent=False)
    assert not dialect.turned(V5, 10, 0, silent=False)
    assert dialect.pick(11) == V5


def test_one_silent_refusal_of_a_broker_that_has_spoken_5_is_forgiven_and_two_are_not() -> None:
    dialect = Dialect()
    dialect.taken(V5)
    assert not dialect.turned(V5, 10, 0, silent=True)
    assert dialect.turned(V5, 20, 0, silent=True)
    assert dialect.pick(21) == V311


def test_a_broker_that_takes_neither_is_asked_for_5_again() -> None:
    dialect = Dialect()
    assert dialect.turned(V5, 10, 0, silent=True)
    assert not dialect.turned(V311, 11, 0, silent=True)
    assert dialect.pick(12) == V5
