"""Who gets in, and that nothing but three paths is open. The operations are those that the OpenAPI document lists."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from folkmoot_cloud.app import create_app
from folkmoot_cloud.settings import Settings
from folkmoot_cloud.tokens.schemas import Scope
from tests.kit import cloud as kit
from tests.kit import parcels
from tests.kit.cloud import Cloud, Ledger

OPEN = {("GET", "/healthz"), ("GET", "/readyz")}
SAMPLES = {"number": "1", "digest": "0" * 64}
DOCUMENT: dict[str, Any] = create_app(Settings(), Ledger).openapi()
OPERATIONS = sorted((method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods)


def sample(path: str) -> str:
    """Gives a path whose parameters are sound and name nothing."""
    return re.sub(r"{(\w+)}", lambda found: SAMPLES.get(found[1], "nothing"), path)


def test_the_operations_are_those_that_the_service_is_about() -> None:
    nouns = {path.split("/")[2] for _, path in OPERATIONS if path.startswith("/v1/")}
    things = {"tenants", "tasks", "runs", "models", "gateways", "devices", "events", "blobs", "tokens"}
    assert nouns == things | {"predictions"}


def test_every_operation_is_described() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            assert operation["tags"], (method, path)
    names = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len(set(names)) == len(names)


async def test_nothing_else_is_open(cloud: Cloud) -> None:
    async with cloud.stranger() as nobody, cloud.stranger("fm_x_y") as impostor:
        for method, path in OPERATIONS:
            for client in (nobody, impostor):
                response = await client.request(method, sample(path), json={})
                if (method, path) in OPEN:
                    assert response.status_code == 200
                    continue
                assert response.status_code == 401, (method, path)
                assert response.headers["www-authenticate"].startswith("Bearer")
                assert response.headers["content-type"] == "application/problem+json"


async def test_a_token_opens_only_what_its_scopes_say(cloud: Cloud) -> None:
    answers: dict[str, set[tuple[str, str]]] = {}
    for scope in ("read", "tasks:write", "runs:write", "models:write", "admin"):
        made = await cloud.made("/v1/tokens", name=scope, scopes=[scope])
        async with cloud.stranger(made["token"]) as client:
            allowed = set()
            for method, path in OPERATIONS:
                if path == "/v1/events" or (method, path) in OPEN:  # never ends
                    continue
                response = await client.request(method, sample(path), json={})
                if response.status_code != 403:
                    allowed.add((method, path))
                else:
                    assert "this needs the scope" in response.json()["detail"]
            answers[scope] = allowed
    assert answers["tasks:write"] == {("POST", "/v1/tasks")}
    assert answers["models:write"] == {("POST", "/v1/models/{model_id}/promote"), ("POST", "/v1/tasks/{task_id}/rollback")}
    verbs = ("", "/{run_id}/stop", "/{run_id}/pause", "/{run_id}/resume", "/{run_id}/rounds")
    taking_back = ("DELETE", "/v1/devices/{device}/contributions")
    assert answers["runs:write"] == {taking_back, *(("POST", f"/v1/runs{verb}") for verb in verbs)}
    reading = answers["read"] - {("POST", "/v1/predictions")}  # its body is long, and it stores nothing
    assert reading < answers["read"]
    assert all(method in ("GET", "HEAD") and "tokens" not in path for method, path in reading)
    everything = {one for one in OPERATIONS if one not in OPEN and one[1] != "/v1/events"}
    assert answers["admin"] == everything
    assert set(answers) == set(Scope.__args__)  # type: ignore[attr-defined]


async def test_a_header_that_is_no_token_gets_nobody_in(cloud: Cloud) -> None:
    for header in ("", "Bearer", "Bearer ", "Basic Zm0=", cloud.token, f"Bearer {cloud.token}x", f"Bearer x{cloud.token}"):
        response = await cloud.client.get("/v1/tasks", headers={"Authorization": header})
        assert response.status_code == 401, header
    for raw in (b"Bearer \xff\xfe", b"Bearer fm_\x01_\x02", b"Bearer " + b"f" * 5000):
        assert (await cloud.client.get("/v1/tasks", headers={b"Authorization": raw})).status_code == 401


async def test_a_revoked_token_is_shut_out_at_once(cloud: Cloud) -> None:
    made = await cloud.made("/v1/tokens", name="guest", scopes=["read"])
    async with cloud.stranger(made["token"]) as guest:
        assert (await guest.get("/v1/tasks")).status_code == 200
        assert (await cloud.client.delete(f"/v1/tokens/{made['id']}")).status_code == 204
        assert (await guest.get("/v1/tasks")).status_code == 401


async def test_the_secret_is_shown_once_and_kept_nowhere(cloud: Cloud, url: str) -> None:
    made = await cloud.made("/v1/tokens", name="guest", scopes=["read"])
    secret = made["token"].removeprefix(f"fm_{made['id']}_")
    listed = (await cloud.client.get("/v1/tokens")).text
    assert made["id"] in listed
    assert secret not in listed
    if url.startswith("sqlite"):
        files = list(Path(url.removeprefix("sqlite:///")).parent.glob("cloud.sqlite*"))
        assert not any(secret.encode() in file.read_bytes() for file in files)


async def test_the_last_token_that_can_make_others_stays(cloud: Cloud) -> None:
    (only,) = (await cloud.json("/v1/tokens"))["items"]
    response = await cloud.client.delete(f"/v1/tokens/{only['id']}")
    assert response.status_code == 409
    assert "make another one first" in response.json()["detail"]
    await cloud.made("/v1/tokens", name="second", scopes=["admin"])
    assert (await cloud.client.delete(f"/v1/tokens/{only['id']}")).status_code == 204


async def test_a_token_that_is_not_there_cannot_be_revoked(cloud: Cloud) -> None:
    assert (await cloud.client.delete("/v1/tokens/nothing")).status_code == 404


async def test_bad_tokens_are_not_made(cloud: Cloud) -> None:
    named = [{"name": name, "scopes": ["read"]} for name in ("", "a\nb", "x" * 101, "a\0", 3)]
    scoped = [{"name": "x", "scopes": scopes} for scopes in ([], ["all"], "read", None, ["read"] * 6)]
    for body in ({}, {"name": "x"}, {"name": "x", "scopes": ["read"], "more": 1}, *named, *scoped):
        assert (await cloud.client.post("/v1/tokens", json=body)).status_code == 422, body


async def test_a_stranger_learns_nothing_before_the_token_is_checked(cloud: Cloud) -> None:
    async with cloud.stranger() as nobody:
        response = await nobody.post("/v1/tasks", content=b"no bundle at all")
        assert response.status_code == 401


async def test_the_first_start_makes_one_token_and_the_second_none(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    file = settings.tokens.bootstrap_file
    assert file is not None
    async with kit.running(settings):
        pass
    assert file.stat().st_mode & 0o777 == 0o600
    token = file.read_text().strip()
    assert capsys.readouterr().err.count(token) == 1
    async with kit.running(settings) as again:
        assert again.token == token
        assert len((await again.json("/v1/tokens"))["items"]) == 1
    assert "fm_" not in capsys.readouterr().err


# Idempotency.


async def test_a_post_that_is_sent_again_is_done_once_and_answered_twice(cloud: Cloud) -> None:
    task = await cloud.task()
    headers = {"Idempotency-Key": "one"}
    first = await cloud.client.post("/v1/runs", json={"task": task["id"]}, headers=headers)
    again = await cloud.client.post("/v1/runs", json={"task": task["id"]}, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert len((await cloud.json("/v1/runs"))["items"]) == 1
    assert cloud.engine.notified == [first.json()["id"]]


async def test_a_key_stands_for_one_request_only(cloud: Cloud) -> None:
    task = await cloud.task()
    headers = {"Idempotency-Key": "one"}
    await cloud.client.post("/v1/runs", json={"task": task["id"]}, headers=headers)
    for other in ({"task": task["id"], "rounds": 3}, {"task": "toy"}):
        response = await cloud.client.post("/v1/runs", json=other, headers=headers)
        assert response.status_code == 409
        assert "take a new key" in response.json()["detail"]
    run = (await cloud.json("/v1/runs"))["items"][0]["id"]
    assert (await cloud.client.post(f"/v1/runs/{run}/pause", headers=headers)).status_code == 409


async def test_a_key_belongs_to_its_token(cloud: Cloud) -> None:
    task = await cloud.task()
    made = await cloud.made("/v1/tokens", name="second", scopes=["runs:write"])
    headers = {"Idempotency-Key": "one"}
    async with cloud.stranger(made["token"]) as second:
        for client in (cloud.client, second):
            assert (await client.post("/v1/runs", json={"task": task["id"]}, headers=headers)).status_code == 201
    assert len((await cloud.json("/v1/runs"))["items"]) == 2


async def test_what_was_refused_may_be_tried_again_with_the_same_key(cloud: Cloud) -> None:
    headers = {"Idempotency-Key": "one"}
    assert (await cloud.client.post("/v1/runs", json={"task": "toy"}, headers=headers)).status_code == 422
    await cloud.task()
    assert (await cloud.client.post("/v1/runs", json={"task": "toy"}, headers=headers)).status_code == 201


async def test_the_same_request_many_times_at_once_is_done_once(cloud: Cloud) -> None:
    task = await cloud.task()
    headers = {"Idempotency-Key": "one"}
    sent = (cloud.client.post("/v1/runs", json={"task": task["id"]}, headers=headers) for _ in range(12))
    answers = await asyncio.gather(*sent)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len((await cloud.json("/v1/runs"))["items"]) == 1


async def test_an_upload_may_have_a_key_too(cloud: Cloud) -> None:
    headers = {"Idempotency-Key": "one"}
    first = await cloud.client.post("/v1/tasks", content=parcels.parcel(), headers=headers)
    again = await cloud.client.post("/v1/tasks", content=parcels.parcel(), headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert (await cloud.client.post("/v1/tasks", content=parcels.parcel(2), headers=headers)).status_code == 409


async def test_no_secret_is_kept_for_a_repetition(cloud: Cloud) -> None:
    headers = {"Idempotency-Key": "one"}
    body = {"name": "guest", "scopes": ["read"]}
    assert (await cloud.client.post("/v1/tokens", json=body, headers=headers)).status_code == 201
    again = await cloud.client.post("/v1/tokens", json=body, headers=headers)
    assert again.status_code == 409
    assert "shown only once" in again.json()["detail"]


async def test_a_key_that_is_none_is_refused(cloud: Cloud) -> None:
    task = await cloud.task()
    for key in (b"", b"a b", b"\xff", b"x" * 256, b"\x01"):
        headers = {b"Idempotency-Key": key}
        response = await cloud.client.post("/v1/runs", json={"task": task["id"]}, headers=headers)  # type: ignore[arg-type]
        assert response.status_code == 422, key
