"""The agent at rest: what the real process has imported, and what it says when its settings are wrong."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from folkmoot.link.broker import Broker
from folkmoot.link.endpoint import Endpoint
from folkmoot.link.face import Arrived
from folkmoot.store.ledger import Ledger
from folkmoot.wire import codec
from folkmoot.wire.messages import Status
from tests.kit.ear import join

HEAVY = {"numpy", "tflite_runtime", "ai_edge_litert", "typer", "rich", "pydantic", "structlog", "cryptography", "fastapi"}
HEAVY |= {"typing_extensions"}
# Runs the agent as `python -m folkmoot_device` does, and writes down what it has imported when it is asked to.
WITNESS = """
import json, runpy, signal, sys
def tell(number, frame):
    with open({out!r} + ".new", "w") as file:
        json.dump(sorted(name for name, module in sys.modules.items() if module), file)
    __import__("os").rename({out!r} + ".new", {out!r})
signal.signal(signal.SIGUSR1, tell)
sys.argv = ["folkmoot_device", "--config", {config!r}]
runpy.run_module("folkmoot_device", run_name="__main__", alter_sys=True)
"""


def settings(folder: Path, port: int) -> Path:
    """Gives a settings file of a device."""
    file = folder / "device.toml"
    file.write_text(
        f'id = "d1"\ngateway = "g1"\nfolder = "{folder / "d1"}"\n[home]\nport = {port}\n[examples]\ncontract = "digits-8x8"\n'
    )
    return file


async def connected(port: int) -> None:
    """Waits until the device has said that it is up."""
    link, ear = join(Endpoint("127.0.0.1", port), "g1", "fl/v1/h/g1/+/status")
    try:
        await ear.next(Arrived, lambda event: _up(event.payload))
    finally:
        link.stop()
        await link.stopped()


def _up(payload: bytes) -> bool:
    body = codec.unseal(payload, limit=1 << 20).body
    return isinstance(body, Status) and body.state == "up"


@pytest.mark.broker
async def test_an_agent_at_rest_has_imported_nothing_heavy(tmp_path: Path, mosquitto: Broker) -> None:
    out = tmp_path / "modules.json"
    script = WITNESS.format(out=str(out), config=str(settings(tmp_path, mosquitto.port)))
    agent = subprocess.Popen([sys.executable, "-c", script])
    try:
        await connected(mosquitto.port)
        agent.send_signal(signal.SIGUSR1)
        while not out.exists():
            assert agent.poll() is None
            await connected(mosquitto.port)  # a round trip, and another look
        modules = set(json.loads(out.read_text()))
        assert "folkmoot_device.agent" in modules
        assert not HEAVY & modules
    finally:
        agent.terminate()
        assert agent.wait() == 0


@pytest.mark.broker
async def test_an_agent_that_is_told_to_stop_says_goodbye(tmp_path: Path, mosquitto: Broker) -> None:
    agent = subprocess.Popen([sys.executable, "-m", "folkmoot_device", "--config", settings(tmp_path, mosquitto.port)])
    await connected(mosquitto.port)
    link, ear = join(Endpoint("127.0.0.1", mosquitto.port), "g1", "fl/v1/h/g1/+/status")
    agent.terminate()
    assert agent.wait() == 0
    last = await ear.next(Arrived, lambda event: not _up(event.payload))
    status = codec.unseal(last.payload, limit=1 << 20).body
    assert isinstance(status, Status)
    assert (status.state, status.bye) == ("down", True)
    link.stop()
    await link.stopped()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('id = "d1"\n', "is missing"),
        ('id = "d1"\ngateway = "g1"\nbrokr = 1\n[examples]\ncontract = "c"\n', "unknown key brokr"),
        ('id = "D 1"\ngateway = "g1"\n[examples]\ncontract = "c"\n', "id"),
        ("id = ", "no TOML"),
    ],
    ids=["missing", "unknown", "malformed", "no TOML"],
)
def test_bad_settings_get_one_sentence_and_exit_code_2(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "device.toml"
    file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "folkmoot_device", "--config", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_device_refuses_to_share_its_folder_with_another_process(tmp_path: Path, mosquitto: Broker) -> None:
    file = settings(tmp_path, mosquitto.port)
    first = Ledger(tmp_path / "d1" / "ledger.db")
    done = subprocess.run(
        [sys.executable, "-m", "folkmoot_device", "--config", file], capture_output=True, text=True, check=False
    )
    first.close()
    assert done.returncode == 1
    assert "another process uses it" in done.stderr
    assert "Traceback" not in done.stderr
