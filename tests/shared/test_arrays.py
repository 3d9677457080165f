import numpy as np
import pytest

from folkmoot import arrays
from tests.kit.updates import LAYOUT, weights


def test_a_step_is_added_in_float64_and_rounded_once() -> None:
    before = np.array([1.0, 16_777_216.0, -1.0], np.float32)
    moved = arrays.moved(before, np.array([1e-9, 1.0, 1e-3]))
    assert moved.dtype == np.float32
    assert moved.tolist() == [1.0, 16_777_216.0, float(np.float32(-0.999))]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32"])
def test_whole_numbers_move_to_the_nearest_one_and_stop_at_the_end_of_their_range(dtype: str) -> None:
    limits = np.iinfo(dtype)
    moved = arrays.moved(np.array([5, 5, limits.max, limits.min], dtype), np.array([0.4, 1.5, 9.0, -9.0]))
    assert moved.dtype == dtype
    assert moved.tolist() == [5, 6, limits.max, limits.min]


def test_what_was_given_stays_as_it_was() -> None:
    before = np.ones(3, np.float32)
    arrays.moved(before, np.ones(3))
    assert before.tolist() == [1, 1, 1]


def test_unpacked_weights_are_views_that_nobody_can_change() -> None:
    found = arrays.unpack(LAYOUT, arrays.pack(LAYOUT, weights()))
    assert not any(array.flags.writeable for array in found.values())
