"""A whole federation on this machine: brokers, a cloud, gateways and devices, each a process with a folder of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from folkmoot.errors import FolkmootError, UserFault
from folkmoot.link import mosquitto
from folkmoot.link.broker import HOST, Broker, amqtt_broker, any_broker, free_port, mosquitto_broker
from folkmoot.serve import memory
from folkmoot.tasks import digits
from folkmoot_cli.api import Cloud, connect
from folkmoot_cli.demo import shards
from folkmoot_cli.demo.children import Children
from folkmoot_cli.demo.plan import Kind, Plan

PACE = 0.1  # seconds between two looks at what starts
# Sixteen interpreters start in 10 s on two cores; a small board takes its time.
PATIENCE = 120.0  # seconds
Settings = Mapping[str, Any]


class Federation:
    """The processes of one demo; use it in an `async with`."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        """Everything is kept below `folder`."""
        self.plan = plan
        self.url = f"http://{HOST}:{free_port()}"
        self._token = folder / "cloud" / "token"
        self.children = Children()
        self.counts: dict[str, shards.Counts] = {}
        self.broker = ""  # which kind
        self._folder = folder

    async def __aenter__(self) -> Self:
        try:
            ports = await self._start_brokers()
            await asyncio.to_thread(self._deal)
            await asyncio.gather(
                self._start_cloud(ports["cloud"]),
                *(self._start_gateway(home, ports[home], ports["cloud"]) for home in self.plan.homes),
                *(self._start_device(name, home, ports[home]) for home, name in self._devices()),
            )
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Ends everything: devices say goodbye to their gateways, gateways to the cloud."""
        await self.children.stop([name for _, name in self._devices()], [*self.plan.homes])

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Cloud]:
        """Gives the cloud's API, once it can run rounds. Raises FolkmootError where that takes too long."""
        async with self._patience("the cloud is not ready"):
            while not await self._serves():  # noqa: ASYNC110 -- there is no event of another process
                await asyncio.sleep(PACE)
        async with connect(self.url, self._token) as cloud:
            yield cloud

    async def gather(self, cloud: Cloud) -> None:
        """Returns when the cloud lists every device as up. Raises FolkmootError where that takes too long."""
        async with self._patience("some devices are not there"):
            while len(await cloud.listing("devices", state="up")) < self.plan.devices:  # noqa: ASYNC110 -- as above
                await asyncio.sleep(PACE)

    @asynccontextmanager
    async def _patience(self, otherwise: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(PATIENCE):
                yield
        except TimeoutError:
            raise FolkmootError(f"{otherwise} after {PATIENCE:g} s: try fewer --devices, this machine is too busy") from None

    async def _serves(self) -> bool:
        async with httpx.AsyncClient(trust_env=False) as http:
            try:
                ready = (await http.get(f"{self.url}/readyz")).status_code == httpx.codes.OK
            except httpx.TransportError:
                return False
        return ready and self._token.exists()

    def device_memory(self) -> int:
        """Gives the most memory that a device has had, in bytes: the peaks of its agent and its training process, added."""
        peaks = [0]
        for _, name in self._devices():
            with suppress(psutil.Error, OSError):  # one that has just ended is what `watch` is about
                agent = psutil.Process(self.children[name].process.pid)
                peaks.append(sum(memory.peak(process.pid) for process in (agent, *agent.children())))
        return max(peaks)

    def _devices(self) -> list[tuple[str, str]]:
        return [(home, name) for home, names in self.plan.homes.items() for name in names]

    def _place(self, name: str) -> Path:
        """Gives the folder of a part; a device's is in its home's."""
        home = next((home for home, names in self.plan.homes.items() if name in names), "")
        return self._folder / home / name

    async def _start_brokers(self) -> dict[str, int]:
        """Starts the cloud's broker and one in each home; gives their ports."""
        made: dict[str, Broker] = {}
        for name in ("cloud", *self.plan.homes):
            folder = self._folder / name / "broker"
            made[name] = _broker(self.plan.broker, "cloud" if name == "cloud" else "home", folder)
        self.broker = "mosquitto" if self.plan.broker != "amqtt" and mosquitto.find() else "amqtt"
        for name, broker in made.items():
            self.children.add_broker(f"the broker of {name}", broker, self._folder / name / "broker" / "broker.log")
        await asyncio.gather(*(asyncio.to_thread(broker.start) for broker in made.values()))
        return {name: broker.port for name, broker in made.items()}

    def _deal(self) -> None:
        places = {name: self._place(name) / "examples.db" for _, name in self._devices()}
        self.counts = shards.store(self.plan.homes, places, self.plan.seed)

    async def _start_cloud(self, port: int) -> None:
        settings = {
            "data": ".",
            "listen": {"port": int(self.url.rpartition(":")[2])},
            "broker": {"port": port},
            "tokens": {"bootstrap_file": "token"},
        }
        await self._start("cloud", ("folkmoot_cli", "cloud", "serve"), self._folder / "cloud", settings)

    async def _start_gateway(self, name: str, home: int, cloud: int) -> None:
        settings = {"id": name, "folder": ".", "home": {"port": home}, "cloud": {"port": cloud}}
        await self._start(name, ("folkmoot_gateway",), self._folder / name / "gateway", settings)

    async def _start_device(self, name: str, home: str, port: int) -> None:
        settings = {
            "id": name,
            "gateway": home,
            "folder": ".",
            "home": {"port": port},
            "examples": {"contract": digits.CONTRACT},
            # All day, so that its memory can be read at the end; and no politeness among equals.
            "training": {"idle_seconds": 86_400, "nice": 0},
        }
        await self._start(name, ("folkmoot_device",), self._place(name), settings)

    async def _start(self, name: str, program: tuple[str, ...], folder: Path, settings: Settings) -> None:
        file = _written(folder, settings)
        await self.children.start(name, (*program, "--config", file), folder / "log")


def _broker(kind: Kind, role: mosquitto.Role, folder: Path) -> Broker:
    """Gives a broker of the kind that is wanted. Raises UserFault where this machine does not have it."""
    if kind == "amqtt":
        return amqtt_broker(folder)
    if kind == "auto":
        return any_broker(role, folder)
    program = mosquitto.find()
    if program is None:
        raise UserFault("no mosquitto is on this machine: install it, or leave --broker away")
    return mosquitto_broker(program, role, folder)


def _written(folder: Path, settings: Settings) -> Path:
    """Gives the file that holds `settings`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "settings.toml"
    file.write_text(toml(settings), "utf-8")
    return file


def toml(settings: Settings) -> str:
    """Gives settings as a TOML file: text, numbers and truth values, in sections one deep."""
    flat = [f"{key} = {json.dumps(value)}" for key, value in settings.items() if not isinstance(value, dict)]
    for name, section in settings.items():
        if isinstance(section, dict):
            flat += ["", f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in section.items())]
    return "\n".join(flat) + "\n"
