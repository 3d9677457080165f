"""Whatever is sent, the answer is never a fault of ours: no 5xx, and every refusal is a problem."""

import json
from typing import Any
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cloud.test_access import OPERATIONS
from tests.kit import parcels
from tests.kit.cloud import Cloud

quick = settings(
    max_examples=60,
    deadline=None,
    # One application for all examples of a test: what one of them leaves behind is a state that the next one may meet.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

TEXT = st.text(max_size=20) | st.sampled_from(["", "toy", "fedavg", "a\0b", "\ud800", "x" * 300, "0" * 64, "..", "%00"])
NUMBERS = (
    st.integers() | st.integers(-3, 60) | st.floats() | st.sampled_from([1 << 31, 1 << 53, 1 << 63, -(1 << 63), 1e308, 0.1])
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
RUN = {
    "name": "n",
    "task": "toy",
    "strategy": {"name": "fedprox", "options": {"mu": 0.5}},
    "cohort": {"devices": 2, "fraction": 0.5, "gateways": ["g1"]},
    "rounds": 3,
    "plan": {"epochs": 7, "steps": 0, "learning_rate": 0.25, "max_examples": 5, "seed": 7},
    "min_answers": 1,
    "deadline_seconds": 30.5,
    "over_selection": 1.5,
    "evaluate": False,
    "precision": {"scale": 20, "bound": 8.0, "cap": 500, "total": 1_000_000},
    "offline": {"staleness": 4, "discount": 0.5, "rounds": 3, "hours": 12},
    "start_from": "x",
}
QUERIES = ["limit", "cursor", "name", "task", "run", "status", "state", "gateway", "fate", "devices", "kind", "promoted"]
TOKEN = {"name": "n", "scopes": ["read"]}


def places(value: Any, here: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Gives every key of nested maps."""
    found = [here] if here else []
    for key, inner in value.items() if isinstance(value, dict) else ():
        found += places(inner, (*here, key))
    return found


@st.composite
def bodies(draw: st.DrawFn, sound: dict[str, Any]) -> dict[str, Any]:
    """Gives a sound body of which a few parts are left out, replaced or added."""
    body = json.loads(json.dumps(sound))
    for place in draw(st.lists(st.sampled_from(places(sound)), max_size=4)):
        holder = body
        for step in place[:-1]:
            holder = holder.get(step) if isinstance(holder.get(step), dict) else {}
        match draw(st.sampled_from(["drop", "replace", "add"])):
            case "drop":
                holder.pop(place[-1], None)
            case "replace":
                holder[place[-1]] = draw(VALUES)
            case _:
                holder[draw(TEXT)] = draw(VALUES)
    return body


def check(response: httpx.Response) -> None:
    """Fails for a fault of ours."""
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == response.status_code


async def send(cloud: Cloud, method: str, path: str, body: Any) -> None:
    """Sends JSON as Python writes it, NaN and lone surrogates included."""
    content = json.dumps(body).encode("utf-8", "surrogatepass")
    check(await cloud.client.request(method, path, content=content, headers={"content-type": "application/json"}))


@quick
@given(body=bodies(RUN))
async def test_a_run_that_is_nearly_sound(cloud: Cloud, body: Any) -> None:
    await cloud.client.post("/v1/tasks", content=parcels.parcel())
    await send(cloud, "POST", "/v1/runs", body)


@quick
@given(body=bodies(TOKEN))
async def test_a_token_that_is_nearly_sound(cloud: Cloud, body: Any) -> None:
    await send(cloud, "POST", "/v1/tokens", body)


@quick
@given(operation=st.sampled_from([one for one in OPERATIONS if one[0] != "GET"]), body=VALUES, name=TEXT)
async def test_any_json_sent_anywhere(cloud: Cloud, operation: tuple[str, str], body: Any, name: str) -> None:
    method, path = operation
    await send(cloud, method, address(path, name), body)


@quick
@given(
    path=st.sampled_from([path for method, path in OPERATIONS if method == "GET" and path != "/v1/events"]),
    name=TEXT,
    query=st.dictionaries(st.sampled_from(QUERIES) | TEXT, TEXT | NUMBERS.map(str), max_size=4),
)
async def test_any_question_about_anything(cloud: Cloud, path: str, name: str, query: dict[str, str]) -> None:
    asked = "&".join(f"{address('{}', key)}={address('{}', value)}" for key, value in query.items())
    check(await cloud.client.get(f"{address(path, name)}?{asked}"))


@quick
@given(content=st.binary(max_size=200) | st.binary(max_size=40).map(lambda noise: parcels.parcel()[:200] + noise))
async def test_any_bytes_as_a_bundle(cloud: Cloud, content: bytes) -> None:
    check(await cloud.client.post("/v1/tasks", content=content))


@quick
@given(at=st.integers(0, len(parcels.parcel()) - 1), byte=st.integers(0, 255))
async def test_a_bundle_with_one_byte_changed(cloud: Cloud, at: int, byte: int) -> None:
    content = bytearray(parcels.parcel())
    content[at] = byte
    check(await cloud.client.post("/v1/tasks", content=bytes(content)))


def address(path: str, name: str) -> str:
    """Gives a path with `name` in the place of every parameter."""
    held = quote(name.encode("utf-8", "replace"), safe="") or "-"
    return "/".join(held if part.startswith("{") else part for part in path.split("/"))
