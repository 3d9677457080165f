"""A town that faults can be done to: with cords that can be cut, small disks, a spy on every broker, and a supervisor."""

import asyncio
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Self

from folkmoot.link.broker import Broker, amqtt_broker, mosquitto_broker
from folkmoot.link.mosquitto import MAX_PACKET
from tests.kit import postgres
from tests.kit.broker import program
from tests.kit.cord import Cord, Reel, reel
from tests.kit.processes import Process, Town
from tests.kit.retraining import Known
from tests.kit.spy import Spy, spying

Kind = Literal["sqlite", "postgres", "amqtt", "disks"]
HOMES = {"g1": ["a", "b", "c", "d"], "g2": ["e", "f", "g", "h"]}
DEVICES = [device for devices in HOMES.values() for device in devices]
# A packet of our brokers holds a whole model of the digits. Here it does not, so that everything comes in pieces: blocks and
# chunks of 4 KiB, five of them down and up at home, ten between home and cloud.
PACKET = 8_192  # bytes
KEEPALIVE = 5  # seconds, the least that settings take: half-open connections are found in two of them
RESTART = 0.5  # seconds after which somebody starts again what has ended by itself
DISK = 6 << 20  # bytes of a small disk


class CannotBeTried(Exception):
    """This machine does not let us do a fault."""


class Stage(Town):
    """Two homes of four devices, a cloud, three brokers."""

    def __init__(self, folder: Path, kind: Kind = "sqlite") -> None:
        super().__init__(folder, HOMES)
        self.kind = kind
        self.spy: Spy
        self.cords: dict[tuple[str, str], Cord] = {}  # broker and who reaches it
        self.reel: Reel
        self.cluster: postgres.Cluster
        self.known: dict[float, Known] = {}  # learning rate to what has been trained again with it
        self.have: set[tuple[str, bytes]] = set()  # members and weights that they have pulled
        self.lock: sqlite3.Connection  # on the cloud's database, while a fault holds it
        self.downloads = 0  # runs that were about them
        self.restarts = 0
        self.disks: list[Path] = []
        self._url = ""
        self._ended: dict[str, float] = {}  # process to when it was found to have ended
        self._left: set[str] = set()  # processes that are to stay down

    def __enter__(self) -> Self:
        """Begins. Raises CannotBeTried where this kind of town cannot be here."""
        try:
            self.reel = self._stack.enter_context(reel())
            if self.kind == "disks":
                for name in ("cloud", "g1", "a"):
                    self._mount(self.folder / name)
            if self.kind == "postgres":
                found = postgres.programs()
                assert found, "install postgresql: `make test` does it"
                self.cluster = self._stack.enter_context(postgres.running(found, postgres.LASTING))
                self._url = self.cluster.url(asyncio.run(self.cluster.create()))
            super().__enter__()
            ports = {name: broker.port for name, broker in self.brokers.items()}
            self.spy = self._stack.enter_context(spying(ports, old=self.kind == "amqtt"))
            self.whole()
        except BaseException:
            self._stack.close()
            raise
        return self

    def whole(self) -> None:
        """Waits until every gateway and every device is there: the cloud knows devices as their gateway told them last."""
        self.until(lambda: len(self.get("/v1/gateways", state="up").get("items", [])) == len(HOMES))
        self.up(len(DEVICES))

    # What this town has otherwise.

    def _broker(self, name: str) -> Broker:
        folder = self.folder / f"broker-{name}"
        if self.kind == "amqtt":
            return amqtt_broker(folder)
        broker = mosquitto_broker(program(), "cloud" if name == "cloud" else "home", folder)
        file = folder / "mosquitto.conf"
        file.write_text(file.read_text().replace(f"max_packet_size {MAX_PACKET}", f"max_packet_size {PACKET}"))
        return broker

    def _way(self, broker: str, who: str) -> str:
        self.cords[broker, who] = self.reel.cord(self.brokers[broker].port)
        return f"port = {self.cords[broker, who].port}\nkeepalive_seconds = {KEEPALIVE}\n"

    def _database(self) -> str:
        return self._url

    def _mount(self, folder: Path) -> None:
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            raise CannotBeTried("a disk that can be filled is a tmpfs of its own, and mounting one takes root")
        self.disks.append(folder)
        self._stack.callback(lambda: subprocess.run(["umount", "--lazy", folder], check=True))

    # Processes.

    def process(self, name: str) -> Process:
        """Gives a process by its name."""
        return self.cloud if name == "cloud" else self.gateways.get(name) or self.devices[name]

    def look_after(self) -> None:
        """Starts again what has ended by itself, as a service manager does."""
        for process in self.processes():
            if process.running or process.name in self._left:
                self._ended.pop(process.name, None)
            elif time.monotonic() - self._ended.setdefault(process.name, time.monotonic()) >= RESTART:
                self.restarts += 1
                process.start()

    def down(self, name: str) -> None:
        """Ends a process as kill -9 does, and leaves it down."""
        self._left.add(name)
        self.process(name).kill()

    def again(self, name: str) -> None:
        """Starts it again."""
        self.process(name).start()
        self._left.discard(name)

    def answers(self) -> bool:
        """Whether the cloud's API answers."""
        return self._answers(f"http://127.0.0.1:{self._port}")

    def get(self, path: str, **parameters: Any) -> Any:
        """Gives what the cloud says; {} while it is away, or cannot say it."""
        try:
            return super().get(path, **parameters)
        except AssertionError:
            return {}

    def everybody(self, run: str, number: int) -> dict[str, dict[str, Any]]:
        """Gives what became of every gateway and every device in a round."""
        found = self.get(f"/v1/runs/{run}/rounds/{number}/members", limit=100)["items"]
        named = {one["device"] or one["gateway"]: one for one in found}
        assert len(named) == len(found), f"somebody is in round {number} twice"
        return named

    def wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Lets time pass, looking after the processes meanwhile; less of it if `until` comes true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            self.look_after()
            self._pace.wait(0.05)

    def _end(self) -> None:
        for process in self.processes():
            with suppress(ProcessLookupError, AssertionError):
                process.send(signal.SIGCONT)
        for process in self.processes():
            with suppress(subprocess.TimeoutExpired):
                process.stop()
                continue
            process.kill()
