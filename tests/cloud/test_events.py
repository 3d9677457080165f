"""The stream of events, over a real socket: what a listener gets, and that nothing is lost between two connections."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from folkmoot_cloud.app import create_app
from folkmoot_cloud.clock import now
from folkmoot_cloud.events import repository, service
from folkmoot_cloud.events.schemas import Kind
from folkmoot_cloud.serve import Server, listen
from folkmoot_cloud.settings import Listen, Settings
from folkmoot_cloud.state import State
from folkmoot_cloud.tenants.service import MAIN
from tests.kit.cloud import Cloud, Ledger


@pytest_asyncio.fixture
async def served(settings: Settings) -> AsyncIterator[Cloud]:
    """Gives the application with a client that reaches it over TCP."""
    engines: list[Ledger] = []
    app = create_app(settings, lambda context: engines.append(Ledger(context)) or engines[-1])  # type: ignore[func-returns-value]
    with listen(Listen(port=0)) as listening:
        server = Server(app)
        running = asyncio.create_task(server.serve(sockets=[listening]))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=20) as client:
            await client.get("/healthz")
            assert settings.tokens.bootstrap_file is not None
            token = settings.tokens.bootstrap_file.read_text().strip()
            client.headers["Authorization"] = f"Bearer {token}"
            context = engines[0].context
            state = State(settings=settings, database=context.database, blobs=context.blobs, engine=engines[0])
            yield Cloud(app, state, client, token)
        server.should_exit = True
        await running


@asynccontextmanager
async def listening(cloud: Cloud, *, last: int | None = None, **query: Any) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Gives the events that a listener gets, as they come."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    async with cloud.client.stream("GET", "/v1/events", params=query, headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield _events(response)


async def _events(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            content = json.loads(fields["data"])
            assert fields["id"] == str(content["sequence"])
            assert fields["event"] == content["kind"]
            yield content
            fields = {}


async def tell(cloud: Cloud, *numbers: int, kind: Kind = "round.closed", run: str | None = None) -> None:
    async with cloud.database.write() as session:
        for number in numbers:
            repository.append(session, MAIN, kind, now(), {"number": number}, run)


async def test_a_listener_hears_what_happens_from_now_on(served: Cloud) -> None:
    await tell(served, 1)
    async with listening(served) as events:
        await tell(served, 2)
        await served.task()
        heard = [await anext(events), await anext(events)]
    assert heard[0]["content"] == {"number": 2}
    assert (heard[1]["kind"], heard[1]["content"]["name"]) == ("task.created", "toy")
    assert heard[0]["sequence"] < heard[1]["sequence"]


async def test_a_listener_that_comes_back_misses_nothing(served: Cloud) -> None:
    async with listening(served, since=0) as events:
        await tell(served, 1, 2, 3)
        seen = [await anext(events) for _ in range(2)]
    await tell(served, *range(4, 300))
    async with listening(served, last=seen[-1]["sequence"], since=0) as events:
        heard = [(await anext(events))["content"]["number"] for _ in range(3, 300)]
    assert heard == list(range(3, 300))


async def test_a_listener_hears_only_what_it_asks_for(served: Cloud) -> None:
    await tell(served, 1, run="a")
    await tell(served, 2, run="b")
    await tell(served, 3, run="a", kind="round.opened")
    async with listening(served, since=0, run="a", kind=["round.opened", "run.finished"]) as events:
        assert (await anext(events))["content"] == {"number": 3}


async def test_an_event_is_heard_when_its_transaction_has_committed_and_else_never(served: Cloud) -> None:
    async with listening(served) as events:
        with pytest.raises(ZeroDivisionError):
            async with served.database.write() as session:
                repository.append(session, MAIN, "round.closed", now(), {"number": 1})
                raise ZeroDivisionError
        await tell(served, 2)
        assert (await anext(events))["content"] == {"number": 2}


async def test_many_writers_at_once_are_all_heard_in_the_order_of_their_numbers(served: Cloud) -> None:
    async with listening(served, since=0) as events:
        await asyncio.gather(*(tell(served, number) for number in range(50)))
        heard = [await anext(events) for _ in range(50)]
    assert {one["content"]["number"] for one in heard} == set(range(50))
    assert [one["sequence"] for one in heard] == sorted(one["sequence"] for one in heard)


async def test_the_stream_ends_when_the_service_does(served: Cloud) -> None:
    async with listening(served) as events:
        served.database.bell.close()
        assert [one async for one in events] == []


async def test_events_of_another_replica_are_heard_without_a_bell(served: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LOOK", 0.01)
    async with listening(served) as events:
        monkeypatch.setattr(served.database.bell, "ring", lambda: None)
        await tell(served, 1)
        assert (await anext(events))["content"] == {"number": 1}


async def test_a_place_that_is_none_is_refused(cloud: Cloud) -> None:
    for last in ("x", "-1", "1.5", "9" * 30, "²"):
        response = await cloud.client.get("/v1/events", headers={"Last-Event-ID": last.encode()})  # type: ignore[dict-item]
        assert response.status_code == 400, last
    for query in ({"since": "-1"}, {"since": "x"}, {"kind": "nothing"}, {"run": "No"}):
        assert (await cloud.client.get("/v1/events", params=query)).status_code == 422, query


async def test_old_events_are_cleared_and_their_numbers_never_come_again(cloud: Cloud) -> None:
    await tell(cloud, 1, 2)
    async with cloud.database.read() as session:
        last = await repository.last(session, MAIN)
    async with cloud.database.write() as session:
        await repository.forget(session, now() + timedelta(seconds=1))
    await tell(cloud, 3)
    async with cloud.database.read() as session:
        (event,) = await repository.after(session, MAIN, 0, 10)
    assert event.sequence > last
