"""What comes from elsewhere is read within its bounds, refused, or is exactly what it says: by chance, near what is sound."""

import random
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutation import change
from tests.fuzz.table import TARGETS
from tests.fuzz.target import Target, hold

EVERY = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))


@pytest.fixture(autouse=True)
def traced() -> Iterator[None]:
    """Has the allocations counted that the targets hold to their bound."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


def nearly(target: Target) -> st.SearchStrategy[bytes]:
    """Gives inputs that are sound but for a few changes, and noise."""

    def changed(seed: bytes, rng: random.Random, times: int) -> bytes:
        for _ in range(times):
            seed = change(seed, rng, target.cbor)
        return seed

    seeds = st.sampled_from(target.seeds)
    near = st.builds(changed, seeds, st.randoms(use_true_random=False), st.integers(1, 4))
    return near | near | st.binary(max_size=min(target.longest, 400))


@EVERY
def test_what_is_sound_is_read(target: Target) -> None:
    for seed in target.seeds:
        hold(target, seed)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_what_is_nearly_sound_is_refused_or_is_what_it_says(name: str, data: st.DataObject) -> None:
    target = TARGETS[name]
    hold(target, data.draw(nearly(target)))
