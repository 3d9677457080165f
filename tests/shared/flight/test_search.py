"""The search for the fewest answers that have to go."""

from math import ceil, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot.flight.search import fewest


def searched(count: int, culprits: set[int]) -> tuple[list[int], int]:
    """Gives what is found among so many, all of whom have to go that are culprits, and in how many looks."""
    looks: set[frozenset[int]] = set()

    def mends(gone: frozenset[int]) -> bool:
        looks.add(gone)
        return gone >= culprits

    return fewest(range(count), mends), len(looks)


@given(st.integers(1, 40).flatmap(lambda count: st.tuples(st.just(count), st.sets(st.integers(0, count - 1), min_size=1))))
def test_all_who_have_to_go_are_found_and_nobody_else(case: tuple[int, set[int]]) -> None:
    count, culprits = case
    found, _ = searched(count, culprits)
    assert found == sorted(culprits)


@pytest.mark.parametrize("count", [2, 10, 100, 1_000])
def test_one_among_many_takes_two_looks_for_each_halving(count: int) -> None:
    for culprit in {0, count // 3, count - 1}:
        found, looks = searched(count, {culprit})
        assert found == [culprit]
        assert looks <= 2 * ceil(log2(count))


def test_where_either_of_two_mends_it_one_is_enough() -> None:
    assert len(fewest(range(8), lambda gone: not gone.isdisjoint({2, 5}))) == 1
