"""Every race runs something that there is, and every row takes a figure from a race."""

import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks import document
from benchmarks.table import BESIDE, RACES, ROWS

FOLDER = Path(document.__file__).parent


def modules() -> Iterator[str]:
    """Gives every module that the table names, as a path below the folder of benchmarks."""
    for race in RACES:
        yield from (each.split()[0] for each in race.ours)
        yield from (f"peers/{peer}/{module.split()[0]}" for peer, module in race.peers.items())
    yield from BESIDE


def test_every_module_that_the_table_names_is_there_and_ends_in_a_line_of_json() -> None:
    for module in modules():
        text = (FOLDER / f"{module}.py").read_text("utf-8")
        assert "__main__" in text, module
        assert module in BESIDE or "json.dumps" in text, module


def test_every_module_that_states_a_figure_of_ours_can_be_named() -> None:
    named = set(re.findall(r"`python -m benchmarks\.(\w+)", (document.FILE.parent / "measurements.md").read_text("utf-8")))
    raced = {each.split()[0] for race in RACES for each in race.ours}
    assert named <= {*BESIDE, *raced}


def test_every_row_is_of_a_race_and_every_race_has_rows() -> None:
    for row in ROWS:
        assert row.figure, row
    assert {row.race for row in ROWS} == {race.name for race in RACES}


def test_a_target_that_is_a_peers_names_one_of_its_race() -> None:
    peers = {race.name: race.peers for race in RACES}
    for row in ROWS:
        assert not (row.target and row.target.of) or row.target.of in peers[row.race], row


def test_every_peer_is_pinned_and_named_in_the_document() -> None:
    for peer in {peer for race in RACES for peer in race.peers}:
        wanted = (FOLDER / "peers" / peer / "requirements.txt").read_text().splitlines()
        pins = (FOLDER / "peers" / peer / "constraints.txt").read_text().lower().splitlines()
        for line in wanted:
            if line and not line.startswith("#"):
                assert re.sub(r"\[.*?\]", "", line).lower() in pins, line
        assert peer in document.PEERS


def test_every_bundle_is_one_that_can_be_compiled() -> None:
    drafts = (FOLDER / "drafts.py").read_text()
    assert all(f"def {race.bundle}()" in drafts for race in RACES if race.bundle)
