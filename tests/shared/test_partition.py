"""Dealing examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot import partition
from folkmoot.tasks import digits


@given(st.integers(1, 40), st.floats(0.05, 100), st.integers(0, 9))
def test_every_example_is_dealt_once_and_nobody_is_left_out(shards: int, alpha: float, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 10, 400)
    dealt = partition.dirichlet(labels, shards, alpha, np.random.default_rng(seed))
    assert sorted(np.concatenate(dealt)) == list(range(400))
    assert min(map(len, dealt)) >= 1


@pytest.mark.parametrize("sizes", [[4, 4, 4], [1], [2, 5], [1, 1, 1, 1, 1]])
def test_homes_deal_every_example_once(sizes: list[int]) -> None:
    labels = np.arange(1_000) % 10
    dealt = partition.homes(labels, sizes, np.random.default_rng(1))
    assert [len(home) for home in dealt] == sizes
    assert sorted(np.concatenate([device for home in dealt for device in home])) == list(range(1_000))


def test_all_homes_but_the_first_are_poor_in_some_classes() -> None:
    labels = np.arange(3_000) % 10
    dealt = partition.homes(labels, [4, 4, 4], np.random.default_rng(1))
    counts = [np.bincount(labels[np.concatenate(home)], minlength=10) for home in dealt]
    poor = [[label for label in range(10) if count[label] < count.max() / 4] for count in counts]
    assert poor[0] == []
    assert len(poor[1]) == len(poor[2]) == 3
    assert poor[1] != poor[2]


def test_the_same_seed_deals_the_same() -> None:
    labels = np.arange(500) % 7
    one, two = (partition.dirichlet(labels, 9, 0.3, np.random.default_rng(5)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_the_digits_that_are_kept_back_are_dealt_to_nobody() -> None:
    dealt, kept = digits.load()
    assert (len(dealt), len(kept)) == (1_500, 297)
    assert dealt.x.shape == (1_500, 64)
    assert dealt.x.min() == 0
    assert dealt.x.max() == 1
