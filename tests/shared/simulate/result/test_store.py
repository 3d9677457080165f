"""A result goes into a folder and comes back as it was, or one sentence says why it does not."""

import csv
import sys
import tempfile
from pathlib import Path
from typing import get_args

import msgspec
import pyarrow
import pytest
from hypothesis import given, settings
from pyarrow import parquet

from folkmoot.errors import UserFault
from folkmoot.simulate.result import store
from folkmoot.simulate.result.store import Format
from folkmoot.simulate.result.tables import TABLES, Result, columns
from tests.shared.simulate.result import made

forms = pytest.mark.parametrize("form", get_args(Format))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@forms
@settings(max_examples=40)  # files, and each on the disk before the next
@given(result=made.results)
def test_a_result_comes_back_as_it_was_written(form: Format, result: Result) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store.write(result, Path(folder) / "run", form)
        assert store.read(Path(folder) / "run") == result


@forms
def test_numbers_come_back_in_the_type_that_they_had(form: Format, tmp_path: Path) -> None:
    result = made.lifelike(devices=9, homes=2, rounds=3)
    store.write(result, tmp_path / "run", form)
    assert repr(store.read(tmp_path / "run")) == repr(result)


@forms
@pytest.mark.parametrize("name", ['a,"b"', "a\rb", "a\nb", "\r\n", "", "\0", "\ufeffa", " a ", "'", "7", "name", "é\u2028"])
def test_names_may_hold_anything(form: Format, name: str, tmp_path: Path) -> None:
    lifelike = made.lifelike(name, devices=2, homes=1, rounds=1)
    devices = [msgspec.structs.replace(device, device=name, home=name, kind=name) for device in lifelike.devices]
    result = msgspec.structs.replace(lifelike, facts={name: name}, devices=devices)
    store.write(result, tmp_path / "run", form)
    assert store.read(tmp_path / "run") == result


@settings(max_examples=40)  # files, and each on the disk before the next
@given(result=made.results)
def test_equal_results_give_equal_bytes_of_csv(result: Result) -> None:
    again = msgspec.structs.replace(result, facts=dict(reversed(result.facts.items())))
    with tempfile.TemporaryDirectory() as folder:
        store.write(result, Path(folder) / "one", "csv")
        store.write(again, Path(folder) / "two", "csv")
        assert contents(Path(folder) / "one") == contents(Path(folder) / "two")


def test_a_whole_number_in_a_column_of_floats_is_written_as_the_float_that_it_equals(tmp_path: Path) -> None:
    (one,) = made.lifelike(devices=2, homes=1, rounds=1).rounds
    for name, joules in (("whole", 3), ("real", 3.0)):
        store.write(
            msgspec.structs.replace(made.EMPTY, rounds=[msgspec.structs.replace(one, joules=joules)]), tmp_path / name, "csv"
        )
    assert contents(tmp_path / "whole") == contents(tmp_path / "real")


@forms
def test_a_column_more_is_no_fault_and_their_order_is_free(form: Format, tmp_path: Path) -> None:
    result = made.lifelike(devices=2, homes=1, rounds=1)
    store.write(result, tmp_path / "run", form)
    path = tmp_path / "run" / f"devices.{form}"
    if form == "csv":
        with path.open(newline="") as file:
            lines = [[*reversed(line), "7"] for line in csv.reader(file)]
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(lines)
    else:
        table = parquet.read_table(path)
        table = table.select(table.column_names[::-1]).append_column("more", [[7] * len(table)])
        parquet.write_table(table, path)
    assert store.read(tmp_path / "run") == result


@forms
def test_a_result_gives_way_to_another_and_nothing_is_left_beside(form: Format, tmp_path: Path) -> None:
    store.write(made.lifelike(devices=2, homes=1, rounds=1), tmp_path / "run", "csv")
    (tmp_path / "run" / store.REPORT).write_text("of the first")
    (tmp_path / ".run.new").mkdir()  # of a writer that died
    store.write(made.EMPTY, tmp_path / "run", form)
    assert store.read(tmp_path / "run") == made.EMPTY
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert set(contents(tmp_path / "run")) == {"run.json", *(f"{table}.{form}" for table in TABLES)}


def test_folders_above_are_made_and_an_empty_one_is_used(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "a" / "b", tmp_path / "empty"):
        store.write(made.EMPTY, folder, "csv")
        assert store.read(folder) == made.EMPTY


def test_where_a_folder_cannot_be_replaced_the_result_in_it_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(made.EMPTY, tmp_path / "run", "csv")
    real = Path.rename

    def fails(path: Path, target: Path) -> Path:
        if path.name.endswith(".new"):
            raise OSError(28, "No space left on device")
        return real(path, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(UserFault, match=r"run cannot be written: No space left on device$"):
        store.write(made.lifelike(devices=2, homes=1, rounds=1), tmp_path / "run", "csv")
    assert store.read(tmp_path / "run") == made.EMPTY
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_of_something_else_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    for act in (lambda: store.check(tmp_path, "csv"), lambda: store.write(made.EMPTY, tmp_path, "csv")):
        with pytest.raises(UserFault, match=r"holds 'notes.txt', which is of no result: name another folder"):
            act()
    with pytest.raises(UserFault, match="is a file: name a folder"):
        store.write(made.EMPTY, tmp_path / "notes.txt", "csv")
    assert contents(tmp_path) == {"run.json": b"{}", "notes.txt": b"mine"}


def test_a_folder_that_may_not_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(made.EMPTY, tmp_path / "locked", "csv")

    def forbids(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", forbids)
    with pytest.raises(UserFault, match=r"locked cannot be read: Permission denied$"):
        store.read(tmp_path / "locked")
    monkeypatch.setattr(Path, "iterdir", forbids)
    with pytest.raises(UserFault, match=r"locked cannot be read: Permission denied$"):
        store.check(tmp_path / "locked", "csv")


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserFault, match=r"a folder|cannot be written"):
        store.write(made.EMPTY, tmp_path / "file" / "run", "csv")


def test_a_folder_that_is_no_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(UserFault, match=r"is no result of a simulated run: there is no run\.json in it$"):
            store.read(folder)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"version": 1, "name": 7}', b'{"version": 1, "name": "\xff"}'])
def test_a_damaged_head_is_refused(text: bytes, tmp_path: Path) -> None:
    store.write(made.EMPTY, tmp_path / "run", "csv")
    (tmp_path / "run" / "run.json").write_bytes(text)
    with pytest.raises(UserFault, match=r"run\.json: the file is damaged: "):
        store.read(tmp_path / "run")


def test_a_result_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    store.write(made.EMPTY, tmp_path / "run", "csv")
    head = tmp_path / "run" / "run.json"
    head.write_text(head.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(UserFault, match=r"version 2, and this program reads version 1$"):
        store.read(tmp_path / "run")


@forms
def test_a_missing_table_is_named(form: Format, tmp_path: Path) -> None:
    store.write(made.EMPTY, tmp_path / "run", form)
    (tmp_path / "run" / f"members.{form}").unlink()
    with pytest.raises(UserFault, match="the table 'members' is missing"):
        store.read(tmp_path / "run")


@forms
@pytest.mark.parametrize("column", columns(TABLES["devices"]))
def test_a_missing_column_is_named(form: Format, column: str, tmp_path: Path) -> None:
    result = made.lifelike(devices=2, homes=1, rounds=1)
    store.write(result, tmp_path / "run", form)
    path = tmp_path / "run" / f"devices.{form}"
    if form == "csv":
        path.write_text(path.read_text().replace(column, "other", 1))
    else:
        parquet.write_table(parquet.read_table(path).drop_columns([column]), path)
    with pytest.raises(
        UserFault, match=f"devices.{form}: the column '{column}' is missing: this is no table of a simulated run$"
    ):
        store.read(tmp_path / "run")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\r\ndevice-001", b"\r\n\xff"),  # no UTF-8
        (b"\r\ndevice-001", b'\r\n"device-001"x'),
        (b"\r\ndevice-001", b"\r\ndevice,001"),
        (b",60,", b",sixty,"),
        (b",60,", b",,"),
        (b",60,", b",60.5,"),
    ],
)
def test_damaged_csv_is_refused(old: bytes, new: bytes, tmp_path: Path) -> None:
    store.write(made.lifelike(devices=2, homes=1, rounds=1), tmp_path / "run", "csv")
    path = tmp_path / "run" / "devices.csv"
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(UserFault, match=r"devices\.csv: the file is damaged: [^\n]+$"):
        store.read(tmp_path / "run")


@forms
def test_a_file_that_was_cut_is_refused(form: Format, tmp_path: Path) -> None:
    store.write(made.lifelike(devices=9, homes=1, rounds=1), tmp_path / "run", form)
    path = tmp_path / "run" / f"devices.{form}"
    whole = path.read_bytes()
    for size in {1, len(whole) // 2, len(whole) - 3, whole.rindex(b"\n", 0, len(whole) - 1) + 1}:
        path.write_bytes(whole[:size])
        with pytest.raises(UserFault, match=rf"devices\.{form}: [^\n]+$"):
            store.read(tmp_path / "run")


def test_parquet_of_another_type_or_with_holes_is_refused(tmp_path: Path) -> None:
    store.write(made.lifelike(devices=2, homes=1, rounds=1), tmp_path / "run", "parquet")
    path = tmp_path / "run" / "devices.parquet"
    table = parquet.read_table(path)
    for values in (["many", "few"], [1.5, 2.0], [None, 3]):
        at = table.column_names.index("merged")
        parquet.write_table(table.set_column(at, "merged", pyarrow.array(values)), path)
        with pytest.raises(UserFault, match=r"devices\.parquet: the file is damaged: [^\n]+$"):
            store.read(tmp_path / "run")


def test_parquet_without_pyarrow_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(made.EMPTY, tmp_path / "parquet", "parquet")
    monkeypatch.delitem(sys.modules, "folkmoot.simulate.result.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    advice = r"pip install 'folkmoot\[simulate\]', or --format csv$"
    with pytest.raises(UserFault, match=advice):
        store.check(tmp_path / "run", "parquet")
    with pytest.raises(UserFault, match=advice):
        store.write(made.EMPTY, tmp_path / "run", "parquet")
    with pytest.raises(UserFault, match=advice):
        store.read(tmp_path / "parquet")
    assert not (tmp_path / "run").exists()
    store.write(made.EMPTY, tmp_path / "run", "csv")
    assert store.read(tmp_path / "run") == made.EMPTY
