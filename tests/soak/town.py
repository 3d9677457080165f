"""A town whose devices are those of the fleet simulator: many in one process, which comes and goes as a test likes."""

import signal
import sys
from pathlib import Path
from typing import Any

from folkmoot.link.settings import Broker as Where
from folkmoot.log import Settings as Log
from folkmoot_device import crowd as crowds
from folkmoot_device import fleet, shards
from folkmoot_device.crowd import Crowd
from tests.kit.processes import Process, Town
from tests.soak.scale import Manner, Scale

KEEPALIVE = 10  # seconds


class CrowdedTown(Town):
    """Homes, and crowds of devices in each."""

    def __init__(self, folder: Path, scale: Scale) -> None:
        super().__init__(folder, {name: [] for name in scale.gateways})
        self._scale = scale
        self.mark = f"SOAK={folder}"
        self.crowds: dict[str, Process] = {}
        self.names: dict[str, tuple[str, ...]] = {}  # crowd to its devices
        self.home: dict[str, str] = {}  # device to its gateway

    def _make_devices(self) -> None:
        source = shards.source(None)
        counts = [len(range(number, self._scale.devices, self._scale.homes)) for number in range(self._scale.homes)]
        for gateway, count in zip(self._homes, counts, strict=True):
            settings = fleet.Settings(devices=count, folder=self.folder / "fleet", prefix=gateway)
            names = fleet.deal(settings, source)
            self.home |= dict.fromkeys(names, gateway)
            number = -(-count // self._scale.crowd)
            for at in range(number):
                self._make_crowd(f"{gateway}-crowd-{at}", gateway, tuple(names[at::number]), source.contract)

    def _make_crowd(self, name: str, gateway: str, names: tuple[str, ...], contract: str) -> None:
        crowd = Crowd(
            names=names,
            gateway=gateway,
            namespace="fl",
            folder=self.folder / "fleet",
            contract=contract,
            home=Where(port=self.brokers[gateway].port, keepalive_seconds=KEEPALIVE),
            trainers=1,
            log=Log(level="warning"),
        )
        variable, value = self.mark.split("=", 1)
        command = [sys.executable, "-m", "folkmoot_device.crowd", crowds.dump(crowd)]
        self.crowds[name] = Process(name, command, self.folder, {variable: value})
        self.names[name] = names

    def _end(self) -> None:
        for crowd in self.crowds.values():
            leave(crowd, "goodbye")
        for crowd in self.crowds.values():
            crowd.stop()
        super()._end()

    def pages(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """Gives a whole list of the API."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.get(path, limit=200, **cursor, **parameters)
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = {"cursor": page["next"]}

    def wait(self, seconds: float) -> None:
        """Lets time pass."""
        self._pace.wait(seconds)

    def there(self) -> int:
        """Gives how many devices are up, as far as the cloud knows."""
        return sum(one["devices"].get("up", 0) for one in self.pages("/v1/gateways"))


def leave(process: Process, manner: Manner) -> None:
    """Ends a process, or begins to: without a word, or as it likes to."""
    if not process.running:
        return
    if manner == "kill":
        process.kill()
    else:
        process.send(signal.SIGTERM)
