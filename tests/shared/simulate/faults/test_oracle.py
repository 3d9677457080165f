"""The oracle's integers against the product's binary64, and against rational numbers."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from folkmoot.simulate.faults import oracle

floats = st.lists(st.floats(-64, 64, width=32), min_size=1, max_size=20)


@given(floats, st.integers(1, 200), st.integers(0, 30))
def test_lifting_is_exact_and_rounds_to_even(values: list[float], weight: int, scale: int) -> None:
    lifted = oracle.lifted(np.array(values, "<f4"), weight, scale)
    assert lifted.tolist() == [round(Fraction(value) * (weight << scale)) for value in values]
