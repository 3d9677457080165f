"""The cloud's API in this process: the real application on a real database, without a server or a runner."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from folkmoot_cloud.app import create_app
from folkmoot_cloud.database import Database
from folkmoot_cloud.engine import Context
from folkmoot_cloud.settings import Settings
from folkmoot_cloud.state import State

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
