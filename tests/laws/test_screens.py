"""What every screen promises, of which there is a file."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot import parts, plugins
from folkmoot.screen import Candidate, Rejected
from folkmoot.wire import codec
from folkmoot.wire.partial import Group, Partial
from folkmoot.wire.reasons import ANSWERS
from tests.kit.asks import ask
from tests.kit.updates import LAYOUT, merged, update

ASK = ask()
SIZES = LAYOUT.sizes()
every = pytest.mark.parametrize("name", plugins.names("screens"))


def candidate(partial: Partial, device: bool) -> Candidate:
    arrays = {name: parts.view(group) for name, group in partial.groups.items()}
    extremes = {name: parts.extremes(array) for name, array in arrays.items()}
    return Candidate(partial.groups, arrays, extremes, SIZES, partial.metrics, len(partial.merged), device)


@every
@given(st.integers(0, 1 << 30))
def test_an_honest_device_and_an_honest_gateway_pass(name: str, seed: int) -> None:
    screen = plugins.load("screens", name)
    updates = [update(f"d{i}", seed + i) for i in range(3)]
    assert screen.judge(candidate(updates[0], True), ASK, LAYOUT) is None
    assert screen.judge(candidate(merged(updates), False), ASK, LAYOUT) is None


numbers = st.sampled_from([0.0, 1.0, -64.0, 64.5, 3e38, nan, inf, -inf])
hostile = st.builds(
    Candidate,
    groups=st.dictionaries(
        st.sampled_from(["main", "norm", "other"]),
        st.builds(
            Group,
            weight=st.sampled_from([-1, 0, 1, 1 << 63]),
            tag=st.sampled_from([codec.FLOAT32, codec.INT32]),
            data=st.binary(max_size=8).map(lambda data: data[: len(data) // 4 * 4]),
        ),
    ),
    arrays=st.just({}),
    extremes=st.just({}),
    sizes=st.just(SIZES),
    metrics=st.dictionaries(st.just("m"), st.integers(-(1 << 62), 1 << 62)),
    leaves=st.integers(0, 3),
    device=st.booleans(),
)


@every
@given(hostile, st.lists(numbers, min_size=1, max_size=3))
def test_a_screen_says_the_same_twice_in_a_word_of_the_vocabulary(name: str, form: Candidate, values: list[float]) -> None:
    screen = plugins.load("screens", name)
    extremes = {group: parts.extremes(np.array(values, "<f4")) for group in form.groups}
    shown = Candidate(form.groups, {}, extremes, form.sizes, form.metrics, form.leaves, form.device)
    verdict = screen.judge(shown, ASK, LAYOUT)
    assert verdict == screen.judge(shown, ASK, LAYOUT)
    if verdict is not None:
        assert isinstance(verdict, Rejected)
        assert verdict.reason in ANSWERS
        assert verdict.detail
