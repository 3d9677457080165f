"""Brokers as child processes: started when they answer, ended when they are told to."""

import socket
from pathlib import Path

import pytest

from folkmoot.errors import UserFault
from folkmoot.link import mosquitto
from folkmoot.link.broker import Broker, amqtt_broker, any_broker, free_port, mosquitto_broker
from folkmoot.link.endpoint import Endpoint
from folkmoot.link.face import Connected, Stopped
from tests.kit.broker import program
from tests.kit.ear import join

pytestmark = pytest.mark.broker


def reachable(port: int) -> bool:
    """Whether anybody listens."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("role", ["home", "cloud"])
async def test_mosquitto_takes_the_configuration_that_we_generate(role: mosquitto.Role, tmp_path: Path) -> None:
    with mosquitto_broker(program(), role, tmp_path) as running:
        link, ear = join(Endpoint("127.0.0.1", running.port), "probe", "probe")
        await ear.next(Connected)  # before it serves somebody, it does not know yet what it is to do when it is ended
        link.stop()
        await ear.next(Stopped)
        log = (tmp_path / "broker.log").read_text()
    assert "rror" not in log
    assert (tmp_path / "mosquitto.db").exists()  # what it keeps lies where we said


def test_any_broker_is_mosquitto_where_it_is_installed(tmp_path: Path) -> None:
    with any_broker("home", tmp_path) as running:
        assert reachable(running.port)
        assert "mosquitto" in (tmp_path / "broker.log").read_text()


def test_any_broker_is_amqtt_where_mosquitto_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mosquitto, "find", lambda: None)
    with any_broker("home", tmp_path) as running:
        assert reachable(running.port)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserFault, match="install mosquitto"):
        any_broker("home", tmp_path)


@pytest.mark.parametrize("kind", ["mosquitto", "amqtt"])
def test_a_broker_can_be_killed_and_started_on_the_same_port(kind: str, tmp_path: Path) -> None:
    running = mosquitto_broker(program(), "home", tmp_path) if kind == "mosquitto" else amqtt_broker(tmp_path)
    for end in (running.kill, running.stop):
        running.start()
        assert running.pid
        assert reachable(running.port)
        end()
        assert running.pid is None
        assert not reachable(running.port)
    running.stop()  # once more does no harm


def test_a_taken_port_is_told_in_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserFault, match=f"port {port} is taken"):
            mosquitto_broker(program(), "home", tmp_path, port).start()


def test_a_broker_that_does_not_start_is_told_with_its_own_last_words(tmp_path: Path) -> None:
    file = tmp_path / "mosquitto.conf"
    file.write_text("no_such_option true\n")
    with pytest.raises(UserFault, match="no_such_option"):
        Broker((program(), "-c", file), free_port(), tmp_path / "log").start()
