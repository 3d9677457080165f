"""A real federation in one event loop: real brokers, the real cloud with its database and REST, gateways, devices.

Only the training is made up (tests.kit.toy), so that a test says in seconds what the machinery does.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from folkmoot.hop import member
from folkmoot.hop.lower import Lower
from folkmoot.link.broker import Broker
from folkmoot.link.settings import Broker as Where
from folkmoot.serve.station import DEVICE, INLINE, Station
from folkmoot.wire import bundle
from folkmoot.wire.messages import Hello
from folkmoot.wire.topics import Tree
from folkmoot_cloud.app import create_app
from folkmoot_cloud.database import Database
from folkmoot_cloud.runner.engine import Runner
from folkmoot_cloud.settings import Settings as CloudSettings
from folkmoot_cloud.settings import Storage, Tokens
from folkmoot_device.agent import Agent, Trained, Trainer
from folkmoot_gateway.serve import serve as serve_gateway
from folkmoot_gateway.settings import Settings as GatewaySettings
from tests.kit import toy

LOOK = 0.1  # seconds: an event may come between a look and the wait for the next one


class Service:
    """Something that runs until it is stopped."""

    def __init__(self) -> None:
        self._until = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def _serve(self, until: asyncio.Event) -> None:
        raise AssertionError

    def start(self) -> None:
        """Begins."""
        self._until = asyncio.Event()
        self._task = asyncio.create_task(self._serve(self._until))

    async def stop(self) -> None:
        """Ends in order."""
        self._until.set()
        if self._task is not None:
            task, self._task = self._task, None
            await task


class GatewayService(Service):
    """A gateway as the product runs it."""

    def __init__(self, name: str, folder: Path, cloud: Where, home: Where) -> None:
        super().__init__()
        self.settings = GatewaySettings(id=name, folder=folder, cloud=cloud, home=home)

    async def _serve(self, until: asyncio.Event) -> None:
        await serve_gateway(self.settings, until)


class DeviceService(Service):
    """A device whose training is made up."""

    def __init__(self, name: str, folder: Path, gateway: str, home: Where, parameters: int) -> None:
        super().__init__()
        self.name, self._folder, self._gateway, self._home, self._parameters = name, folder, gateway, home, parameters
        self.trained: list[int] = []
        self.working = asyncio.Event()  # cleared: what it trains is not done before it is set again
        self.working.set()
        self._training: set[asyncio.Task[None]] = set()

    async def _serve(self, until: asyncio.Event) -> None:
        station = Station(self._folder)
        tree = Tree("fl", self._gateway)
        above = Lower(tree, self.name, station.cache, station.spool, station.ledger, INLINE)
        above.hello = Hello(data=toy.CONTRACT, examples=toy.examples(self.name))
        births = station.join("up", self._home, tree, self.name, upper=False, traffic=DEVICE)

        def start(item: member.Member) -> None:
            self.trained.append(item.ask.round)
            done = Trained(item.id, toy.payload(self.name, item.ask, self._parameters))
            task = asyncio.create_task(self._train(station, done))
            self._training.add(task)
            task.add_done_callback(self._training.discard)

        agent = Agent(above, Trainer(start, lambda ask: None), lambda: births.current, lambda: "")
        agent.restore(list(station.ledger.histories()))
        await station.run(agent, until)

    async def _train(self, station: Station, done: Trained) -> None:
        await self.working.wait()
        station.driver.post("work", done)


class Federation:
    """Homes by gateway, each with its devices; one cloud."""

    def __init__(
        self, folder: Path, cloud: Broker, homes: Mapping[str, Broker], devices: Mapping[str, list[str]], **fields: Any
    ) -> None:
        """`fields`: `parameters` of the toy model, `url` of the database."""
        self.parameters: int = fields.get("parameters", 50)
        self._folder = folder
        where = Where(port=cloud.port, keepalive_seconds=30)
        self.settings = CloudSettings(
            data=folder / "cloud",
            broker=where,
            database=Storage(url=fields.get("url", "")),
            tokens=Tokens(bootstrap_file=folder / "token"),
        )
        self.gateways = {
            name: GatewayService(name, folder / name, where, Where(port=broker.port)) for name, broker in homes.items()
        }
        self.devices = {
            device: DeviceService(device, folder / device, name, Where(port=homes[name].port), self.parameters)
            for name, names in devices.items()
            for device in names
        }
        self.api: httpx.AsyncClient
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._folder.mkdir(exist_ok=True)
        (self._folder / "cloud").mkdir(exist_ok=True)
        self.api = await self._stack.enter_async_context(self._cloud())
        for service in (*self.gateways.values(), *self.devices.values()):
            service.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for service in (*self.devices.values(), *self.gateways.values()):
            await service.stop()
        await self._stack.aclose()

    @contextlib.asynccontextmanager
    async def _cloud(self) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(self.settings, Runner)
        async with app.router.lifespan_context(app) as state:
            self._database: Database = state["database"]
            transport = httpx.ASGITransport(_with_state(app, state))
            token = (self._folder / "token").read_text().strip()
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(transport=transport, base_url="http://cloud", headers=headers) as api:
                yield api

    async def publish(self) -> str:
        """Uploads the toy task; gives its id."""
        program = toy.program(self.parameters)
        content = bundle.dump(bundle.Bundle(program=bundle.dump(program), weights=bytes(4 * self.parameters)))
        answer = await self.api.post("/v1/tasks", content=content, headers={"Content-Type": "application/octet-stream"})
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["id"])

    async def up(self, devices: int | None = None) -> None:
        """Waits until so many devices are there; all of them where no number is given."""
        wanted = len(self.devices) if devices is None else devices
        while True:
            found = (await self.api.get("/v1/devices", params={"state": "up", "limit": 100})).json()["items"]
            if len(found) >= wanted:
                return
            await self.event()

    async def event(self) -> None:
        """Waits until something has happened in the cloud, or might have while nobody was looking."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK):
                await self._database.bell.ticket().wait()

    async def launch(self, **fields: Any) -> str:
        """Starts a run of the toy task; gives its id."""
        answer = await self.api.post("/v1/runs", json={"task": await self.publish(), "rounds": 3, **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def run(self, run: str, until: str = "finished") -> dict[str, Any]:
        """Waits until a run has a status; gives it."""
        while True:
            found: dict[str, Any] = (await self.api.get(f"/v1/runs/{run}")).json()
            if found["status"] == until:
                return found
            await self.event()


def _with_state(app: Any, state: Any) -> Any:
    """Gives the application with its lifespan's state in every request, as a server hands it on."""

    async def call(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": dict(state)}, receive, send)

    return call
