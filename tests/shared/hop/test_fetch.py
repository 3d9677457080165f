"""One download: what is asked for, and when again."""

import os
from pathlib import Path

import pytest

from folkmoot.errors import PeerFault
from folkmoot.hop.fetch import LEAST, PATIENCE, PATIENCE_CAP, WINDOW, Fetch
from folkmoot.store.spool import Spool
from folkmoot.wire import chunks, codec
from folkmoot.wire.messages import Block, Get

CHUNK = 1_024
TOTAL = 3 * WINDOW
DATA = os.urandom(TOTAL * CHUNK - 10)
BLOB = codec.digest(DATA)


def block(index: int) -> Block:
    """Gives a block of the blob."""
    data = chunks.piece(DATA, index, CHUNK)
    return Block(blob=BLOB, index=index, size=len(DATA), data=data)


def fetch(folder: Path) -> Fetch:
    """Gives a download of the blob."""
    return Fetch(Spool(folder), BLOB, len(DATA), CHUNK)


def asked(get: Get | None) -> list[int]:
    """Gives the blocks that a request is for."""
    return [] if get is None else list(range(get.first, get.first + get.count))


def test_nothing_is_asked_for_twice_and_never_more_than_a_window_is_under_way(tmp_path: Path) -> None:
    one = fetch(tmp_path)
    way, all_asked, said = asked(one.get(0)), [], "more"
    all_asked += way
    while said != "done":
        assert len(way) <= WINDOW
        said = one.take(block(way.pop(0)), 1)
        if said == "more":
            more = asked(one.get(1))
            way += more
            all_asked += more
    assert all_asked == list(range(TOTAL))


def test_the_next_blocks_are_asked_for_while_half_a_window_is_still_under_way(tmp_path: Path) -> None:
    one = fetch(tmp_path)
    one.get(0)
    assert [one.take(block(index), 1) for index in range(WINDOW // 2)] == ["wait"] * (WINDOW // 2 - 1) + ["more"]
    assert asked(one.get(1)) == list(range(WINDOW, WINDOW + WINDOW // 2))
    assert one.get(1) is None  # the window is full


def test_what_is_lost_is_asked_for_again_less_and_less_often(tmp_path: Path) -> None:
    one = fetch(tmp_path)
    one.get(0)
    one.take(block(1), 0)
    waits = []
    for _ in range(7):
        assert one.wake is not None
        now = one.wake
        assert asked(one.again(now)) == [0]
        waits.append(one.wake - now)
    assert (waits[0], waits[1], waits[-1]) == (PATIENCE, 2 * PATIENCE, PATIENCE_CAP)


def test_after_a_gap_the_rest_is_asked_for_as_well(tmp_path: Path) -> None:
    one = fetch(tmp_path)
    one.get(0)
    for index in (0, 2, 5):
        one.take(block(index), 1)
    assert asked(one.again(2)) == [1]
    assert asked(one.get(2)) == [3, 4]
    assert asked(one.get(2)) == list(range(6, 6 + WINDOW - 3))


def test_there_is_nothing_to_wait_for_without_a_connection(tmp_path: Path) -> None:
    one = fetch(tmp_path)
    one.get(0)
    one.rest()
    assert one.wake is None
    one.resume(70_000)
    assert one.wake == 70_000 + PATIENCE


def test_before_it_has_begun_it_takes_what_comes_and_asks_for_nothing(tmp_path: Path) -> None:
    one = fetch(tmp_path)
    assert [one.take(block(index), 1) for index in range(WINDOW)] == ["wait"] * WINDOW
    one.resume(2)
    assert one.wake is None
    assert asked(one.get(3)) == list(range(WINDOW, 2 * WINDOW))


def test_a_block_that_does_not_fit_is_still_lacking(tmp_path: Path) -> None:
    one = fetch(tmp_path)
    one.get(0)
    with pytest.raises(PeerFault, match="malformed"):
        one.take(Block(blob=BLOB, index=0, size=len(DATA), data=b"short"), 1)
    assert asked(one.again(2))[0] == 0


def test_bytes_that_are_not_the_blob_s_start_it_over(tmp_path: Path) -> None:
    wrong = bytes(CHUNK)
    one = Fetch(Spool(tmp_path), BLOB, CHUNK, CHUNK)
    one.get(0)
    assert one.take(Block(blob=BLOB, index=0, size=CHUNK, data=wrong), 1) == "damaged"
    assert asked(one.get(2)) == [0]


def test_a_download_goes_on_in_the_blocks_in_which_it_has_begun(tmp_path: Path) -> None:
    first = fetch(tmp_path)
    first.get(0)
    first.take(block(0), 1)
    second = Fetch(Spool(tmp_path), BLOB, len(DATA), 4 * CHUNK)
    assert (second.chunk, asked(second.get(2))) == (CHUNK, list(range(1, WINDOW + 1)))


def test_a_download_starts_over_where_its_blocks_no_longer_go_through(tmp_path: Path) -> None:
    first = Fetch(Spool(tmp_path), BLOB, len(DATA), 4 * CHUNK)
    first.get(0)
    second = Fetch(Spool(tmp_path), BLOB, len(DATA), CHUNK, most=CHUNK)
    assert (second.chunk, asked(second.get(2))) == (CHUNK, list(range(WINDOW)))


def test_of_large_blocks_fewer_are_under_way(tmp_path: Path) -> None:
    large = Fetch(Spool(tmp_path), bytes(32), 1 << 20, chunks.LARGE)
    assert asked(large.get(0)) == list(range(LEAST))
