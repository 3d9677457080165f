"""The README's first own run, typed word by word: in a network of its own, where all ports are free."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.conftest import ROOT
from tests.kit.broker import program

# The loopback interface of a new network namespace is down: SIOCSIFFLAGS with IFF_UP and IFF_RUNNING.
UP = "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sH14x', b'lo', 0x41))"
# Only root may make a network, but anybody may become root among users of his own. --kill-child: what a failure leaves behind
# goes with the first process.
APART = ("unshare", *(["--map-root-user"] if os.geteuid() else []), "--net", "--pid", "--fork", "--kill-child")
READY = "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/readyz')"


def blocks() -> list[str]:
    """Gives the shell blocks of the section."""
    section = (ROOT / "README.md").read_text().partition("## A run of your own")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


@pytest.mark.broker
def test_the_first_own_run_of_the_readme_ends_with_a_model(tmp_path: Path) -> None:
    if subprocess.run([*APART, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody have a network of his own")
    begin, go_on = blocks()
    broker = tmp_path / "mosquitto.conf"
    broker.write_text("listener 1883 127.0.0.1\nallow_anonymous true\nuser root\n")
    script = f"""
        set -eu
        {sys.executable} -c "{UP}"
        {program()} -c {broker} >{tmp_path}/broker.log 2>&1 &
        export TMPDIR={tmp_path}
        {begin}
        until python -c "{READY}" 2>/dev/null; do sleep 0.1; done
        {go_on}
        wait || true
    """
    said = tmp_path / "said"
    with said.open("w") as file:
        done = subprocess.run(
            ["timeout", "90", *APART, "bash", "-c", script],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            check=False,
        )
    assert done.returncode == 0, said.read_text()
    assert "[ROUND 10/10]" in said.read_text()
    assert len(list(tmp_path.glob("*/digits.tflite"))) == 1
