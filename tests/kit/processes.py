"""The product as its users run it: every tier a process of its own, started from a settings file, killed as a test likes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import numpy as np

from folkmoot import partition
from folkmoot.link.broker import Broker, free_port, mosquitto_broker
from folkmoot.store.examples import Examples
from folkmoot.tasks import digits
from tests.kit.broker import program

T = TypeVar("T")
PATIENCE = 60.0  # seconds until a thing that does not happen is a failure
STOP = 20.0
PACE = 0.05  # seconds between two looks


class Process:
    """One program, started as often as one likes; what it says goes to a file."""

    def __init__(self, name: str, command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._command = command
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and does not wait for anything."""
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )

    @property
    def pid(self) -> int:
        """The process that runs."""
        assert self._child is not None
        assert self._child.poll() is None, f"{self.name} has ended: {self.said()}"
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether it runs; one that is stopped does, too."""
        return self._child is not None and self._child.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it as kill -9 does."""
        assert self._child is not None
        self._child.kill()
        self._child.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Asks it to end; gives its exit code."""
        if self._child is None:
            return 0
        if self._child.poll() is None:
            self._child.send_signal(number)
        return self._child.wait(STOP)

    def said(self) -> str:
        """Gives what it has said."""
        return self.log.read_text("utf-8", "replace")


class Town:
    """Homes with their gateways and devices, a cloud, and a broker for each: all of them processes."""

    def __init__(self, folder: Path, homes: Mapping[str, list[str]]) -> None:
        """`homes`: gateway to its devices, who are dealt the digits."""
        self.folder = folder
        self._homes = homes
        self._stack = ExitStack()
        self.brokers: dict[str, Broker] = {}
        self.cloud: Process
        self.gateways: dict[str, Process] = {}
        self.devices: dict[str, Process] = {}
        self.api: httpx.Client
        self._processes: Sequence[Process] = ()
        self._pace = threading.Event()  # never set: nobody tells a test when another process has done something

    def __enter__(self) -> Self:
        for name in ("cloud", *self._homes):
            self.brokers[name] = self._stack.enter_context(self._broker(name))
        self._make_cloud()
        for name in self._homes:
            self._make_gateway(name)
        self._make_devices()
        self._stack.callback(self._end)
        for process in self.processes():
            process.start()
        self.attend([*self.processes()], f"http://127.0.0.1:{self._port}", self.folder / "token")
        self._stack.callback(self.api.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def processes(self) -> Iterator[Process]:
        """Gives all of them, the cloud first."""
        yield self.cloud
        yield from self.gateways.values()
        yield from self.devices.values()

    # What a kind of town may have otherwise.

    def _broker(self, name: str) -> Broker:
        """Makes the broker of the cloud, or of a gateway's home."""
        return mosquitto_broker(program(), "cloud" if name == "cloud" else "home", self.folder / f"broker-{name}")

    def _way(self, broker: str, who: str) -> str:
        """Gives how `who` reaches a broker, as its settings file says it."""
        seconds = 30 if broker == "cloud" else 10
        return f"port = {self.brokers[broker].port}\nkeepalive_seconds = {seconds}\n"

    def _database(self) -> str:
        """Gives the URL of the cloud's database; "" for a file of its own."""
        return ""

    def _make_cloud(self) -> None:
        self._port = free_port()
        file = self.folder / "cloud.toml"
        file.write_text(
            f'data = "{self.folder / "cloud"}"\n'
            f'[listen]\nport = {self._port}\n[database]\nurl = "{self._database()}"\n'
            f"[broker]\n{self._way('cloud', 'cloud')}"
            f'[tokens]\nbootstrap_file = "{self.folder / "token"}"\n'
        )
        command = [sys.executable, "-m", "folkmoot_cli", "cloud", "serve", "--config", str(file)]
        self.cloud = Process("cloud", command, self.folder)

    def _make_gateway(self, name: str) -> None:
        file = self.folder / f"{name}.toml"
        file.write_text(
            f'id = "{name}"\nfolder = "{self.folder / name}"\n'
            f"[cloud]\n{self._way('cloud', name)}[home]\n{self._way(name, name)}"
        )
        command = [sys.executable, "-m", "folkmoot_gateway", "--config", str(file)]
        self.gateways[name] = Process(name, command, self.folder)

    def _make_devices(self) -> None:
        if not any(self._homes.values()):
            return
        dealt, _ = digits.load()
        sizes = [len(devices) for devices in self._homes.values()]
        shards = partition.homes(dealt.y, sizes, np.random.default_rng(0))
        for (gateway, devices), home in zip(self._homes.items(), shards, strict=True):
            for device, shard in zip(devices, home, strict=True):
                store = Examples(self.folder / device / "examples.db", digits.CONTRACT)
                store.add([(dealt.x[index].tobytes(), dealt.y[index].tobytes()) for index in shard], 0)
                store.close()
                file = self.folder / f"{device}.toml"
                file.write_text(
                    f'id = "{device}"\ngateway = "{gateway}"\nfolder = "{self.folder / device}"\n'
                    f"[home]\n{self._way(gateway, device)}"
                    f'[examples]\ncontract = "{digits.CONTRACT}"\n'
                )
                command = [sys.executable, "-m", "folkmoot_device", "--config", str(file)]
                self.devices[device] = Process(device, command, self.folder)

    def attend(self, processes: Sequence[Process], url: str, token: Path) -> None:
        """Takes these processes for the town, whose API is at `url`, and waits until it answers."""
        self._processes = processes
        self.until(lambda: self._answers(url))
        headers = {"Authorization": f"Bearer {token.read_text().strip()}"}
        self.api = httpx.Client(base_url=url, headers=headers, timeout=10)

    def _answers(self, url: str) -> bool:
        try:
            return httpx.get(f"{url}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def _end(self) -> None:
        for process in self.processes():
            process.stop()

    def look_after(self) -> None:
        """Is called again and again while a test waits: a supervisor's moment."""

    # What a test wants to know.

    def until(self, so: Callable[[], T], patience: float = PATIENCE) -> T:
        """Gives the first true thing that `so` gives; fails after `patience` seconds."""
        end = time.monotonic() + patience
        while not (found := so()):
            assert time.monotonic() < end, "\n".join(f"--- {one.name}\n{one.said()[-2000:]}" for one in self._processes)
            self.look_after()
            self._pace.wait(PACE)
        return found

    def get(self, path: str, **parameters: Any) -> Any:
        """Gives what the cloud says; {} while it is away."""
        try:
            answer = self.api.get(path, params=parameters)
        except httpx.TransportError:
            return {}
        assert answer.status_code < 500, answer.text
        return answer.json() if answer.status_code == 200 else {}

    def post(self, path: str, **fields: Any) -> Any:
        """Does something."""
        answer = self.api.post(path, **fields)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def up(self, count: int) -> None:
        """Waits until so many devices are there."""
        self.until(lambda: len(self.get("/v1/devices", state="up", limit=100).get("items", [])) >= count)

    def launch(self, bundle: bytes, **fields: Any) -> str:
        """Publishes a task and starts a run of it; gives the run's id."""
        task = self.post("/v1/tasks", content=bundle, headers={"Content-Type": "application/octet-stream"})
        return str(self.post("/v1/runs", json={"task": task["id"], **fields})["id"])

    def finished(self, run: str, patience: float = PATIENCE) -> dict[str, Any]:
        """Waits until a run is over; gives it. Fails after `patience` seconds."""

        def over() -> dict[str, Any]:
            found: dict[str, Any] = self.get(f"/v1/runs/{run}")
            return found if found.get("status") == "finished" else {}

        return self.until(over, patience)

    def members(self, run: str, number: int) -> dict[str, dict[str, Any]]:
        """Gives what became of every device in a round."""
        found = self.get(f"/v1/runs/{run}/rounds/{number}/members", limit=100)["items"]
        return {one["device"]: one for one in found if one["device"]}
