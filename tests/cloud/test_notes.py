import cbor2
import pytest

from folkmoot.wire.partial import Leaf
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runner import notes
from folkmoot_cloud.runner.journal import jobs_of
from folkmoot_cloud.runner.notes import Note


def test_a_note_tells_what_a_job_took() -> None:
    assert notes.read(cbor2.dumps({"seconds": 1.5, "steps": 12, "peak_bytes": 3}, canonical=True), 1.6) == Note(1.5, 12)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xff",
        cbor2.dumps("hello"),
        cbor2.dumps({"seconds": 1.5}, canonical=True),
        cbor2.dumps({"seconds": "long", "steps": 1}, canonical=True),
        *(
            cbor2.dumps({"seconds": wrong, "steps": 1}, canonical=True)
            for wrong in (-1.0, 12.0, 1e300, float("nan"), float("inf"))
        ),
        cbor2.dumps({"seconds": 1.0, "steps": 1 << 60}, canonical=True),
    ],
)
def test_a_note_that_cannot_be_says_nothing(note: bytes) -> None:
    assert notes.read(note, 10.0) is None


def test_where_nobody_knows_how_long_it_took_a_week_is_the_most() -> None:
    assert notes.read(cbor2.dumps({"seconds": 3e5, "steps": 1}, canonical=True), None) == Note(3e5, 1)
    assert notes.read(cbor2.dumps({"seconds": 1e9, "steps": 1}, canonical=True), None) is None


def test_of_a_belated_answer_the_record_has_the_jobs_that_are_in_it() -> None:
    note = cbor2.dumps({"seconds": 1.5, "steps": 12}, canonical=True)
    leaves = (Leaf("d1", "", note), Leaf("d2", "late:deadline", note), Leaf("d3", "", b"\xff"))
    assert jobs_of("g1", leaves) == [Fate("g1", "d1", train_seconds=1.5, steps=12)]
