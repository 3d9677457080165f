import numpy as np

from folkmoot.serve import reference
from folkmoot.wire.bundle import Contract


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
