import msgspec
import numpy as np
import pytest

from folkmoot.serve import reference
from folkmoot.wire.bundle import Contract
from tests.kit import lessons


def mixed(number: int) -> int:
    """Gives MurmurHash3's fmix32, as its author wrote it."""
    number ^= number >> 16
    number = number * 0x85EBCA6B & 0xFFFFFFFF
    number ^= number >> 13
    number = number * 0xC2B2AE35 & 0xFFFFFFFF
    return number ^ number >> 16


def test_the_batch_is_what_the_formula_says() -> None:
    x, y = reference.batch(Contract(name="c", x_shape=(2, 3), classes=("a", "b", "c")), 4)
    assert x.shape == (4, 2, 3)
    assert x.ravel().tolist() == [(mixed(i) >> 8) / 2**24 for i in range(24)]
    assert y.tolist() == [(mixed(2**31 + i) >> 8) % 3 for i in range(4)]
    assert (x.dtype, y.dtype) == (np.float32, np.int32)


def test_numbers_stand_for_labels_where_the_contract_has_no_classes() -> None:
    _, y = reference.batch(Contract(name="c", x_shape=(1,), y_shape=(2,), y_dtype="float32"), 3)
    assert y.ravel().tolist() == [(mixed(2**31 + i) >> 8) / 2**24 for i in range(6)]
    assert y.shape == (3, 2)


def test_what_the_last_bits_of_weights_change_is_no_difference() -> None:
    manifest = msgspec.structs.replace(
        lessons.packaged()[1].manifest, reference={"losses": [2.0, 1.0, 0.5], "spread": [0.0, 0.01, 0.001]}
    )
    assert reference.worst([2.0, 1.04, 0.46], manifest) == 0  # the spread of a step holds for those after it
    assert reference.worst([2.001, 1.0, 0.5], manifest) == pytest.approx(0.0005)  # of a loss above 1, relative to it
    assert reference.worst([2.0, 1.3], manifest) == pytest.approx(0.25)
