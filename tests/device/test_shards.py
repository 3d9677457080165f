"""What a fleet's devices are dealt, and what is wrong with a file of somebody's own examples."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from folkmoot.errors import UserFault
from folkmoot_device import shards

CLIENTS = np.array([7, 2, 7, 11, 2, 7])
X = np.arange(18, dtype=np.float32).reshape(6, 3)
Y = np.array([0, 1, 2, 0, 1, 2], np.int32)


def write(folder: Path, **changes: Any) -> Path:
    """Gives a file with these arrays; None leaves one away."""
    arrays = {"x": X, "y": Y, "contract": "tried"} | changes
    np.savez(folder / "own.npz", **{name: array for name, array in arrays.items() if array is not None})
    return folder / "own.npz"


def dealt(path: Path, devices: int | None = None, alpha: float = 1.0, seed: int = 0) -> dict[int, list[int]]:
    """Gives the examples of each device, by the number that its name says: the place of each in X."""
    source = shards.source(path)
    numbers = source.numbers(devices)
    places = {x.tobytes(): place for place, x in enumerate(np.load(path)["x"])}
    found = source.deal(numbers, alpha, np.random.default_rng(seed))
    return {number: [places[x] for x, _ in shard] for number, shard in zip(numbers, found, strict=True)}


def test_each_client_is_a_device_that_has_its_examples_in_their_order(tmp_path: Path) -> None:
    assert dealt(write(tmp_path, client=CLIENTS)) == {2: [1, 4], 7: [0, 2, 5], 11: [3]}


def test_of_fewer_devices_the_first_clients_are_there(tmp_path: Path) -> None:
    assert dealt(write(tmp_path, client=CLIENTS), 2) == {2: [1, 4], 7: [0, 2, 5]}


def test_more_devices_than_clients_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserFault, match="has 3 clients: give that many --devices at most"):
        dealt(write(tmp_path, client=CLIENTS), 4)


def test_an_example_is_stored_as_its_contract_has_it(tmp_path: Path) -> None:
    source = shards.source(write(tmp_path, client=CLIENTS.astype(np.uint8)))
    first, *_ = source.deal(source.numbers(None), 1.0, np.random.default_rng(0))
    assert list(first) == [(X[place].astype("<f4").tobytes(), Y[place].astype("<i4").tobytes()) for place in (1, 4)]
    assert source.contract == "tried"


@pytest.mark.parametrize(
    "y", [np.arange(600, dtype=np.int32) % 3, np.linspace(0, 1, 600, dtype=np.float32), np.zeros((600, 2), np.int32)]
)
def test_without_clients_every_example_is_dealt_once(tmp_path: Path, y: Any) -> None:
    path = write(tmp_path, x=np.arange(600, dtype=np.float32).reshape(600, 1), y=y)
    found = dealt(path, 7)
    assert list(found) == list(range(7))
    assert sorted(place for shard in found.values() for place in shard) == list(range(600))
    assert found == dealt(path, 7)
    assert found != dealt(path, 7, seed=1)


def test_without_clients_labels_are_dealt_unevenly_and_numbers_in_equal_parts(tmp_path: Path) -> None:
    x = np.arange(600, dtype=np.float32).reshape(600, 1)
    labels = dealt(write(tmp_path, x=x, y=np.arange(600, dtype=np.int32) % 3), 10, alpha=0.1)
    assert max(map(len, labels.values())) > 2 * min(map(len, labels.values()))
    numbers = dealt(write(tmp_path, x=x, y=np.ones(600, np.float32)), 10, alpha=0.1)
    assert [len(shard) for shard in numbers.values()] == [60] * 10


def test_fewer_examples_than_devices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserFault, match="has 6 examples: give that many --devices at most"):
        dealt(write(tmp_path), 7)
    with pytest.raises(UserFault, match="has 6 examples"):
        dealt(write(tmp_path))  # 20, where nobody says how many


def test_without_a_file_there_are_digits_for_any_number_of_devices() -> None:
    source = shards.source(None)
    assert (source.contract, list(source.numbers(None))) == ("digits-8x8", list(range(20)))
    found = list(source.deal(source.numbers(200), 1.0, np.random.default_rng(0)))
    assert len(found) == 200
    assert {(len(x), len(y)) for shard in found for x, y in shard} == {(4 * 64, 4)}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"x": None}, "has no x: write x [N, ...] float32, y"),
        ({"y": None, "contract": None}, "has no y and no contract: write"),
        ({"x": X.astype(np.float64)}, "x is float64 [6, 3]; it must be float32"),
        ({"x": X.astype(">f4")}, "x is >f4 [6, 3]; it must be float32"),
        ({"x": np.float32(1)}, "x is float32 []; it must be float32, one row for each example"),
        ({"y": Y.astype(np.int64)}, "y is int64 [6]; it must be int32 or float32"),
        ({"y": Y[:5]}, "has 6 of x, 5 of y: write one of each"),
        ({"x": X[:0], "y": Y[:0]}, "has 0 of x, 0 of y: write one of each"),
        ({"x": np.full_like(X, np.nan)}, "x holds infinities or what is no number"),
        ({"y": np.full(6, np.inf, np.float32)}, "y holds infinities or what is no number"),
        ({"client": CLIENTS[:3]}, "has 6 of x, 6 of y, 3 of client"),
        ({"client": CLIENTS / 2}, "client is float64 [6]; it must be whole numbers"),
        ({"client": CLIENTS[:, None]}, "client is int64 [6, 1]; it must be whole numbers"),
        ({"client": CLIENTS - 5}, "client -3 cannot be part of a device's name: number the clients from 0"),
        ({"contract": "Tried it"}, "the contract's name 'Tried it' must be 1 to 32 characters"),
        ({"contract": np.array(["tried"])}, "contract is <U5 [1]; it must be text"),
        ({"contract": np.bytes_("tried")}, "contract is |S5 []; it must be text"),
    ],
)
def test_a_wrong_array_is_one_sentence(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(UserFault) as fault:
        shards.read(path)
    said = str(fault.value)
    assert said.startswith(str(path))
    assert sentence in said
    assert "\n" not in said


class Bomb:
    """Does something when it is unpickled."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("somebody's file was executed",)


def array(value: Any) -> bytes:
    """Gives the file of one array, as numpy.save writes it."""
    file = io.BytesIO()
    np.save(file, value)
    return file.getvalue()


def archive(**members: bytes) -> bytes:
    """Gives a zip of these."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, content in members.items():
            made.writestr(name, content)
    return file.getvalue()


def damaged(content: bytes, place: int) -> bytes:
    """Gives the same with another byte in it."""
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


WHOLE = archive(**{"x.npy": array(X), "y.npy": array(Y), "contract.npy": array("tried")})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x,y\n1,2\n",
        pickle.dumps(Bomb()),
        array(np.array([Bomb()], object)),
        archive(**{"x.npy": array(np.array([Bomb()], object)), "y.npy": array(Y), "contract.npy": array("tried")}),
        archive(x=b"no array", y=b"none either", contract=b"tried"),
        array(X),
        WHOLE[:200],
        damaged(WHOLE, WHOLE.index(X.tobytes())),
    ],
    ids=["empty", "text", "pickle", "object array", "object in archive", "archive of text", "one array", "cut", "damaged"],
)
def test_a_file_of_something_else_is_one_sentence_and_runs_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.npz"
    path.write_bytes(content)
    with pytest.raises(UserFault) as fault:
        shards.read(path)
    assert str(fault.value).startswith(str(path))
    assert "numpy.savez" in str(fault.value)
    assert "\n" not in str(fault.value)


def test_a_file_that_is_not_there_or_is_none_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserFault, match=r"does not exist: write it with numpy\.savez, or give another --examples"):
        shards.read(tmp_path / "nowhere.npz")
    with pytest.raises(UserFault, match="cannot be read: is a directory"):
        shards.read(tmp_path)
