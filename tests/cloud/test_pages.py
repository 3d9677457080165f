import base64
import json
from typing import Any

from tests.kit.cloud import Cloud


def cursor(values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


async def everything(cloud: Cloud, path: str, **query: Any) -> list[Any]:
    found: list[Any] = []
    page = await cloud.json(path, **query)
    found += page["items"]
    while page["next"] is not None:
        page = await cloud.json(path, **query, cursor=page["next"])
        assert page["items"]
        found += page["items"]
    return found


async def test_pages_together_are_the_list(cloud: Cloud) -> None:
    made = [(await cloud.task(seed))["id"] for seed in range(5)]
    for limit in (1, 2, 3, 5, 6, 200):
        found = await everything(cloud, "/v1/tasks", limit=limit)
        assert sorted(task["id"] for task in found) == sorted(made)
        times = [task["created_at"] for task in found]
        assert times == sorted(times, reverse=True)


async def test_what_comes_meanwhile_shifts_nothing(cloud: Cloud) -> None:
    for seed in range(4):
        await cloud.task(seed)
    first = await cloud.json("/v1/tasks", limit=2)
    await cloud.task(9)
    second = await cloud.json("/v1/tasks", limit=2, cursor=first["next"])
    assert len({task["id"] for task in first["items"] + second["items"]}) == 4


async def test_rows_of_the_same_millisecond_are_all_seen(cloud: Cloud) -> None:
    for number in range(7):
        await cloud.meet(f"g{number}", f"d{number}")
    assert [one["id"] for one in await everything(cloud, "/v1/gateways", limit=2)] == [f"g{number}" for number in range(7)]
    assert len(await everything(cloud, "/v1/devices", limit=3)) == 7


BAD = [
    "x",
    "%%%",
    "ä",
    "\x00",
    cursor([]),
    cursor({}),
    cursor("a"),
    cursor([1]),
    cursor([1, 2]),
    cursor(["a", "b"]),
    cursor([1, "a", 2, 3]),
    cursor([1, "\x00"]),
    cursor([-1, "a"]),
    cursor([1 << 80, "a"]),
    cursor([253_402_300_800_000, "a"]),
    cursor([True, "a"]),
    cursor([1.5, "a"]),
    cursor([None, "a"]),
    cursor([[1], "a"]),
    "a" * 301,
]


async def test_a_cursor_that_no_list_gave_is_refused(cloud: Cloud) -> None:
    for bad in BAD:
        response = await cloud.client.get("/v1/tasks", params={"cursor": bad})
        assert response.status_code in (400, 422), bad
        assert response.headers["content-type"] == "application/problem+json"


async def test_a_limit_that_is_none_is_refused(cloud: Cloud) -> None:
    for limit in ("0", "201", "-1", "x", "1e3", ""):
        assert (await cloud.client.get("/v1/tasks", params={"limit": limit})).status_code == 422, limit
