from pathlib import Path

import pytest
from sqlalchemy import text

from folkmoot_cloud.settings import Limits, Settings, Storage, Tokens
from tests.cloud.test_access import DOCUMENT
from tests.kit import cloud as kit
from tests.kit import parcels
from tests.kit.cloud import Cloud

MEDIA = "application/problem+json"


async def test_paths_and_methods_that_are_not_there_are_problems(cloud: Cloud) -> None:
    for method, path, status in (
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/tasks/", 404),
        ("PUT", "/v1/tasks", 405),
        ("DELETE", "/v1/runs", 405),
        ("POST", "/healthz", 405),
        ("GET", "/v1/%ff%fe", 404),
        ("GET", "/v1/tasks/UPPER", 422),
        ("GET", "/v1/tasks/%00", 422),
        ("GET", "/v1/runs/x/rounds/0", 422),
        ("GET", "/v1/runs/x/rounds/99999999999999999999", 422),
        ("GET", "/v1/blobs/xyz", 422),
    ):
        response = await cloud.client.request(method, path, follow_redirects=True)
        assert response.status_code == status, (method, path)
        assert response.headers["content-type"] == MEDIA
        problem = response.json()
        assert problem["status"] == status
        assert problem["type"].startswith("urn:folkmoot:problem:")
        assert problem["title"]
        assert problem["detail"]


async def test_bodies_that_are_no_json_are_problems(cloud: Cloud) -> None:
    await cloud.task()
    for body in (
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'"x"',
        b'{"task": "\xff"}',
        b"[" * 100_000,
        b'{"task": NaN}',
        b"1e999",
    ):
        response = await cloud.client.post("/v1/runs", content=body, headers={"content-type": "application/json"})
        assert response.status_code in (400, 422), body[:20]
        assert response.headers["content-type"] == MEDIA
    plain = await cloud.client.post("/v1/runs", content=b'{"task": "toy"}', headers={"content-type": "text/plain"})
    assert plain.status_code == 422


async def test_a_wrong_field_is_named_and_its_value_is_not_echoed(cloud: Cloud) -> None:
    response = await cloud.client.post("/v1/runs", json={"task": "toy", "rounds": "s3cret", "rouns": 3})
    assert response.status_code == 422
    assert {error["pointer"] for error in response.json()["errors"]} == {"body/rounds", "body/rouns"}
    assert "s3cret" not in response.text


async def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(url: str, tmp_path: Path) -> None:
    limits = Limits(request=2048, bundle=4096)
    settings = Settings(
        data=tmp_path / "data", database=Storage(url=url), tokens=Tokens(bootstrap_file=tmp_path / "token"), limits=limits
    )
    async with kit.running(settings) as cloud:

        async def pieces(count: int):  # type: ignore[no-untyped-def]
            for _ in range(count):
                yield b"x" * 1024

        for path, count in (("/v1/runs", 3), ("/v1/tasks", 1100)):
            for body in (b"x" * 1024 * count, pieces(count)):
                response = await cloud.client.post(path, content=body, headers={"content-type": "application/json"})
                assert response.status_code == 413, path
                assert response.headers["content-type"] == MEDIA
                assert "larger than the" in response.json()["detail"]
        assert (await cloud.client.post("/v1/tasks", content=parcels.parcel())).status_code == 201


@pytest.mark.postgres
async def test_a_database_that_goes_away_is_no_bug_of_ours(postgres_template, postgres, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    name = await postgres.create(postgres_template.template)
    tokens = Tokens(bootstrap_file=tmp_path / "token")
    settings = Settings(data=tmp_path / "data", database=Storage(url=postgres.url(name)), tokens=tokens)
    async with kit.running(settings) as cloud:
        assert (await cloud.client.get("/readyz")).status_code == 200
        await postgres.drop(name)
        for path in ("/v1/tasks", "/readyz"):
            response = await cloud.client.get(path)
            assert response.status_code == 503, response.text
        assert (await cloud.client.get("/readyz")).json()["database"] == "the database does not answer"
        assert (await cloud.client.get("/healthz")).json() == {"status": "ok"}


async def test_it_is_not_ready_while_its_engine_is_not(cloud: Cloud) -> None:
    cloud.engine.why_not = "the broker is away"
    response = await cloud.client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "database": "ok", "engine": "the broker is away"}


def test_the_document_says_that_every_refusal_is_a_problem() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/v1/"):
                assert {"401", "403", "422", "503"} <= operation["responses"].keys(), (method, path)
            for status, response in operation["responses"].items():
                if status >= "400" and path != "/readyz":
                    assert list(response["content"]) == [MEDIA], (method, path, status)
    assert list(DOCUMENT["paths"]["/v1/events"]["get"]["responses"]["200"]["content"]) == ["text/event-stream"]
    assert "HTTPValidationError" not in DOCUMENT["components"]["schemas"]


@pytest.mark.parametrize("origin", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_a_connection_that_the_database_ends_in_mid_request_is_worth_another_try(cloud: Cloud) -> None:
    async def ended() -> None:
        async with cloud.database.read() as session:
            await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    cloud.app.add_api_route("/ended", ended, tags=["test"])
    response = await cloud.client.get("/ended")
    assert response.status_code == 503
    assert response.json()["detail"].startswith("the database did not do it: try again in a moment")
    assert (await cloud.client.get("/v1/runs")).status_code == 200
