"""Pieces of large payloads on their way in."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from folkmoot.errors import PeerFault
from folkmoot.store.spool import EVERY, FORGET, LIMIT, Spool
from folkmoot.wire import chunks, codec

CHUNK = 1_024


def pieces(data: bytes) -> list[bytes]:
    """Gives the chunks of some data."""
    return [chunks.piece(data, index, CHUNK) for index in range(chunks.count(len(data), CHUNK))]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=20 * CHUNK), st.randoms(use_true_random=False))
def test_pieces_in_any_order_and_twice_become_the_payload(tmp_path: Path, data: bytes, rng: random.Random) -> None:
    spool, payload = Spool(tmp_path), codec.digest(data)
    spool.have(payload, len(data), CHUNK)
    parts = list(enumerate(pieces(data))) * 2
    rng.shuffle(parts)
    told = [spool.write(payload, index, part) for index, part in parts]
    assert told[-1]
    assert spool.read(payload) == data
    spool.drop(payload)
    assert not list(tmp_path.iterdir())


def test_a_reboot_costs_only_what_was_not_noted(tmp_path: Path) -> None:
    data = os.urandom(30 * CHUNK)
    payload = codec.digest(data)
    first = Spool(tmp_path)
    first.have(payload, len(data), CHUNK)
    for index, part in list(enumerate(pieces(data)))[:21]:
        first.write(payload, index, part)
    second = Spool(tmp_path)  # the first one has gone without a word
    missing = list(second.have(payload, len(data), CHUNK).missing())
    assert missing == list(range(21 // EVERY * EVERY, 30))
    assert all(not second.write(payload, index, pieces(data)[index]) for index in missing[:-1])
    assert second.write(payload, missing[-1], pieces(data)[missing[-1]])
    assert second.read(payload) == data


def test_an_orderly_end_notes_everything(tmp_path: Path) -> None:
    first = Spool(tmp_path)
    first.have(b"p" * 32, 3 * CHUNK, CHUNK)
    first.write(b"p" * 32, 1, bytes(CHUNK))
    first.close()
    assert list(Spool(tmp_path).have(b"p" * 32, 3 * CHUNK, CHUNK).missing()) == [0, 2]


@pytest.mark.parametrize("damage", [b"", b"\xff\xff", os.urandom(50)], ids=["empty", "malformed", "noise"])
def test_a_damaged_map_starts_the_transfer_over(tmp_path: Path, damage: bytes) -> None:
    first = Spool(tmp_path)
    first.have(b"p" * 32, 3 * CHUNK, CHUNK)
    first.write(b"p" * 32, 1, bytes(CHUNK))
    first.close()
    (tmp_path / f"{(b'p' * 32).hex()}.map").write_bytes(damage)
    assert len(list(Spool(tmp_path).have(b"p" * 32, 3 * CHUNK, CHUNK).missing())) == 3


def test_pieces_of_another_size_are_not_taken_for_those_of_an_earlier_life(tmp_path: Path) -> None:
    size = EVERY * CHUNK
    first = Spool(tmp_path)
    first.have(b"p" * 32, size, CHUNK)
    for index in range(EVERY):
        first.write(b"p" * 32, index, b"1" * CHUNK)
    first.have(b"p" * 32, size, 2 * CHUNK)
    first.write(b"p" * 32, 0, b"2" * 2 * CHUNK)
    assert len(list(first.have(b"p" * 32, size, CHUNK).missing())) == EVERY
    first.have(b"p" * 32, size, 2 * CHUNK)
    first.write(b"p" * 32, 0, b"2" * 2 * CHUNK)
    assert len(list(Spool(tmp_path).have(b"p" * 32, size, CHUNK).missing())) == EVERY  # after kill -9


@pytest.mark.parametrize("left", [None, 0, CHUNK], ids=["no file", "an empty file", "half a file"])
def test_a_map_whose_pieces_are_gone_says_nothing(tmp_path: Path, left: int | None) -> None:
    first = Spool(tmp_path)
    first.have(b"p" * 32, 2 * CHUNK, CHUNK)
    first.write(b"p" * 32, 1, bytes(CHUNK))
    first.close()
    part = tmp_path / f"{(b'p' * 32).hex()}.part"
    part.unlink()
    if left is not None:
        part.write_bytes(bytes(left))
    assert list(Spool(tmp_path).have(b"p" * 32, 2 * CHUNK, CHUNK).missing()) == [0, 1]


def test_a_map_for_fewer_pieces_than_its_size_has_says_nothing(tmp_path: Path) -> None:
    first = Spool(tmp_path)
    first.have(b"p" * 32, 20 * CHUNK, CHUNK)
    first.close()
    forged = codec.dump({"size": 20 * CHUNK, "chunk": CHUNK, "bits": b"\xff"})
    (tmp_path / f"{(b'p' * 32).hex()}.map").write_bytes(forged)
    assert len(list(Spool(tmp_path).have(b"p" * 32, 20 * CHUNK, CHUNK).missing())) == 20


@pytest.mark.parametrize("size", [LIMIT + 1, (1 << 53) - 1, 1 << 60])
def test_more_than_there_can_be_is_refused_before_there_is_room_for_it(tmp_path: Path, size: int) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(PeerFault, match="oversized"):
        spool.have(b"p" * 32, size, CHUNK)
    assert not list(tmp_path.iterdir())


def test_a_piece_of_a_payload_that_is_not_under_way_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PeerFault, match="malformed"):
        Spool(tmp_path).write(b"p" * 32, 0, bytes(CHUNK))


def test_another_chunk_size_starts_over(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.have(b"p" * 32, 4 * CHUNK, CHUNK)
    spool.write(b"p" * 32, 0, bytes(CHUNK))
    assert len(list(spool.have(b"p" * 32, 4 * CHUNK, 2 * CHUNK).missing())) == 2


@pytest.mark.parametrize(("index", "size"), [(3, CHUNK), (0, CHUNK - 1), (2, CHUNK), (-1, CHUNK)])
def test_a_piece_that_does_not_fit_is_refused(tmp_path: Path, index: int, size: int) -> None:
    spool = Spool(tmp_path)
    spool.have(b"p" * 32, 2 * CHUNK + 10, CHUNK)
    with pytest.raises(PeerFault, match="malformed"):
        spool.write(b"p" * 32, index, bytes(size))


def test_a_transfer_that_nobody_goes_on_with_is_forgotten(tmp_path: Path) -> None:
    first = Spool(tmp_path)
    first.have(b"p" * 32, CHUNK, CHUNK)
    first.close()
    for path in tmp_path.iterdir():
        past = path.stat().st_mtime - FORGET - 60
        os.utime(path, (past, past))
    Spool(tmp_path)
    assert not list(tmp_path.iterdir())


KILLED = """
import os, signal
from pathlib import Path
from folkmoot.store.spool import EVERY, Spool
spool = Spool(Path({folder!r}))
spool.have(b"p" * 32, 20 * 1024, 1024)
for index in range(EVERY + 3):
    spool.write(b"p" * 32, index, bytes([index]) * 1024)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_is_noted_survives_kill_9(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED.format(folder=str(tmp_path))], check=False)
    spool = Spool(tmp_path)
    assert list(spool.have(b"p" * 32, 20 * CHUNK, CHUNK).missing()) == list(range(EVERY, 20))
    assert (tmp_path / f"{(b'p' * 32).hex()}.part").read_bytes()[: EVERY * CHUNK] == b"".join(
        bytes([i]) * CHUNK for i in range(EVERY)
    )
