"""What makes a round a bad one. How far a loss or a step may go, tests/shared/cli/test_replay.py holds to."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from folkmoot.flight import criterion
from folkmoot.simulate import toy


def test_a_weight_that_is_no_number_is_bad_unless_it_was_none_before() -> None:
    remade: Any = SimpleNamespace(program=toy.program(4), base=np.zeros(4, "<f4").tobytes())
    found = criterion.finite(remade)
    assert not found.bad(found.measure(remade.base))
    worse = np.array([1, np.nan, np.inf, 2], "<f4").tobytes()
    assert found.measure(worse) == 2
    assert found.bad(found.measure(worse))
    remade.base = worse
    assert not criterion.finite(remade).bad(2)


def test_a_measure_that_is_no_number_is_too_much() -> None:
    found = criterion.Criterion("loss", lambda block: 0.0, 1.0, 1.1)
    assert found.bad(float("nan"))
    assert found.bad(float("inf"))
    assert not found.bad(1.1)
