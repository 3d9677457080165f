"""Labelled examples from a person's file."""

from pathlib import Path

import numpy as np
import pytest

from folkmoot.errors import UserFault
from folkmoot.flight.examples import read
from folkmoot.wire.bundle import Contract

CONTRACT = Contract(name="tiny", x_shape=(2, 1), classes=("no", "yes"))


def test_arrays_take_the_shape_that_the_task_has(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    np.savez(path, x=np.arange(6).reshape(3, 2), y=[0, 1, 1], contract="tiny")
    x, y = read(path, CONTRACT)
    assert (x.shape, x.dtype, y.tolist(), y.dtype) == ((3, 2, 1), np.float32, [0, 1, 1], np.int32)


@pytest.mark.parametrize("names", ["", "a,b,label\n"])
def test_a_table_has_the_label_in_its_last_column(tmp_path: Path, names: str) -> None:
    path = tmp_path / "some.csv"
    path.write_text(names + "0.5,1,0\n2,3,1\n")
    x, y = read(path, CONTRACT)
    assert (x.ravel().tolist(), y.tolist()) == ([0.5, 1, 2, 3], [0, 1])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1,2\n3,4,5\n", "no table of numbers"),
        ("1,2,3,1\n", r"x is \[1, 3\]; the task takes \[2, 1\]"),
        ("1,2,2\n", "a label y is one of 0 to 1, for no, yes"),
        ("1\n", "a line is one example"),
        ("", "a line is one example"),
    ],
)
def test_a_table_that_does_not_do_is_told_in_one_sentence(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "some.csv"
    path.write_text(text)
    with pytest.raises(UserFault, match=why):
        read(path, CONTRACT)


def test_a_file_that_is_none_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserFault, match="cannot be read: no such file"):
        read(tmp_path / "none.npz", CONTRACT)
    (tmp_path / "some.npz").write_bytes(b"PK\3\4 no")
    with pytest.raises(UserFault, match=r"numpy\.savez"):
        read(tmp_path / "some.npz", CONTRACT)
    np.savez(tmp_path / "some.npz", x=[[1.0, 2.0]])
    with pytest.raises(UserFault, match="with the arrays x and y"):
        read(tmp_path / "some.npz", CONTRACT)
    np.savez(tmp_path / "some.npz", x=[[1.0, 2.0]], y=[0, 1])
    with pytest.raises(UserFault, match="1 examples x and 2 labels y"):
        read(tmp_path / "some.npz", CONTRACT)
