"""The cloud's API in this process: the real application on a real database, without a server or a runner."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import httpx
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from folkmoot.hop.roster import Entry
from folkmoot.wire.messages import Device, Hello
from folkmoot_cloud.app import create_app
from folkmoot_cloud.clock import now
from folkmoot_cloud.database import Database
from folkmoot_cloud.engine import Context
from folkmoot_cloud.gateways import service as gateways
from folkmoot_cloud.models import service as models
from folkmoot_cloud.rounds import progress as round_progress
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runs import progress as run_progress
from folkmoot_cloud.runs import repository as runs
from folkmoot_cloud.settings import Settings
from folkmoot_cloud.state import State
from folkmoot_cloud.tables import Run
from folkmoot_cloud.tenants.service import MAIN
from tests.kit import parcels

Presence = Literal["up", "sleeping", "away", "gone"]
URL = "http://cloud.test"


@dataclass
class Ledger:
    """An engine that runs nothing and remembers what it was told."""

    context: Context
    notified: list[str] = field(default_factory=list)
    why_not: str = ""
    running: bool = False

    async def start(self) -> None:
        self.running = True

    async def stop(self) -> None:
        self.running = False

    def notify(self, run_id: str) -> None:
        self.notified.append(run_id)

    def why_not_ready(self) -> str:
        return self.why_not


@dataclass
class Cloud:
    """The running application."""

    app: FastAPI
    state: State
    client: httpx.AsyncClient  # with the bootstrap token
    token: str

    @property
    def database(self) -> Database:
        return self.state["database"]

    @property
    def engine(self) -> Ledger:
        return cast(Ledger, self.state["engine"])

    def stranger(self, token: str | None = None) -> httpx.AsyncClient:
        """Gives a client with another token, or with none."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(transport=self.client._transport, base_url=URL, headers=headers)

    async def json(self, path: str, **query: Any) -> Any:
        """Gives what a GET that succeeds says."""
        response = await self.client.get(path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def made(self, path: str, **body: Any) -> Any:
        """Gives what a POST that succeeds says."""
        response = await self.client.post(path, json=body)
        assert response.status_code in (200, 201, 202), response.text
        return response.json()

    async def task(self, seed: int = 1, **fields: Any) -> Any:
        """Uploads a small task; gives what the API says of it."""
        response = await self.client.post("/v1/tasks", content=parcels.parcel(seed, **fields))
        assert response.status_code in (200, 201), response.text
        return response.json()

    async def run(self, **fields: Any) -> Any:
        """Starts a run of a small task; gives what the API says of it."""
        if "task" not in fields:
            fields["task"] = (await self.task())["id"]
        return await self.made("/v1/runs", **fields)

    async def meet(self, gateway: str, *devices: str, state: Presence = "up", birth: int = 1) -> None:
        """Has a gateway come up with devices below it."""
        listed = tuple(Device(name, "up", 40, "folkmoot 1", "tflite 2.14", 1 << 29, "toy") for name in devices)
        hello = Hello(software="folkmoot 1", runtime="cpython", memory=1 << 30, features=("inline",), devices=listed)
        entry = Entry(state=state, birth=birth, hello=hello, seen=1, software="folkmoot 1")
        async with self.database.write() as session:
            await gateways.told(session, MAIN, gateway, entry, now())

    async def row(self, run_id: str) -> Run:
        """Gives a run as the runner reads it."""
        async with self.database.read() as session:
            found = await runs.find(session, MAIN, run_id)
        assert found is not None
        return found

    async def round(self, run_id: str, number: int, seed: int | None = None, fates: Sequence[Fate] = ()) -> str | None:
        """Plays a round as the runner tells it; with a seed it learns that version, whose id it gives."""
        run = await self.row(run_id)
        learnt = None
        async with self.database.write() as session:
            await run_progress.started(session, MAIN, run_id, now())
            await round_progress.opened(session, run, number, number - 1, fates, now())
            if seed is not None:
                parent = run.model or run.base_model
                block = parcels.weights(seed)
                learnt = (await models.learnt(session, self.state["blobs"], run, number, parent, block, now())).id
            outcome: Literal["complete", "short"] = "short" if learnt is None else "complete"
            await round_progress.closed(session, run, number, outcome, "all", now(), model=learnt, bytes_up=100, bytes_down=10)
        return learnt


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Cloud]:
    """Gives the application, started; it ends with the block. The settings must name a bootstrap file."""
    app = create_app(settings, Ledger)
    assert settings.tokens.bootstrap_file is not None
    async with app.router.lifespan_context(app) as state:

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            """Does what a server does: every request sees the lifespan's state."""
            scope["state"] = dict(cast(dict[str, Any], state))
            await app(scope, receive, send)

        token = settings.tokens.bootstrap_file.read_text().strip()
        transport = httpx.ASGITransport(served, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers) as client:
            yield Cloud(app, cast(State, state), client, token)
