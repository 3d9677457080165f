"""Waits between attempts to connect."""

from random import Random

from hypothesis import given
from hypothesis import strategies as some

from folkmoot.link.backoff import Backoff


@given(some.integers(), some.lists(some.floats(0, 1e6), min_size=1, max_size=50))
def test_every_wait_lies_between_its_bounds_and_equal_seeds_wait_alike(seed: int, lives: list[float]) -> None:
    one, other = Backoff(Random(seed)), Backoff(Random(seed))
    waits = [one.after(lived) for lived in lives]
    assert all(1 <= wait <= 120 for wait in waits)
    assert waits == [other.after(lived) for lived in lives]


@given(some.integers())
def test_failures_in_a_row_wait_longer_and_longer_on_the_whole(seed: int) -> None:
    backoff = Backoff(Random(seed))
    waits = [backoff.after(0) for _ in range(60)]
    assert waits[0] <= 3
    assert max(waits) > 30


def test_a_connection_that_outlived_its_wait_starts_afresh_and_one_that_did_not_does_not() -> None:
    backoff = Backoff(Random(0))
    backoff.after(0, lasting=True)
    assert backoff.after(121) <= 3
    backoff.after(0, lasting=True)
    assert any(backoff.after(0) > 3 for _ in range(3))


def test_a_lasting_fault_waits_longest() -> None:
    assert Backoff(Random(0), shortest=1, longest=7).after(0, lasting=True) == 7
