"""What a disk that does not do looks like from above: full, beyond a limit, read-only, failing."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from folkmoot.errors import DiskFault, StoreFault
from folkmoot.hop.batch import Batch, Keep
from folkmoot.store import disk
from folkmoot.store.cache import Cache
from folkmoot.store.examples import Examples
from folkmoot.store.ledger import INSIDE, Ledger
from folkmoot.store.spool import Spool
from folkmoot.wire import codec
from tests.kit.disk import MakeDisk

LARGE = bytes(INSIDE + 1)


def names(folder: Path) -> set[str]:
    """Gives every file below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def keep(content: bytes) -> Batch:
    """Gives a batch that keeps a payload."""
    return Batch(0, keeps=[Keep("m/00", codec.digest(content), content)], firm=True)


@pytest.mark.parametrize("content", [LARGE, os.urandom(INSIDE)], ids=["file", "row"])
def test_what_does_not_fit_is_not_stored_and_leaves_nothing_behind(tmp_path: Path, make_disk: MakeDisk, content: bytes) -> None:
    small = make_disk(tmp_path / "node", 4 << 20)
    ledger = Ledger(small.folder / "ledger.db")
    small.fill(leave=INSIDE // 2)
    free = small.free
    for _ in range(3):
        with pytest.raises(DiskFault) as caught:
            ledger.commit([keep(content)], {"now": 1})
        assert (caught.value.full, caught.value.why) == (True, "no room on the disk")
    assert ledger.payload("m/00", codec.digest(content)) is None
    assert ledger.fact("now") is None
    if content is LARGE:
        assert small.free == free
        assert not [name for name in names(small.folder) if name.startswith("payloads/")]
    small.make_room()
    ledger.commit([keep(content)], {"now": 2})
    assert ledger.payload("m/00", codec.digest(content)) == content
    ledger.close()


def test_what_a_crash_has_left_of_a_payload_is_swept(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.commit([keep(LARGE)], {})
    ledger.close()
    kept = codec.digest(LARGE).hex()
    for name in ("f" * 64, "e" * 64 + ".new", kept + ".new"):
        (tmp_path / "payloads" / name).write_bytes(b"half")
    Ledger(tmp_path / "ledger.db").close()
    assert [path.name for path in (tmp_path / "payloads").iterdir()] == [kept]


def test_every_store_says_that_the_disk_is_full(tmp_path: Path, make_disk: MakeDisk) -> None:
    small = make_disk(tmp_path / "node", 4 << 20)
    cache, spool = Cache(small.folder / "cache", 1 << 30), Spool(small.folder / "spool")
    examples = Examples(small.folder / "examples.db", "toy")
    small.fill()
    before = names(small.folder)
    steps: list[Callable[[], Any]] = [
        lambda: cache.put(LARGE),
        lambda: spool.have(b"p" * 32, 1 << 20, 1 << 15),
        lambda: examples.add([(LARGE, b"y")], 0),
        lambda: Ledger(small.folder / "new" / "ledger.db"),
        lambda: Examples(small.folder / "other.db", "toy"),
    ]
    for step in steps:
        with pytest.raises(DiskFault) as caught:
            step()
        assert caught.value.full, caught.value
    spool.close()
    assert {name for name in names(small.folder) - before if name.endswith((".part", ".new"))} == set()
    small.make_room()
    cache.put(LARGE)
    examples.add([(LARGE, b"y")], 0)
    Ledger(small.folder / "new" / "ledger.db").close()
    examples.close()


def test_a_disk_that_can_only_be_read_fails_and_is_not_full(tmp_path: Path, make_disk: MakeDisk) -> None:
    small = make_disk(tmp_path / "node", 4 << 20)
    cache = Cache(small.folder / "cache", 1 << 30)
    blob = cache.put(b"weights")
    ledger = Ledger(small.folder / "ledger.db")
    ledger.commit([keep(LARGE)], {})
    ledger.close()
    subprocess.run(("mount", "-o", "remount,ro", str(small.folder)), check=True)
    for step in (lambda: cache.put(b"other"), lambda: Spool(small.folder / "spool"), lambda: _boot(small.folder)):
        with pytest.raises(DiskFault) as caught:
            step()
        assert (caught.value.full, caught.value.why) == (False, "the disk fails")
    assert cache.read(blob) == b"weights"
    found = disk.lacking(small.folder, 1)
    assert found is not None
    assert not found.full
    subprocess.run(("mount", "-o", "remount,rw", str(small.folder)), check=True)
    assert disk.lacking(small.folder, 1) is None


def _boot(folder: Path) -> None:
    ledger = Ledger(folder / "ledger.db")
    try:
        ledger.count("boot")
    finally:
        ledger.close()


LIMITED = """
import resource, sys
from pathlib import Path
from folkmoot.errors import DiskFault
from folkmoot.store.ledger import Ledger
from tests.shared.store.test_disk import INSIDE, LARGE, keep
ledger = Ledger(Path(sys.argv[1]) / "ledger.db")
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 15, resource.RLIM_INFINITY))
for content in (LARGE, LARGE[:INSIDE]):
    try:
        ledger.commit([keep(content)], {"now": 1})
    except DiskFault as fault:
        print(fault.why)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
ledger.commit([keep(LARGE)], {"now": 2})
print(ledger.fact("now"))
"""


def test_the_largest_file_that_a_process_may_write_is_a_disk_that_is_full(tmp_path: Path) -> None:
    said = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True)
    first, second, now = said.stdout.splitlines()
    assert first == "no room on the disk"
    assert second in ("no room on the disk", "the disk fails")  # SQLite keeps what the system said to itself
    assert now == "2"


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "no space"), True),
        (OSError(errno.EDQUOT, "quota"), True),
        (OSError(errno.EIO, "i/o"), False),
        (OSError(errno.EROFS, "read-only"), False),
        (PermissionError(errno.EACCES, "not ours"), None),
        (FileNotFoundError(errno.ENOENT, "gone"), None),
        (ValueError("a bug"), None),
    ],
)
def test_only_what_may_pass_is_about_the_disk(tmp_path: Path, error: Exception, full: bool | None) -> None:
    assert disk.about(error, tmp_path) is full


def test_a_database_that_is_damaged_or_not_ours_to_write_is_not_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "node" / "ledger.db"
    Ledger(path).close()
    data = bytearray(path.read_bytes())
    data[200:4_000] = b"\xff" * 3_800
    path.write_bytes(data)
    for damaged in (path, tmp_path / "node"):  # the second is a folder
        with pytest.raises(StoreFault) as caught:
            Ledger(damaged)
        assert not isinstance(caught.value, DiskFault)


def test_a_share_of_the_disk_is_within_limits(tmp_path: Path, make_disk: MakeDisk) -> None:
    assert disk.share(make_disk(tmp_path / "small", 1 << 20).folder) == 64 << 20
    assert disk.share(make_disk(tmp_path / "large", 1 << 30).folder) == (1 << 30) // 10
    assert disk.share(make_disk(tmp_path / "huge", 1 << 40).folder) == 2 << 30
