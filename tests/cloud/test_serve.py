"""The service as a process: it starts, says what is wrong, and ends in order."""

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from folkmoot.errors import UserFault
from folkmoot_cloud.serve import alone, listen, prepare
from folkmoot_cloud.settings import Listen, Settings, Storage, Tokens

# What the command does: settings, then serve; a person's mistake is one sentence and exit code 2.
PROGRAM = """
import sys
from pathlib import Path
from folkmoot import config, log
from folkmoot.errors import UserFault
from folkmoot_cloud.serve import serve
from folkmoot_cloud.settings import PREFIX, Settings
from tests.kit.cloud import Ledger
log.setup()
try:
    serve(config.load(Path(sys.argv[1]), Settings, PREFIX, {}), Ledger)
except UserFault as fault:
    print(fault, file=sys.stderr)
    sys.exit(2)
print("ended in order", file=sys.stderr)
"""


@contextmanager
def program(folder: Path, text: str) -> Iterator[subprocess.Popen[str]]:
    """Gives the service as a process of its own."""
    file = folder / "cloud.toml"
    file.write_text(text)
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, file], stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def address(process: subprocess.Popen[str]) -> tuple[str, list[str]]:
    """Waits until it serves; gives where, and what it said until then."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if "serving" in line:
            return line.partition("address=")[2].strip().strip('"'), said
    raise AssertionError("it ended: " + "".join(said))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_order_when_it_is_told_to_even_while_somebody_listens(tmp_path: Path, number: signal.Signals) -> None:
    text = 'data = "data"\n[listen]\nport = 0\n[tokens]\nbootstrap_file = "token"'
    with program(tmp_path, text) as process:
        where, said = address(process)
        token = (tmp_path / "token").read_text().strip()
        assert any(token in line for line in said)
        with (
            httpx.Client(base_url=where, headers={"Authorization": f"Bearer {token}"}, timeout=20) as client,
            client.stream("GET", "/v1/events") as response,
        ):
            assert response.status_code == 200
            process.send_signal(number)
            list(response.iter_lines())  # ends
        assert process.stderr is not None
        assert process.wait(20) == 0
        rest = process.stderr.read()
    assert "ended in order" in rest
    assert "Traceback" not in rest


def test_what_it_took_in_is_there_after_it_was_killed(tmp_path: Path) -> None:
    text = 'data = "data"\n[listen]\nport = 0\n[tokens]\nbootstrap_file = "token"'
    made = ""
    for life in range(2):
        with program(tmp_path, text) as process:
            where, _ = address(process)
            headers = {"Authorization": f"Bearer {(tmp_path / 'token').read_text().strip()}"}
            with httpx.Client(base_url=where, headers=headers, timeout=20) as client:
                if life == 0:
                    made = client.post("/v1/tokens", json={"name": "x", "scopes": ["read"]}).json()["id"]
                    process.kill()
                else:
                    assert made in client.get("/v1/tokens").text


def test_a_mistake_ends_it_with_one_sentence_before_it_serves(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with program(tmp_path, f'data = "data"\n[listen]\nport = {port}') as process:
            _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert said == f"port {port} of 127.0.0.1 is taken: stop what uses it, or set listen.port\n"


def test_a_host_that_is_not_ours_cannot_be_listened_on() -> None:
    with pytest.raises(UserFault, match=r"listen: 192\.0\.2\.1:0 cannot be used"):
        listen(Listen(host="192.0.2.1", port=0))


@pytest.mark.parametrize("url", ["", "sqlite:////tmp/elsewhere.sqlite"])
def test_a_folder_has_one_service(tmp_path: Path, url: str) -> None:
    with (
        alone(Settings(data=tmp_path, database=Storage(url=url))),
        pytest.raises(UserFault, match="another cloud runs on"),
        alone(Settings(data=tmp_path, database=Storage(url=url))),
    ):
        pass
    with alone(Settings(data=tmp_path)):
        pass


def test_services_on_a_database_elsewhere_may_share_a_folder(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, database=Storage(url="postgresql://nobody@nowhere/none"))
    with alone(settings), alone(settings):
        pass


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (Settings(database=Storage(url="mysql://a/b")), "database.url must begin with"),
        (Settings(database=Storage(url="sqlite:////proc/nothing/x.sqlite")), "database.url: the database cannot be used: "),
        (Settings(database=Storage(url="postgresql://u@127.0.0.1:1/x")), "database.url: the database cannot be used: "),
        (Settings(data=Path("/proc/nothing")), "data: the folder cannot be used: "),
        (
            Settings(tokens=Tokens(bootstrap_file=Path("/proc/nothing/token"))),
            "tokens.bootstrap_file: /proc/nothing/",
        ),
    ],
)
async def test_what_cannot_be_used_is_named(settings: Settings, sentence: str, tmp_path: Path) -> None:
    here = settings if str(settings.data) == "/proc/nothing" else Settings(
        data=tmp_path, database=settings.database, tokens=settings.tokens
    )  # fmt: skip
    with pytest.raises(UserFault) as caught:
        await prepare(here, asyncio.Event())
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert threading.active_count() < 20  # no connection's thread is left behind
