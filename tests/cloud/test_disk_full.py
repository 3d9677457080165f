"""The API on a disk that has no room: one sentence, nothing half done, and on it goes."""

import asyncio
import errno
from pathlib import Path

import pytest
from asyncpg import exceptions as asyncpg
from sqlalchemy.exc import DBAPIError

from folkmoot.errors import DiskFault, StoreFault
from folkmoot_cloud.blobs.store import Folder
from folkmoot_cloud.serve import prepare
from folkmoot_cloud.settings import Settings, Tokens
from folkmoot_cloud.shortage import lacking, shortage
from tests.cloud.test_problems import MEDIA
from tests.kit import cloud as kit
from tests.kit import parcels
from tests.kit.disk import MakeDisk

SAID = "no room on the disk: nothing of this was stored; try again when the service's host has been seen to"


async def test_what_cannot_be_stored_is_refused_in_one_sentence_and_what_is_stored_can_be_read(
    tmp_path: Path, make_disk: MakeDisk
) -> None:
    disk = make_disk(tmp_path / "data", 8 << 20)
    settings = Settings(data=disk.folder, tokens=Tokens(bootstrap_file=tmp_path / "token"))
    async with kit.running(settings) as cloud:
        task = await cloud.task()
        disk.fill()
        for path, options in (
            ("/v1/tasks", {"content": parcels.parcel(7)}),
            ("/v1/runs", {"json": {"task": task["id"]}}),
            ("/v1/tokens", {"json": {"name": "x", "scopes": ["read"]}}),
        ):
            for _ in range(1_000):  # SQLite's log may have room for a small thing yet; not for so many
                answer = await cloud.client.post(path, **options)  # type: ignore[arg-type]
                if answer.status_code == 503:
                    break
                assert answer.status_code in (200, 201)
            assert (answer.status_code, answer.headers["content-type"], answer.json()["detail"]) == (503, MEDIA, SAID)
        assert (await cloud.client.get(f"/v1/tasks/{task['id']}")).json() == task
        ready = await cloud.client.get("/readyz")
        assert (ready.status_code, ready.json()["database"]) == (503, "no room on the disk")
        assert (await cloud.client.get("/healthz")).status_code == 200

        disk.make_room()
        assert (await cloud.client.get("/readyz")).status_code == 200
        await cloud.run(task=(await cloud.task(7))["id"])
        once = [await cloud.made("/v1/runs", task=task["id"]) for _ in range(2)]
        assert once[0]["id"] != once[1]["id"]


async def test_a_cloud_that_starts_on_a_full_disk_waits_for_room(tmp_path: Path, make_disk: MakeDisk) -> None:
    disk = make_disk(tmp_path / "data", 8 << 20)
    settings = Settings(data=disk.folder, tokens=Tokens(bootstrap_file=tmp_path / "token"))
    async with kit.running(settings):
        pass
    disk.fill()
    starting = asyncio.create_task(prepare(settings, asyncio.Event()))
    stopped = asyncio.Event()
    given_up = asyncio.create_task(prepare(settings, stopped))
    done, _ = await asyncio.wait((starting, given_up), timeout=0.5)
    assert not done
    stopped.set()
    await given_up
    disk.make_room()
    await starting
    async with kit.running(settings) as cloud:
        assert (await cloud.client.get("/readyz")).status_code == 200


async def test_a_large_blob_that_does_not_fit_leaves_nothing_behind(tmp_path: Path, make_disk: MakeDisk) -> None:
    disk = make_disk(tmp_path / "data", 4 << 20)
    store = Folder(disk.folder)
    disk.fill(leave=1 << 20)
    free = disk.free
    with pytest.raises(DiskFault):
        await store.put("main", "f" * 64, bytes(2 << 20))
    assert disk.free >= free - 8_192  # its folders
    assert not [path for path in disk.folder.rglob("*") if path.is_file() and path.name != "ballast"]
    with pytest.raises(StoreFault) as caught:
        await store.get("main", "f" * 64)
    assert not isinstance(caught.value, DiskFault)


def test_what_the_database_s_server_says_of_its_disk_is_understood(tmp_path: Path) -> None:
    for cause, full in (
        (asyncpg.DiskFullError("could not extend file"), True),
        (asyncpg.PostgresIOError("could not fsync"), False),
        (asyncpg.UniqueViolationError("twice"), None),
    ):
        wrapped = DBAPIError("INSERT", {}, cause)
        for error in (wrapped, _caused(StoreFault("the database does not do"), wrapped)):
            found = shortage(error, tmp_path)
            assert (None if found is None else found.full) is full
    assert shortage(OSError(errno.EDQUOT, "quota"), tmp_path) is not None
    assert shortage(ValueError("a bug"), tmp_path) is None
    assert lacking(tmp_path) == ""


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error
