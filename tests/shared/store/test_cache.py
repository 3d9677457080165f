"""Blobs that can be pulled again."""

import os
from pathlib import Path

import pytest

from folkmoot.errors import StoreFault
from folkmoot.store.cache import Cache
from folkmoot.wire import codec


def test_a_blob_is_found_by_its_digest_also_by_the_next_process(tmp_path: Path) -> None:
    blob = Cache(tmp_path, 1_000).put(b"model")
    assert blob == codec.digest(b"model")
    again = Cache(tmp_path, 1_000)
    assert again.has(blob)
    assert again.read(blob) == b"model"
    assert again.path(blob).read_bytes() == b"model"


def test_a_blob_that_a_power_cut_has_damaged_is_not_there(tmp_path: Path) -> None:
    blob = Cache(tmp_path, 1_000).put(b"model")
    (tmp_path / blob.hex()).write_bytes(b"mod")
    assert not Cache(tmp_path, 1_000).has(blob)
    assert not (tmp_path / blob.hex()).exists()


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 250)
    old, older = cache.put(b"a" * 100), cache.put(b"b" * 100)
    os.utime(cache.path(older), ns=(1, 1))
    os.utime(cache.path(old), ns=(2, 2))
    new = cache.put(b"c" * 100)
    assert [cache.has(blob) for blob in (older, old, new)] == [False, True, True]


def test_what_has_just_come_stays_however_large(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10)
    assert cache.has(cache.put(bytes(100)))


def test_what_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StoreFault):
        Cache(tmp_path, 10).read(bytes(32))


@pytest.mark.parametrize("again", [False, True], ids=["same-process", "next-process"])
def test_a_blob_that_has_rotted_is_not_read_and_not_there_any_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, again: bool
) -> None:
    caplog.set_level("WARNING")  # whatever a command that ran in this process has asked for
    cache = Cache(tmp_path, 1_000)
    blob = cache.put(b"model")
    cache = Cache(tmp_path, 1_000) if again else cache
    assert cache.read(blob) == b"model"
    cache.path(blob).write_bytes(b"modem")
    for _ in range(3):
        with pytest.raises(StoreFault):
            cache.read(blob)
        assert not cache.has(blob)
    assert not cache.path(blob).exists()
    assert [record.getMessage() for record in caplog.records] == ["a damaged blob is dropped"]
    assert cache.put(b"model") == blob
    assert cache.read(blob) == b"model"


def test_who_doubts_a_blob_has_it_looked_at_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1_000)
    blob = cache.put(b"model")
    assert cache.check(blob)
    cache.path(blob).write_bytes(b"mo")
    assert not cache.check(blob)
    assert not cache.has(blob)
