"""Which results a document is made of."""

from pathlib import Path

from benchmarks import results
from benchmarks.machine import Machine
from tests.benchmarks.made_up import MACHINE, result

OTHER = Machine("quick", 64, 512, "Debian", "3.13.1")
SOONER, LATER = "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"


def test_results_are_read_as_they_were_added(tmp_path: Path) -> None:
    both = [result("fold", figures={"x": 0.1}), result("fold", "flower", failed="it fell over", version="flwr 1")]
    for each in both:
        results.append(each, tmp_path / "results.jsonl")
    assert results.read(tmp_path / "results.jsonl") == both
    assert results.read(tmp_path / "none") == []


def test_of_each_race_the_newest_session_counts_whole_and_alone() -> None:
    told = [
        result("fold", began=SOONER, turn=0),
        result("fold", began=SOONER, turn=1),
        result("fold", began=LATER, turn=0),
        result("wire", began=SOONER, turn=0),
        result("wire", "flower", began=SOONER, turn=0),
    ]
    assert results.newest(told, MACHINE) == {"fold": told[2:3], "wire": told[3:]}


def test_rows_of_several_machines_are_not_mixed() -> None:
    told = [result("fold", began=LATER), result("wire", began=SOONER, machine=OTHER)]
    assert results.last_machine(told) == MACHINE
    assert results.newest(told, MACHINE).keys() == {"fold"}
    assert results.last_machine([]) is None
