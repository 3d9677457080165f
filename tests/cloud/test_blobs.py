from hashlib import sha256
from pathlib import Path

import pytest

from folkmoot.errors import StoreFault, UserFault
from folkmoot_cloud.app import open_blobs, open_database
from folkmoot_cloud.blobs import repository
from folkmoot_cloud.blobs.store import Folder
from folkmoot_cloud.clock import now
from folkmoot_cloud.settings import Settings, Storage, Tokens
from folkmoot_cloud.tenants.service import MAIN
from tests.kit.cloud import Cloud

SMALL = bytes(range(256)) * 10
LARGE = bytes(range(251)) * 12_000  # 3 MB: in the folder, sent in three pieces


async def put(cloud: Cloud, content: bytes) -> str:
    async with cloud.database.write() as session:
        return await repository.put(session, cloud.state["blobs"], MAIN, content, now())


async def test_a_blob_comes_whole_or_in_part_and_not_twice(cloud: Cloud) -> None:
    for content in (SMALL, LARGE):
        digest, size = await put(cloud, content), len(content)
        path = f"/v1/blobs/{digest}"
        whole = await cloud.client.get(path)
        assert (whole.status_code, whole.content) == (200, content)
        assert whole.headers["etag"] == f'"{digest}"'
        assert whole.headers["accept-ranges"] == "bytes"
        assert whole.headers["content-length"] == str(size)
        head = await cloud.client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(size)
        for wanted, first, end in (
            ("bytes=0-0", 0, 1),
            ("bytes=10-19", 10, 20),
            (f"bytes={size - 5}-", size - 5, size),
            ("bytes=-5", size - 5, size),
            (f"bytes=5-{size * 2}", 5, size),
            (f"bytes=-{size * 2}", 0, size),
        ):
            part = await cloud.client.get(path, headers={"Range": wanted})
            assert (part.status_code, part.content) == (206, content[first:end]), wanted
            assert part.headers["content-range"] == f"bytes {first}-{end - 1}/{size}"
            assert part.headers["content-length"] == str(end - first)


async def test_a_range_behind_the_end_is_told_the_size(cloud: Cloud) -> None:
    digest = await put(cloud, SMALL)
    for wanted in (f"bytes={len(SMALL)}-", "bytes=9999999999-", "bytes=5-3", "bytes=-0"):
        response = await cloud.client.get(f"/v1/blobs/{digest}", headers={"Range": wanted})
        assert response.status_code == 416, wanted
        assert response.headers["content-range"] == f"bytes */{len(SMALL)}"
        assert response.headers["content-type"] == "application/problem+json"


async def test_a_range_that_means_nothing_to_us_is_ignored(cloud: Cloud) -> None:
    digest = await put(cloud, SMALL)
    for wanted in ("bytes=-", "bytes=0-1,4-5", "lines=1-2", "nonsense", f"bytes={'9' * 30}-"):
        response = await cloud.client.get(f"/v1/blobs/{digest}", headers={"Range": wanted})
        assert (response.status_code, response.content) == (200, SMALL), wanted
    other = {"Range": "bytes=0-1", "If-Range": '"of an older version"'}
    assert (await cloud.client.get(f"/v1/blobs/{digest}", headers=other)).status_code == 200
    same = {"Range": "bytes=0-1", "If-Range": f'"{digest}"'}
    assert (await cloud.client.get(f"/v1/blobs/{digest}", headers=same)).content == SMALL[:2]


async def test_whoever_has_it_is_told_so(cloud: Cloud) -> None:
    digest = await put(cloud, SMALL)
    for tag in (f'"{digest}"', f'W/"{digest}"', "*", f'"other", "{digest}"'):
        response = await cloud.client.get(f"/v1/blobs/{digest}", headers={"If-None-Match": tag})
        assert (response.status_code, response.content) == (304, b""), tag
    assert (await cloud.client.get(f"/v1/blobs/{digest}", headers={"If-None-Match": '"other"'})).status_code == 200


async def test_a_blob_that_is_not_there_is_not_found(cloud: Cloud) -> None:
    assert (await cloud.client.get(f"/v1/blobs/{'0' * 64}")).status_code == 404
    assert (await cloud.client.head(f"/v1/blobs/{'0' * 64}")).status_code == 404


async def test_a_blob_is_kept_once(cloud: Cloud) -> None:
    for content in (SMALL, LARGE):
        assert await put(cloud, content) == await put(cloud, content) == sha256(content).hexdigest()


async def test_a_blob_whose_file_is_lost_is_the_services_fault(cloud: Cloud) -> None:
    digest = await put(cloud, LARGE)
    await cloud.state["blobs"].delete(MAIN, digest)
    async with cloud.database.read() as session:
        with pytest.raises(StoreFault):
            await repository.get(session, cloud.state["blobs"], MAIN, digest)


async def test_a_folder_keeps_gives_and_forgets(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "blobs")
    digest = sha256(SMALL).hexdigest()
    await folder.put("main", digest, SMALL)
    await folder.put("main", digest, SMALL)
    assert await folder.get("main", digest) == SMALL
    assert await folder.get("main", digest, 3, 4) == SMALL[3:7]
    with pytest.raises(StoreFault):
        await folder.get("other", digest)
    await folder.delete("main", digest)
    await folder.delete("main", digest)
    with pytest.raises(StoreFault):
        await folder.get("main", digest)
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


async def test_a_folder_that_cannot_be_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file")
    with pytest.raises(UserFault, match="data: the folder cannot be used"):
        open_blobs(Settings(data=tmp_path))


async def test_a_replica_with_a_folder_of_its_own_is_refused(url: str, tmp_path: Path) -> None:
    def settings(folder: str) -> Settings:
        return Settings(data=tmp_path / folder, database=Storage(url=url), tokens=Tokens(bootstrap_file=tmp_path / "token"))

    for folder in ("shared", "shared"):
        database = await open_database(settings(folder), open_blobs(settings(folder)))
        await database.close()
    with pytest.raises(UserFault, match="lacks the large blobs of this database: replicas share one folder"):
        await open_database(settings("own"), open_blobs(settings("own")))
