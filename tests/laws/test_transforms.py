"""What every transform promises, of which there is a file."""

from math import inf, nan, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from folkmoot import parts, plugins
from folkmoot.errors import MisuseFault, PeerFault
from folkmoot.parts import Fold
from folkmoot.transform import Transform
from folkmoot.wire import partial
from folkmoot.wire.partial import ENCODED, Partial
from tests.kit.trees import Tree, merge, trees
from tests.kit.updates import LAYOUT, SCALE, update

every = pytest.mark.parametrize("name", plugins.names("transforms"))
SEEDS = 1_000
SIZES = {name: [tensor.size for tensor in tensors] for name, tensors in LAYOUT.groups.items()}
# What training gives, and what it gives seldom: nothing at all, one large element, numbers that float32 hardly holds.
KINDS = {
    "normal": lambda rng, size: rng.standard_normal(size) * 0.01,
    "zero": lambda rng, size: np.zeros(size),
    "sparse": lambda rng, size: np.where(np.arange(size) == 0, -3.0, 1e-4 * rng.standard_normal(size)),
    "large": lambda rng, size: rng.uniform(-64, 64, size),
    "tiny": lambda rng, size: rng.standard_normal(size) * 1e-40,
    "largest": lambda rng, size: rng.choice([-3.4e38, 0, 3.4e38], size),
}
kinds = pytest.mark.parametrize("kind", KINDS)
floats = st.floats(-64, 64, width=32)
tensors = st.lists(st.lists(floats, min_size=1, max_size=40).map(lambda one: np.array(one, np.float32)), min_size=1, max_size=5)


def made(kind: str, sizes: "list[int]") -> list[Any]:
    rng = np.random.default_rng(7)
    return [KINDS[kind](rng, size).astype(np.float32) for size in sizes]


@every
@kinds
def test_what_is_decoded_is_exact_or_right_on_the_average_as_declared(name: str, kind: str) -> None:
    transform: Transform = plugins.load("transforms", name)
    deltas = made(kind, [30, 1, 12])
    came = np.array([transform.decode(transform.encode(deltas, seed), [30, 1, 12]) for seed in range(SEEDS)], np.float64)
    sent = np.concatenate(deltas).astype(np.float64)
    if transform.keeps == "exact":
        assert (came == sent).all()
    # Hoeffding: a mean of n numbers within a span is off by 2.8 spans / sqrt(n) once in three million times.
    spans = [np.ptp(came[:, place], axis=0).max() for place in (slice(0, 30), slice(30, 31), slice(31, 43))]
    error = 2.8 * np.repeat(spans, [30, 1, 12]) / sqrt(SEEDS) + np.abs(sent) * 2.0**-21 + 1e-45
    assert (np.abs(came.mean(axis=0) - sent) <= error).all()
    assert (np.abs(came.mean() - sent.mean()) <= error.max() / sqrt(sent.size)).all()  # and they are independent


@every
@given(tensors, st.integers(0, (1 << 64) - 1))
def test_the_same_seed_gives_the_same_bytes_and_they_have_the_same_meaning(name: str, deltas: list[Any], seed: int) -> None:
    transform: Transform = plugins.load("transforms", name)
    data = transform.encode(iter(deltas), seed)
    assert plugins.load("transforms", name).encode(deltas, seed) == data
    sizes = [delta.size for delta in deltas]
    one, other = transform.decode(data, sizes), transform.decode(memoryview(data), sizes)
    assert (one.dtype.str, one.size, one.tobytes()) == ("<f4", sum(sizes), other.tobytes())


@every
def test_seeds_are_independent_where_there_is_chance(name: str) -> None:
    transform: Transform = plugins.load("transforms", name)
    deltas = made("normal", [200])
    assert (len({transform.encode(deltas, seed) for seed in range(20)}) == 1) is (transform.keeps == "exact")


@every
@given(tensors)
def test_no_decoded_element_is_beyond_the_greatest_that_was_sent(name: str, deltas: list[Any]) -> None:
    transform: Transform = plugins.load("transforms", name)
    most = max(float(np.abs(delta).max()) for delta in deltas)
    came = transform.decode(transform.encode(deltas, 1), [delta.size for delta in deltas])
    assert np.abs(came).max() <= max(most, 127 * 2.0**-126)  # an update within the run's bound is within it afterwards


@every
@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_no_number_is_not_encoded(name: str, value: float) -> None:
    transform: Transform = plugins.load("transforms", name)
    deltas = [np.ones(3, np.float32), np.array([0.5, value, 0.25], np.float32)]
    if transform.keeps == "exact":
        return
    with pytest.raises(MisuseFault):
        transform.encode(deltas, 0)


@every
@settings(max_examples=300)
@given(st.binary(max_size=40), st.lists(st.integers(1, 12), min_size=1, max_size=3))
def test_any_bytes_are_finite_numbers_or_malformed(name: str, data: bytes, sizes: list[int]) -> None:
    transform: Transform = plugins.load("transforms", name)
    try:
        came = transform.decode(data, sizes)
    except PeerFault as fault:
        assert fault.reason == "malformed"
        assert fault.detail
    else:
        assert np.isfinite(came).all()
        assert came.size == sum(sizes)


def encoded(transform: Transform, plain: Partial, seed: int) -> Partial:
    """Gives an update as a device sends it."""
    groups = {}
    for name, group in plain.groups.items():
        deltas = np.split(np.frombuffer(group.data, "<f4"), np.cumsum(SIZES[name])[:-1])
        groups[name] = parts.travelling(deltas, group.weight, transform, seed)
    assert {group.tag for group in groups.values()} == {ENCODED}
    sent = Partial(groups=groups, leaves=plain.leaves, metrics=plain.metrics)
    came = partial.load(partial.dump(sent), limit=1 << 20)
    assert came == sent
    return parts.decoded(came, transform, SIZES)


DEVICES = 6


@every
@given(trees(DEVICES), st.integers(0, DEVICES - 1))
def test_a_tree_is_a_star_and_one_can_be_taken_out_of_it(name: str, tree: Tree, one: int) -> None:
    transform: Transform = plugins.load("transforms", name)
    updates = [encoded(transform, update(f"device-{i}", i), i) for i in range(DEVICES)]
    star = merge(tuple(range(DEVICES)), updates, LAYOUT)
    assert partial.dump(merge(tree, updates, LAYOUT)) == partial.dump(star)
    fold = Fold(LAYOUT.sizes(), SCALE)
    for each in updates:
        fold.add(each)
    fold.retract(updates[one])
    others = tuple(i for i in range(DEVICES) if i != one)
    assert partial.dump(fold.partial()) == partial.dump(merge(others, updates, LAYOUT))
