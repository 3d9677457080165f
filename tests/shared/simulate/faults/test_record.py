"""Which seeds were run."""

from pathlib import Path

import pytest

from folkmoot.errors import UserFault
from folkmoot.simulate.faults import record
from folkmoot.simulate.faults.record import BLOCK, Block, Record


def test_blocks_cover_a_range_and_their_borders_do_not_depend_on_where_it_begins() -> None:
    found = record.blocks(100, 3 * BLOCK + 5)
    assert [seed for first, last in found for seed in range(first, last + 1)] == list(range(100, 3 * BLOCK + 6))
    assert set(found[1:-1]) <= set(record.blocks(0, 10 * BLOCK))
    assert record.blocks(7, 7) == [(7, 7)]


def test_what_was_run_with_the_same_source_is_not_run_again(tmp_path: Path) -> None:
    kept = Record(tmp_path / "seeds.jsonl")
    kept.add(Block("one", 0, BLOCK - 1))
    again = Record(tmp_path / "seeds.jsonl")
    assert again.left(0, 2 * BLOCK - 1, "one") == [(BLOCK, 2 * BLOCK - 1)]
    assert again.left(0, 2 * BLOCK - 1, "two") == [(0, BLOCK - 1), (BLOCK, 2 * BLOCK - 1)]
    assert again.seeds == BLOCK


def test_a_file_that_is_no_record_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\n")
    with pytest.raises(UserFault, match="no record"):
        Record(tmp_path / "notes.txt")


def test_another_source_has_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert record.source() == record.source()
    before = record.source()
    monkeypatch.setattr(record, "PACKAGES", ("folkmoot",))
    assert record.source() != before
