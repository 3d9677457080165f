"""Pieces of large payloads on their way in."""

import os
import random
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from folkmoot.errors import PeerFault
from folkmoot.store.spool import FORGET, LIMIT, PAUSE, SYNC, Spool
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


def begun(folder: Path, total: int, there: int) -> tuple[bytes, Path]:
    """Begins a transfer of so many chunks, of which so many have come, and goes without a word; gives the data and the file."""
    data = os.urandom(total * CHUNK)
    payload = codec.digest(data)
    spool = Spool(folder)
    spool.have(payload, len(data), CHUNK)
    for index, part in list(enumerate(pieces(data)))[:there]:
        spool.write(payload, index, part)
    return data, folder / f"{payload.hex()}.part"


def missing(folder: Path, data: bytes) -> list[int]:
    """Gives the chunks that the next life asks for."""
    return list(Spool(folder).have(codec.digest(data), len(data), CHUNK).missing())


def test_a_program_that_dies_loses_no_piece(tmp_path: Path) -> None:
    data, _ = begun(tmp_path, 30, 21)
    payload, second = codec.digest(data), Spool(tmp_path)
    lacking = list(second.have(payload, len(data), CHUNK).missing())
    assert lacking == list(range(21, 30))
    assert all(not second.write(payload, index, pieces(data)[index]) for index in lacking[:-1])
    assert second.write(payload, lacking[-1], pieces(data)[lacking[-1]])
    assert second.read(payload) == data


def test_a_piece_that_was_noted_but_never_reached_the_disk_comes_again(tmp_path: Path) -> None:
    """A power cut: the disk has written the note first, and of the bytes nothing, or a part."""
    data, file = begun(tmp_path, 5, 4)
    with file.open("r+b") as disk:
        disk.seek(CHUNK)
        disk.write(bytes(CHUNK))
        disk.seek(3 * CHUNK + 700)
        disk.write(bytes(200))
    assert missing(tmp_path, data) == [1, 3, 4]


def test_a_piece_that_reached_the_disk_but_was_not_noted_comes_again(tmp_path: Path) -> None:
    data, file = begun(tmp_path, 5, 4)
    with file.open("r+b") as disk:
        disk.seek(len(data) + 4)
        disk.write(bytes(8))
    assert missing(tmp_path, data) == [1, 2, 4]


def test_a_power_cut_costs_at_most_what_came_since_the_last_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    monkeypatch.setattr(os, "fdatasync", lambda file: synced.append(os.pread(file, 1 << 30, 0)))
    data = os.urandom(4 * SYNC + CHUNK)
    clock = count(step=PAUSE)  # a slow link: as many bytes as SYNC take longer
    payload, spool = codec.digest(data), Spool(tmp_path, clock=lambda: next(clock))
    spool.have(payload, len(data), CHUNK)
    for index, part in enumerate(pieces(data)):
        spool.write(payload, index, part)
        (tmp_path / "cut").mkdir(exist_ok=True)
        if synced:
            (tmp_path / "cut" / f"{payload.hex()}.part").write_bytes(synced[-1])
            assert len(missing(tmp_path / "cut", data)) * CHUNK < len(data) - (index + 1) * CHUNK + SYNC
    assert len(synced) == 4


def test_what_comes_faster_is_synced_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    now, rate = 0.0, 1 << 20  # bytes a second
    data = os.urandom(3 * rate)
    payload, spool = codec.digest(data), Spool(tmp_path, clock=lambda: now)
    spool.have(payload, len(data), CHUNK)
    for index, part in enumerate(pieces(data)):
        now += len(part) / rate
        spool.write(payload, index, part)
    assert len(synced) == 3


def test_an_orderly_end_notes_everything(tmp_path: Path) -> None:
    first = Spool(tmp_path)
    first.have(b"p" * 32, 3 * CHUNK, CHUNK)
    first.write(b"p" * 32, 1, bytes(CHUNK))
    first.close()
    assert list(Spool(tmp_path).have(b"p" * 32, 3 * CHUNK, CHUNK).missing()) == [0, 2]


@pytest.mark.parametrize("damage", [b"", b"\xff\xff", os.urandom(50)], ids=["empty", "short", "noise"])
def test_a_damaged_file_starts_the_transfer_over(tmp_path: Path, damage: bytes) -> None:
    data, file = begun(tmp_path, 3, 2)
    file.write_bytes(damage)
    assert missing(tmp_path, data) == [0, 1, 2]


def test_a_piece_of_a_payload_that_is_not_on_its_way_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.have(b"p" * 32, CHUNK, CHUNK)
    spool.drop(b"p" * 32)
    with pytest.raises(PeerFault, match="malformed"):
        spool.write(b"p" * 32, 0, bytes(CHUNK))


def test_what_an_earlier_life_has_left_can_be_gone_on_with_by_name_alone(tmp_path: Path) -> None:
    data, file = begun(tmp_path, 3, 2)
    payload, spool = codec.digest(data), Spool(tmp_path)
    assert spool.resume(payload)
    assert spool.write(payload, 2, pieces(data)[2])
    assert spool.read(payload) == data
    spool.drop(payload)
    assert not spool.resume(payload)
    file.write_bytes(b"short")
    assert not spool.resume(payload)


def test_more_than_the_limit_is_refused_before_a_byte_is_stored(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=10 * CHUNK)
    with pytest.raises(PeerFault, match="oversized"):
        spool.have(b"p" * 32, 10 * CHUNK + 1, CHUNK)
    assert not list(tmp_path.iterdir())


def test_pieces_of_another_size_are_not_taken_for_those_of_an_earlier_life(tmp_path: Path) -> None:
    size = 8 * CHUNK
    first = Spool(tmp_path)
    first.have(b"p" * 32, size, CHUNK)
    for index in range(8):
        first.write(b"p" * 32, index, b"1" * CHUNK)
    first.have(b"p" * 32, size, 2 * CHUNK)
    first.write(b"p" * 32, 0, b"2" * 2 * CHUNK)
    assert len(list(Spool(tmp_path).have(b"p" * 32, size, CHUNK).missing())) == 8  # after kill -9


@pytest.mark.parametrize("size", [LIMIT + 1, (1 << 53) - 1, 1 << 60])
def test_more_than_there_can_be_is_refused_before_there_is_room_for_it(tmp_path: Path, size: int) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(PeerFault, match="oversized"):
        spool.have(b"p" * 32, size, CHUNK)
    assert not list(tmp_path.iterdir())


def test_another_chunk_size_starts_over(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.have(b"p" * 32, 4 * CHUNK, CHUNK)
    spool.write(b"p" * 32, 0, bytes(CHUNK))
    assert len(list(spool.have(b"p" * 32, 4 * CHUNK, 2 * CHUNK).missing())) == 2
    assert len(list(Spool(tmp_path).have(b"p" * 32, 4 * CHUNK, CHUNK).missing())) == 4


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
from folkmoot.store.spool import Spool
spool = Spool(Path({folder!r}))
spool.have(b"p" * 32, 20 * 1024, 1024)
for index in range(11):
    spool.write(b"p" * 32, index, bytes([index]) * 1024)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_has_come_survives_kill_9(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED.format(folder=str(tmp_path))], check=False)
    spool = Spool(tmp_path)
    assert list(spool.have(b"p" * 32, 20 * CHUNK, CHUNK).missing()) == list(range(11, 20))
    assert spool.read(b"p" * 32)[: 11 * CHUNK] == b"".join(bytes([i]) * CHUNK for i in range(11))
