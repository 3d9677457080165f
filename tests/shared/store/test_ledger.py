"""A node's durable memory."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from folkmoot.errors import StoreFault
from folkmoot.hop import events, member
from folkmoot.hop.batch import Batch, Event, Keep
from folkmoot.store import ledger as module
from folkmoot.store.ledger import INSIDE, Ledger
from folkmoot.wire import codec
from tests.kit.asks import ask, opened

OPENED = opened("d1", "d2")
ASKED = member.Asked(b"1" * 16, ask(), 10_000)


def batch(*journal: tuple[str, Event], now: int = 5, firm: bool = True, **fields: object) -> Batch:
    """Gives a batch that holds these events."""
    return Batch(now, journal=list(journal), firm=firm, **fields)  # type: ignore[arg-type]


def test_what_was_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "ledger.db")
    first.commit([batch(("r/k", OPENED)), batch(("m/1", ASKED))], {"now": 5})
    first.commit([batch(("r/k", events.Away("d1")), now=9)], {"now": 9})
    first.close()
    second = Ledger(tmp_path / "ledger.db")
    assert dict(second.histories()) == {"r/k": [(5, OPENED), (9, events.Away("d1"))], "m/1": [(5, ASKED)]}
    assert second.fact("now") == 9


def test_machines_come_back_in_the_order_of_their_first_events(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    for key in ("r/b", "r/a", "r/c"):
        ledger.commit([batch((key, OPENED))], {})
    ledger.commit([batch(("r/b", events.Woke()))], {})
    assert [key for key, _ in ledger.histories()] == ["r/b", "r/a", "r/c"]


@pytest.mark.parametrize("size", [10, INSIDE, INSIDE + 1], ids=["small", "inside", "file"])
def test_a_kept_payload_stays_until_its_owner_is_forgotten(tmp_path: Path, size: int) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    content = bytes(size)
    payload = codec.digest(content)
    ledger.commit([batch(("r/k", OPENED), keeps=[Keep("r/k", payload, content)])], {})
    assert ledger.payload("r/k", payload) == content
    assert ledger.payload("r/other", payload) is None
    ledger.commit([batch(forgets=["r/k"])], {})
    assert ledger.payload("r/k", payload) is None
    assert not list((tmp_path / "payloads").iterdir())
    assert not list(ledger.histories())


@pytest.mark.parametrize("size", [10, INSIDE, INSIDE + 1], ids=["small", "inside", "file"])
def test_a_piece_of_a_payload_is_read_alone_and_only_where_all_of_it_is_there(tmp_path: Path, size: int) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    content = bytes(range(10)) + bytes(size - 10)
    payload = codec.digest(content)
    ledger.commit([batch(("r/k", OPENED), keeps=[Keep("r/k", payload, content)])], {})
    assert [ledger.piece("r/k", payload, start, 5) for start in (0, 5)] == [content[:5], content[5:10]]
    assert ledger.piece("r/k", payload, size - 3, 3) == content[-3:]
    assert ledger.piece("r/k", payload, size - 3, 4) is None
    assert ledger.piece("r/other", payload, 0, 5) is None
    ledger.commit([batch(forgets=["r/k"])], {})
    assert ledger.piece("r/k", payload, 0, 5) is None


def test_a_large_payload_that_two_machines_keep_goes_with_the_second(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    content = bytes(INSIDE + 1)
    payload = codec.digest(content)
    ledger.commit([batch(keeps=[Keep("r/a", payload, content), Keep("r/b", payload, content)])], {})
    ledger.commit([batch(forgets=["r/a"])], {})
    assert ledger.payload("r/b", payload) == content
    ledger.commit([batch(forgets=["r/b"])], {})
    assert not list((tmp_path / "payloads").iterdir())


@pytest.mark.parametrize("size", [10, INSIDE + 1], ids=["inside", "file"])
def test_one_payload_can_go_while_its_owner_stays(tmp_path: Path, size: int) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    first, second = b"1" * size, b"2" * size
    keeps = [Keep("r/k", codec.digest(content), content) for content in (first, second)]
    ledger.commit([batch(("r/k", OPENED), keeps=keeps)], {})
    ledger.commit([batch(drops=[("r/k", codec.digest(first))])], {})
    assert ledger.payload("r/k", codec.digest(first)) is None
    assert ledger.payload("r/k", codec.digest(second)) == second
    assert len(list((tmp_path / "payloads").iterdir())) == (size > INSIDE)


def test_a_machine_that_is_forgotten_and_begun_anew_in_one_step_is_the_new_one(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    old, new = b"old", b"new"
    ledger.commit([batch(("r/k", OPENED), keeps=[Keep("r/k", codec.digest(old), old)])], {})
    step = batch(("r/k", events.Away("d1")), keeps=[Keep("r/k", codec.digest(b"between"), b"between")])
    step.forget("r/k")
    step.journal.append(("r/k", OPENED))
    step.keeps.append(Keep("r/k", codec.digest(new), new))
    ledger.commit([step], {})
    assert dict(ledger.histories()) == {"r/k": [(5, OPENED)]}
    assert [ledger.payload("r/k", codec.digest(one)) for one in (old, b"between", new)] == [None, None, new]


def test_a_damaged_large_payload_is_none(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    content = bytes(INSIDE + 1)
    payload = codec.digest(content)
    ledger.commit([batch(keeps=[Keep("r/k", payload, content)])], {})
    (tmp_path / "payloads" / payload.hex()).write_bytes(b"damaged")
    assert ledger.payload("r/k", payload) is None


def test_a_batch_that_cannot_be_stored_leaves_nothing_of_itself(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.commit([batch(("r/k", OPENED))], {"now": 1})
    with pytest.raises(StoreFault):
        ledger.commit([batch(("r/k", events.Woke()))], {"now": object()})
    assert dict(ledger.histories()) == {"r/k": [(5, OPENED)]}
    ledger.commit([batch(("r/k", events.Woke()))], {"now": 2})
    assert len(dict(ledger.histories())["r/k"]) == 2


def test_a_counter_never_gives_a_number_twice(tmp_path: Path) -> None:
    numbers = []
    for _ in range(3):
        ledger = Ledger(tmp_path / "ledger.db")
        numbers += [ledger.count("birth"), ledger.count("birth"), ledger.count("boot")]
        ledger.close()
    assert numbers == [1, 2, 1, 3, 4, 2, 5, 6, 3]


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.count("boot")
    script = (
        f"from folkmoot.store.ledger import Ledger; from pathlib import Path; Ledger(Path({str(tmp_path)!r}) / 'ledger.db')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "another process uses it" in done.stderr


def test_a_file_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger.db").close()
    db = sqlite3.connect(tmp_path / "ledger.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreFault, match="newer program"):
        Ledger(tmp_path / "ledger.db")


def test_an_event_of_a_newer_program_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    with monkeypatch.context() as patch:
        patch.setattr(module, "SCHEMA", 99)
        ledger.commit([batch(("r/k", OPENED))], {})
    with pytest.raises(StoreFault, match="newer program"):
        list(ledger.histories())


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database, but long enough to look like one" * 20)
    with pytest.raises(StoreFault):
        Ledger(tmp_path / "ledger.db")


KILLED = """
import os, signal
from pathlib import Path
from folkmoot.hop.batch import Batch, Keep
from folkmoot.store.ledger import Ledger
ledger = Ledger(Path({folder!r}) / "ledger.db")
ledger.commit([Batch(1, keeps=[Keep("r/k", b"p" * 32, b"kept")], firm={firm})], {{}})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("firm", [True, False], ids=["firm", "soft"])
def test_a_committed_batch_survives_kill_9(tmp_path: Path, firm: bool) -> None:
    subprocess.run([sys.executable, "-c", KILLED.format(folder=str(tmp_path), firm=firm)], check=False)
    assert Ledger(tmp_path / "ledger.db").payload("r/k", b"p" * 32) == b"kept"
