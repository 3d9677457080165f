"""The services of compose.yaml as processes of this machine: the very commands and variables, only places are translated.

Names of hosts become 127.0.0.1 with a free port, folders of containers become folders of the test, and the database is the
test's own. What an image sets by itself (ENV, ENTRYPOINT, HEALTHCHECK) is read from its Dockerfile.
"""

import getpass
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import yaml  # type: ignore[import-untyped]

from folkmoot.link.broker import Broker, free_port
from tests.kit.broker import program
from tests.kit.processes import PACE, PATIENCE, Process

ROOT = Path(__file__).resolve().parents[2]
IMAGES = {"cloud": "cloud", "gateway": "gateway", "devices": "device"}  # service to the folder of its Dockerfile
BROKERS = ("cloud-broker", "home-broker")
# Which variable says the port of what a service dials or serves: in containers all are at their defaults.
PORTS = {
    "cloud": {"FOLKMOOT_CLOUD_BROKER_PORT": "cloud-broker", "FOLKMOOT_CLOUD_LISTEN_PORT": "cloud"},
    "gateway": {"FOLKMOOT_GATEWAY_CLOUD_PORT": "cloud-broker", "FOLKMOOT_GATEWAY_HOME_PORT": "home-broker"},
    "devices": {"FOLKMOOT_FLEET_HOME_PORT": "home-broker"},
}


class Composed:
    """All services, running while the block lasts."""

    def __init__(self, folder: Path, database: str) -> None:
        """`database` is the URL of an empty one."""
        self.folder = folder
        self.services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
        self.ports = {name: free_port() for name in (*BROKERS, "cloud")}
        self.processes: dict[str, Process] = {}
        self._stack = ExitStack()
        self._secrets = folder / "secrets"
        subprocess.run([sys.executable, ROOT / ".ci" / "passwords.py", self._secrets], check=True)
        (self._secrets / "database-url").write_text(database)

    def __enter__(self) -> Self:
        with self._stack as stack:
            for name in BROKERS:
                stack.enter_context(self._broker(name))
            for name in IMAGES:
                self.processes[name] = self._process(name)
                stack.callback(self.processes[name].stop)
                self.processes[name].start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def until(self, so: Callable[[], bool]) -> None:
        """Waits until something is so: other processes tell nobody when they have done something."""
        end, pace = time.monotonic() + PATIENCE, threading.Event()
        while not so():
            said = (f"--- {name}\n{process.said()[-2000:]}" for name, process in self.processes.items())
            assert time.monotonic() < end, "\n".join(said)
            pace.wait(PACE)

    def well(self, name: str) -> bool:
        """Says what the health check of the service's image says."""
        (check,) = re.findall(r"^HEALTHCHECK .*?CMD (\[.*\])$", _dockerfile(name), re.MULTILINE)
        command = [sys.executable, *(self._here(name, word) for word in json.loads(check)[1:])]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _broker(self, name: str) -> Broker:
        """Gives the broker that the service is, with the files that are mounted into it."""
        mounted = dict(volume.split(":")[1::-1] for volume in self.services[name]["volumes"] if volume.startswith("./"))
        text = (ROOT / mounted["/mosquitto/config/mosquitto.conf"]).read_text()
        for inside, outside in mounted.items():
            text = text.replace(inside, str(ROOT / outside))
        text = re.sub("(?m)^listener .*", f"listener {self.ports[name]} 127.0.0.1", self._here(name, text))
        if os.geteuid() == 0:
            text += f"user {getpass.getuser()}\n"  # as root, Mosquitto would become an account that cannot write here
        folder = self.folder / name
        folder.mkdir()
        (folder / "mosquitto.conf").write_text(text)
        return Broker((program(), "-c", folder / "mosquitto.conf"), self.ports[name], folder / "broker.log")

    def _process(self, name: str) -> Process:
        """Gives the program that the service is."""
        (self.folder / name).mkdir()
        (variables,) = re.findall(r"^ENV (PATH=.*)$", _dockerfile(name), re.MULTILINE)
        set_by_image = dict(word.split("=", 1) for word in shlex.split(variables) if word.startswith("FOLKMOOT_"))
        given = set_by_image | self.services[name].get("environment", {})
        environment = {variable: self._here(name, str(value)) for variable, value in given.items()}
        environment |= {variable: str(self.ports[where]) for variable, where in PORTS[name].items()}
        command = [sys.executable, "-m", "folkmoot_cli", *self.services[name]["command"]]
        return Process(name, command, self.folder, environment)

    def _here(self, name: str, text: str) -> str:
        """Gives `text` with the places of a container as places of this test."""
        own = str(self.folder / name)
        places = {
            "/var/lib/folkmoot": own,
            "/mosquitto/data": own,
            "/run/secrets": str(self._secrets),
            "0.0.0.0": "127.0.0.1",
            "127.0.0.1:8080": f"127.0.0.1:{self.ports['cloud']}",
        }
        for inside, outside in places.items():
            text = text.replace(inside, outside)
        return "127.0.0.1" if text in BROKERS else text


def _dockerfile(name: str) -> str:
    return (ROOT / IMAGES[name] / "Dockerfile").read_text().replace("\\\n", " ")
