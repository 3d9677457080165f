import struct
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot.errors import PeerFault
from folkmoot.transforms.int8 import Int8, Options, make

INT8 = make(Options())
LEAST, MOST = 2.0**-126, float(np.nextafter(np.float32(2.0**128 / 127), np.float32(0)))
steps = st.floats(LEAST, MOST, width=32)


def data(sent: list[float], elements: list[int]) -> bytes:
    return struct.pack(f"<{len(sent)}f{len(elements)}b", *sent, *elements)


@given(st.lists(st.tuples(steps, st.lists(st.integers(-127, 127), min_size=1, max_size=9)), min_size=1, max_size=5))
def test_an_element_is_its_byte_times_the_step_of_its_tensor_rounded_once(sent: list[tuple[float, list[int]]]) -> None:
    whole = data([step for step, _ in sent], [byte for _, bytes_ in sent for byte in bytes_])
    came = INT8.decode(whole, [len(bytes_) for _, bytes_ in sent])
    exact = [byte * step for step, bytes_ in sent for byte in bytes_]  # 8 bits times 24: binary64 holds it
    assert came.tobytes() == np.array(exact).astype("<f4").tobytes()
    assert np.isfinite(came).all()


@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=50), st.integers(0, 1 << 64))
def test_an_error_is_less_than_a_step_and_zero_stays_zero(values: list[float], seed: int) -> None:
    delta = np.array(values, np.float32)
    sent = INT8.encode([delta], seed)
    assert len(sent) == 4 + delta.size
    (step,) = struct.unpack("<f", sent[:4])
    came = INT8.decode(sent, [delta.size]).astype(np.float64)
    assert (np.abs(came - delta) < step * (1 + 2.0**-15)).all()
    assert (came[delta == 0] == 0).all()


def test_steps_are_of_tensors_and_come_first() -> None:
    sent = INT8.encode([np.array([127, -127, 0], np.float32), np.zeros(2, np.float32), np.array([0.5], np.float32)], 1)
    one, two, three, *elements = struct.unpack("<3f6b", sent)
    assert (one, two, elements) == (1.0, LEAST, [127, -127, 0, 0, 0, 127])
    assert 127 * three <= 0.5 < 127 * float(np.nextafter(np.float32(three), np.float32(1)))


@pytest.mark.parametrize("step", [nan, inf, -inf, 0.0, -0.0, -1.0, 2.0**-127, 1.4e-45, 2.0**128 / 127, 3e38])
def test_a_step_that_is_none_is_malformed(step: float) -> None:
    with pytest.raises(PeerFault, match="malformed: steps from"):
        INT8.decode(data([1.0, step], [1, 2, 3]), [2, 1])


@pytest.mark.parametrize("size", [0, 1, 4, 10, 12, 400])
def test_another_number_of_bytes_is_malformed(size: int) -> None:
    with pytest.raises(PeerFault, match=rf"malformed: {size} bytes; 2 tensors of 3 elements take 11"):
        INT8.decode(bytes(size), [2, 1])


def test_a_byte_that_has_no_counterpart_is_malformed() -> None:
    with pytest.raises(PeerFault, match="malformed: a byte of -128; bytes are from -127 to 127"):
        INT8.decode(data([1.0, 1.0], [1, -128, 3]), [2, 1])


def test_it_is_a_transform() -> None:
    assert isinstance(INT8, Int8)
    assert INT8.keeps == "mean"
