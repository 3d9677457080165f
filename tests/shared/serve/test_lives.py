"""One life after another: what ends a node's life passes, or it does not."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from folkmoot.errors import DiskFault, StoreFault
from folkmoot.serve import health
from folkmoot.serve.lives import LEAST, Room, keep
from folkmoot.serve.port import AHEAD, Births
from folkmoot.serve.station import Station
from folkmoot.store.ledger import Ledger
from tests.kit.disk import MakeDisk

FULL = DiskFault("no", full=True)


def quick(folder: Path) -> Room:
    """Gives a wait that looks all the time."""
    return Room(folder, first=0.01, every=0.01)


async def nothing(station: Station) -> None:
    """Is a life that is over at once."""


async def test_a_life_that_cannot_begin_is_begun_again_until_it_can(tmp_path: Path) -> None:
    until, lives = asyncio.Event(), []

    async def live(station: Station) -> None:
        lives.append(station.boot)
        if len(lives) < 3:
            raise DiskFault("no", full=True)
        until.set()

    await keep(tmp_path, until, live, quick(tmp_path))
    assert lives == [1, 2, 3]
    Ledger(tmp_path / "ledger.db").close()  # every one has let go of it


async def test_what_does_not_pass_ends_the_node(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database, and never was one" * 100)
    with pytest.raises(StoreFault, match="not a database") as caught:
        await keep(tmp_path, asyncio.Event(), nothing, quick(tmp_path))
    assert not isinstance(caught.value, DiskFault)


async def test_another_process_s_folder_ends_the_node(tmp_path: Path) -> None:
    other = Ledger(tmp_path / "ledger.db")
    with pytest.raises(StoreFault, match="another process uses it") as caught:
        await keep(tmp_path, asyncio.Event(), nothing, quick(tmp_path))
    assert not isinstance(caught.value, DiskFault)
    other.close()


async def test_a_node_that_starts_on_a_full_disk_waits_and_says_so(tmp_path: Path, make_disk: MakeDisk) -> None:
    disk = make_disk(tmp_path / "node", 4 << 20)
    disk.fill()
    until, lived = asyncio.Event(), asyncio.Event()

    async def live(station: Station) -> None:
        lived.set()
        await until.wait()

    node = asyncio.create_task(keep(disk.folder, until, live, quick(disk.folder)))
    room = Room(disk.folder, first=0.01, every=0.01)
    looked = asyncio.Event()
    waiting = asyncio.create_task(room.wait(FULL, until, looked.set))
    await looked.wait()
    assert not node.done()
    assert not lived.is_set()
    disk.make_room()
    await waiting
    await lived.wait()
    until.set()
    await node


async def test_it_can_be_stopped_while_it_waits(tmp_path: Path, make_disk: MakeDisk) -> None:
    disk = make_disk(tmp_path / "node", 4 << 20)
    disk.fill()
    until = asyncio.Event()
    waits = asyncio.Event()

    class Telling(Room):
        async def wait(self, *given: Any) -> None:
            waits.set()
            await super().wait(*given)

    node = asyncio.create_task(keep(disk.folder, until, nothing, Telling(disk.folder)))
    await waits.wait()
    assert not node.done()
    until.set()
    await node


async def test_a_disk_that_is_full_again_at_once_has_to_have_more_room(tmp_path: Path, make_disk: MakeDisk) -> None:
    disk = make_disk(tmp_path / "node", 4 * LEAST)
    disk.fill(leave=LEAST + LEAST // 2)
    room, until, looks = quick(disk.folder), asyncio.Event(), 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            disk.make_room()

    await room.wait(FULL, until, look)
    assert looks == 1, "there is room for what a node has to have at least"
    await room.wait(FULL, until, look)
    assert looks == 3, "what did not fit was larger than that"
    assert [path.name for path in disk.folder.iterdir()] == []


def test_births_grow_over_lives_and_are_stored_ahead(tmp_path: Path) -> None:
    seen = []
    for _ in range(3):
        ledger = Ledger(tmp_path / "ledger.db")
        births = Births(ledger, "up")
        seen += [births.next() for _ in range(AHEAD + 2)]
        assert births.current == seen[-1] <= ledger.fact("birth/up")
        ledger.close()
    assert seen == sorted(set(seen))


def test_a_link_that_is_lost_while_the_disk_is_full_comes_back(tmp_path: Path, make_disk: MakeDisk) -> None:
    disk = make_disk(tmp_path / "node", 4 << 20)
    ledger = Ledger(disk.folder / "ledger.db")
    births = Births(ledger, "up")
    births.next()
    disk.fill()
    assert [births.next() for _ in range(AHEAD - 1)] == list(range(2, AHEAD + 1))
    with pytest.raises(DiskFault, match="full"):
        births.next()
    disk.make_room()
    assert births.next() == AHEAD + 1
    ledger.close()


def test_health_is_told_also_where_there_is_no_room_for_a_file(tmp_path: Path, make_disk: MakeDisk) -> None:
    disk = make_disk(tmp_path / "node", 1 << 20)
    kept = health.Health(disk.folder)
    kept.note("up", True)
    disk.fill()
    kept.hinder("no room on the disk")
    assert health.missing(disk.folder) == [f"{disk.folder}: no room on the disk"]
    kept.note("up", False)
    assert len(health.missing(disk.folder)) == 2
    disk.make_room()
    health.Health(disk.folder).note("up", True)  # of the next life
    assert health.missing(disk.folder) == []
    assert [path.name for path in disk.folder.iterdir()] == [health.FILE]
