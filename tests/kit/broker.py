"""Real brokers on free ports, one for each test that asks."""

import getpass
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from folkmoot.link import mosquitto as generated
from folkmoot.link.broker import Broker, amqtt_broker, free_port, mosquitto_broker
from folkmoot.link.endpoint import Endpoint, Login, Tls
from tests.kit.authority import Authority

HOME = "gw1"  # the gateway of the secured broker
SECRET = "correct horse battery staple"


def program() -> Path:
    """Gives the Mosquitto of this machine, without which the tests say nothing about the real thing."""
    found = generated.find()
    assert found, "install mosquitto: `make test` does it"
    return found


def endpoint(broker: Broker) -> Endpoint:
    """Gives how to reach an open broker."""
    return Endpoint("127.0.0.1", broker.port)


def run(folder: Path, port: int, text: str) -> Broker:
    """Gives a Mosquitto with any configuration."""
    file = folder / "mosquitto.conf"
    file.write_text(text)
    return Broker((program(), "-c", file), port, folder / "broker.log")


def default_mosquitto(folder: Path) -> Broker:
    """Gives a Mosquitto with its default limits."""
    folder.mkdir()
    port = free_port()
    return run(folder, port, f"listener {port} 127.0.0.1\nallow_anonymous true\n")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    """Gives a home's Mosquitto, open, as we generate it."""
    with mosquitto_broker(program(), "home", tmp_path / "mosquitto") as broker:
        yield broker


@pytest.fixture
def plain_mosquitto(tmp_path: Path) -> Iterator[Broker]:
    """Gives a Mosquitto with its default limits."""
    port = free_port()
    with run(tmp_path, port, f"listener {port} 127.0.0.1\nallow_anonymous true\n") as broker:
        yield broker


@pytest.fixture
def amqtt(tmp_path: Path) -> Iterator[Broker]:
    """Gives an amqtt."""
    with amqtt_broker(tmp_path / "amqtt") as broker:
        yield broker


@dataclass(frozen=True)
class Secured:
    """A home's broker that lets nobody in without a certificate, but its gateway with a password from this machine."""

    broker: Broker
    authority: Authority
    local: int  # port of the listener for passwords
    folder: Path

    def device(self, name: str, authority: Authority | None = None) -> Endpoint:
        """Gives how a device of this name gets in."""
        pair = (authority or self.authority).issue(name)
        return Endpoint("127.0.0.1", self.broker.port, Tls(self.authority.ca, pair.certificate, pair.key))

    def gateway(self, secret: str = SECRET) -> Endpoint:
        """Gives how the gateway gets in."""
        file = self.folder / f"password-{secrets.token_hex(4)}"
        file.write_text(secret + "\n")
        return Endpoint("127.0.0.1", self.local, login=Login(HOME, file))


@contextmanager
def secure(folder: Path) -> Iterator[Secured]:
    """Gives a home's Mosquitto, secured, as we generate it."""
    authority = Authority(folder / "authority")
    pair = authority.issue("broker", server=True)
    passwords = folder / "passwords"
    passwords.touch(0o600)
    passwords.write_text(generated.password(HOME, SECRET, secrets.token_bytes(12)))
    guard = generated.Guard(folder / "acl", passwords)
    guard.acl.write_text(generated.acl("home", HOME, HOME))
    port, local = free_port(), free_port()
    certificates = generated.Certificates(authority.ca, pair.certificate, pair.key)
    listeners = (generated.Listener(local), generated.Listener(port, certificates=certificates))
    text = generated.configuration("home", listeners, folder, guard, user=getpass.getuser())
    with run(folder, port, text) as broker:
        yield Secured(broker, authority, local, folder)


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Secured]:
    """Gives a home's Mosquitto, secured."""
    with secure(tmp_path) as broker:
        yield broker
