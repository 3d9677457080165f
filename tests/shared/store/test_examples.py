import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folkmoot.errors import StoreFault
from folkmoot.store import examples
from folkmoot.store.examples import Counts, Example, Examples, Reader, Retention


def numbered(count: int, first: int = 0) -> list[Example]:
    """Gives examples of 8 + 4 bytes that are all different."""
    return [(number.to_bytes(8, "little"), (number % 10).to_bytes(4, "little")) for number in range(first, first + count)]


def kept(path: Path) -> list[int]:
    """Gives the numbers of the examples in a store, oldest first."""
    reader = Reader(path)
    ids = sorted([*reader.ids("train"), *reader.ids("holdout")])
    found = [int.from_bytes(x, "little") for x, _ in reader.read(ids)]
    reader.close()
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Gives where a store may be made."""
    return tmp_path / "state" / "examples.db"


def test_examples_come_back_as_they_were_added(path: Path) -> None:
    store = Examples(path, "digits", holdout=0.0)
    store.add([(b"\x00\xffx", b""), (b"", b"y")], now=5)
    reader = Reader(path)
    assert reader.contract == "digits"
    assert reader.read(reader.ids("train")) == [(b"\x00\xffx", b""), (b"", b"y")]


def test_examples_are_read_in_the_order_in_which_they_are_asked_for(path: Path) -> None:
    Examples(path, "digits", holdout=0.0).add(numbered(5), now=0)
    reader = Reader(path)
    ids = list(reader.ids("train"))
    assert reader.read([ids[3], ids[0], ids[3]]) == [numbered(5)[number] for number in (3, 0, 3)]


def test_counts_need_no_look_at_the_examples_and_outlive_the_process(path: Path) -> None:
    store = Examples(path, "digits")
    store.add(numbered(100), now=0)
    counts = store.counts()
    store.close()
    assert counts.train + counts.holdout == 100
    assert counts.size == 1200
    reader = Reader(path)
    assert reader.counts() == Examples(path, "digits").counts() == counts
    assert (len(reader.ids("train")), len(reader.ids("holdout"))) == (counts.train, counts.holdout)


@given(x=st.binary(max_size=50), y=st.binary(max_size=8))
def test_the_side_of_an_example_follows_from_its_bytes(x: bytes, y: bytes) -> None:
    assert examples.split(x, y) == examples.split(x, y)
    assert examples.split(x, y, 0.0) == "train"
    assert examples.split(x, y, 1.0) == "holdout"


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_the_share_that_is_held_out_is_the_one_that_was_asked_for(path: Path, share: float) -> None:
    store = Examples(path, "digits", holdout=share)
    store.add(numbered(4000), now=0)
    assert store.counts().holdout / 4000 == pytest.approx(share, abs=0.025)  # three deviations at a half


def test_the_same_example_is_on_one_side_only_however_often_it_comes(path: Path) -> None:
    store = Examples(path, "digits")
    for now in range(20):
        store.add(numbered(1, first=7), now)
    assert 0 in (store.counts().train, store.counts().holdout)


def test_examples_beyond_the_age_are_dropped(path: Path) -> None:
    store = Examples(path, "digits", retention=Retention(age_ms=1000))
    store.add(numbered(3), now=0)
    store.add(numbered(3, first=3), now=900)
    store.add(numbered(1, first=6), now=1001)
    assert kept(path) == [3, 4, 5, 6]
    store.prune(now=1900)
    assert kept(path) == [3, 4, 5, 6]
    store.prune(now=1901)
    assert kept(path) == [6]
    assert store.counts().size == 12


@given(limit=st.integers(1, 400), batches=st.lists(st.integers(0, 30), max_size=6))
def test_the_newest_examples_that_fit_are_the_ones_that_are_kept(
    tmp_path_factory: pytest.TempPathFactory, limit: int, batches: list[int]
) -> None:
    path = tmp_path_factory.mktemp("store") / "examples.db"
    store = Examples(path, "digits", retention=Retention(size=limit))
    added = 0
    for count in batches:
        store.add(numbered(count, first=added), now=0)
        added += count
    fit = min(added, limit // 12)
    assert kept(path) == list(range(added - fit, added))
    assert store.counts().size == 12 * fit
    store.close()


def test_examples_that_are_dropped_while_a_reader_reads_are_left_out(path: Path) -> None:
    store = Examples(path, "digits", holdout=0.0, retention=Retention(age_ms=10))
    store.add(numbered(2), now=0)
    store.add(numbered(2, first=2), now=5)
    reader = Reader(path)
    ids = reader.ids("train")
    store.prune(now=12)
    assert reader.read(ids) == numbered(2, first=2)


def test_a_reader_does_not_keep_the_agent_from_adding(path: Path) -> None:
    store = Examples(path, "digits", holdout=0.0)
    store.add(numbered(2), now=0)
    reader = Reader(path)
    reader.read(reader.ids("train"))
    store.add(numbered(2, first=2), now=0)
    assert len(reader.ids("train")) == 4


def test_either_all_examples_of_a_call_are_added_or_none(path: Path) -> None:
    store = Examples(path, "digits", holdout=0.0)
    with pytest.raises(TypeError):
        store.add([*numbered(2), (b"x", None)], now=0)  # type: ignore[list-item]
    assert store.counts() == Counts(0, 0, 0)
    store.add(numbered(1), now=0)
    assert store.counts().train == 1


def test_a_store_holds_examples_of_one_contract(path: Path) -> None:
    Examples(path, "digits").close()
    with pytest.raises(StoreFault, match="holds examples of the contract digits, not of motion: give each its own file"):
        Examples(path, "motion")


def test_a_store_of_a_newer_program_is_refused_by_both_ends(path: Path) -> None:
    Examples(path, "digits").close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreFault, match="newer program"):
        Examples(path, "digits")
    with pytest.raises(StoreFault, match="has form 99"):
        Reader(path)


def test_a_store_is_brought_forward_step_by_step_with_what_is_in_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Examples(path, "digits", holdout=0.0)
    store.add(numbered(3), now=0)
    store.close()
    newer = (*examples._MIGRATIONS, ("ALTER TABLE example ADD COLUMN source TEXT",), ("CREATE TABLE later (id)",))
    monkeypatch.setattr(examples, "_MIGRATIONS", newer)
    with pytest.raises(StoreFault, match="has form 1, this program reads 3"):
        Reader(path)
    assert Examples(path, "digits").counts().train == 3
    assert kept(path) == [0, 1, 2]


def test_a_step_forward_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Examples(path, "digits").close()
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(examples, "_MIGRATIONS", (*examples._MIGRATIONS, ("CREATE TABLE later (id)", "no SQL at all")))
        with pytest.raises(StoreFault):
            Examples(path, "digits")
    assert path.read_bytes() == before
    Examples(path, "digits").close()


@pytest.mark.parametrize("end", [lambda path: Examples(path, "digits"), Reader])
def test_a_file_that_is_no_store_is_refused(tmp_path: Path, end: type[Reader]) -> None:
    (tmp_path / "examples.db").write_bytes(b"no database, but long enough to be taken for one" * 50)
    with pytest.raises(StoreFault, match=r"examples\.db"):
        end(tmp_path / "examples.db")


def test_a_store_that_is_missing_is_not_made_by_reading_it(path: Path) -> None:
    with pytest.raises(StoreFault):
        Reader(path)
    assert not path.exists()


def test_a_process_that_dies_while_adding_leaves_a_sound_store(path: Path) -> None:
    Examples(path, "digits", holdout=0.0).close()
    script = f"""
import os
from pathlib import Path
from folkmoot.store.examples import Examples
def dying():
    yield from ((bytes(8), bytes(4)) for _ in range(500))
    os.kill(os.getpid(), 9)
store = Examples(Path({str(path)!r}), "digits", holdout=0.0)
store.add([(b"a", b"b")], now=0)
store.add(dying(), now=0)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    assert Examples(path, "digits").counts() == Counts(1, 0, 2)
