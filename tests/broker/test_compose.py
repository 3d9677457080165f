"""compose.yaml without Docker: every service by the very command and environment that the file gives it, as a local process.

What Docker would do stands in `Stage`: names of services become addresses, mounted files and volumes become folders, and the
two ports 1883 of two containers become two free ones.
"""

import getpass
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml  # type: ignore[import-untyped]

from folkmoot import tasks
from folkmoot.link.broker import Broker, free_port
from tests.architecture.conftest import ROOT
from tests.kit import broker as kit
from tests.kit.postgres import Cluster
from tests.kit.processes import Process, Town

TIERS = {"cloud": "cloud", "gateway": "gateway", "devices": "device"}  # service to the folder of its Dockerfile


class Stage:
    """Where the services of the file stand on this machine."""

    def __init__(self, folder: Path, database: str) -> None:
        """`database`: URL of a PostgreSQL that is there."""
        self.folder = folder
        self.services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
        self.api = free_port()
        self._ports = {"cloud-broker": free_port(), "home-broker": free_port()}
        subprocess.run([sys.executable, ROOT / ".ci" / "passwords.py", folder / "secrets"], check=True)
        (folder / "secrets" / "database-url").write_text(database)

    def place(self, text: str, service: str) -> str:
        """Gives a path or a name of a container as it is here."""
        for there, here in (
            ("/run/secrets", "secrets"),
            ("/var/lib/folkmoot", service),
            ("/mosquitto/data", service),
            ("/mosquitto/config", service),
        ):
            text = text.replace(there, str(self.folder / here))
        return "127.0.0.1" if text in self.services else text

    def broker(self, service: str) -> Broker:
        """Gives a broker with the configuration that is mounted into its container."""
        home = self.folder / service
        home.mkdir()
        for volume in self.services[service]["volumes"]:
            source, _, target = volume.partition(":")
            if source.startswith("./"):
                text = self.place((ROOT / source).read_text(), service)
                (home / Path(target.partition(":")[0]).name).write_text(text)
        lines = (home / "mosquitto.conf").read_text().splitlines()
        kept = [line for line in lines if not line.startswith("listener ")]
        port = self._ports[service]
        text = "\n".join([*kept, f"user {getpass.getuser()}", f"listener {port} 127.0.0.1", ""])
        return kit.run(home, port, text)

    def process(self, service: str) -> Process:
        """Gives a service of ours: the image's entry point and variables, the file's command and environment."""
        (self.folder / service).mkdir()
        described = self.services[service]
        given = {**_image(TIERS[service]), **described.get("environment", {})}
        environment = {name: self.place(str(value), service) for name, value in given.items()}
        environment |= {
            "FOLKMOOT_CLOUD_LISTEN_PORT": str(self.api),
            "FOLKMOOT_CLOUD_BROKER_PORT": str(self._ports["cloud-broker"]),
            "FOLKMOOT_GATEWAY_CLOUD_PORT": str(self._ports["cloud-broker"]),
            "FOLKMOOT_GATEWAY_HOME_PORT": str(self._ports["home-broker"]),
            "FOLKMOOT_FLEET_HOME_PORT": str(self._ports["home-broker"]),
        }
        return Process(service, [sys.executable, "-m", "folkmoot_cli", *described["command"]], self.folder, environment)


def _image(tier: str) -> dict[str, str]:
    """Gives the variables that a tier's image sets for its program."""
    text = (ROOT / tier / "Dockerfile").read_text().replace("\\\n", " ")
    words = [word for line in text.splitlines() if line.startswith("ENV ") for word in shlex.split(line)[1:]]
    return {name: value for name, _, value in (word.partition("=") for word in words) if name.startswith("FOLKMOOT_")}


@pytest.mark.broker
@pytest.mark.postgres
async def test_the_services_of_the_file_see_a_round_through(tmp_path: Path, postgres: Cluster) -> None:
    stage = Stage(tmp_path, postgres.url(await postgres.create()))
    assert set(stage.services) == {"database", "cloud-broker", "home-broker", *TIERS}
    with ExitStack() as stack:
        for name in ("cloud-broker", "home-broker"):
            stack.enter_context(stage.broker(name))
        processes = [stage.process(name) for name in TIERS]
        for process in processes:
            stack.callback(process.stop)
            process.start()
        town = Town(tmp_path, {})
        town.attend(processes, f"http://127.0.0.1:{stage.api}", tmp_path / "cloud" / "token")
        stack.callback(town.api.close)
        assert isinstance(town.api, httpx.Client)
        town.up(int(stage.services["devices"]["command"][-1]))
        run = town.launch(tasks.read("digits-mlp"), rounds=1)
        assert town.finished(run)["outcome"] == "completed"
        assert town.get(f"/v1/runs/{run}/rounds/1")["devices"]["answered"] == 20
