"""A broker as a child process, for a demo, a fleet or a test: Mosquitto where it is installed, else amqtt from PyPI."""

import getpass
import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from folkmoot.errors import UserFault
from folkmoot.link import mosquitto

HOST = "127.0.0.1"
# amqtt imports for a second here, for ten on a board; Mosquitto is there in 20 ms.
START_TIMEOUT = 60.0  # seconds
STOP_TIMEOUT = 10.0  # seconds that it may take to write what it keeps
_PACE = 0.01  # seconds between two attempts to reach a broker that starts


def free_port() -> int:
    """Gives a port of the loopback address that nobody listens on now."""
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


class Broker:
    """One child process that listens on `port`, started anew as often as one likes."""

    def __init__(self, command: Sequence[str | Path], port: int, log: Path) -> None:
        """`command` runs a broker in the foreground; what it says goes to the file `log`.

        Of several ports, `port` is the one that it opens last: then it is ready.
        """
        self.port = port
        self._command = [str(part) for part in command]
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and returns when it accepts connections.

        Raises UserFault where the port is taken or the broker does not come up.
        """
        try:
            socket.create_server((HOST, self.port)).close()
        except OSError as error:
            raise UserFault(f"port {self.port} is taken: stop what listens there, or choose another ({error})") from None
        with self._log.open("ab") as log:
            # Its own session: Ctrl-C is ours to pass on, once everybody has said goodbye.
            self._child = subprocess.Popen(  # noqa: S603 -- the command is ours
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._await(self._child)

    def _await(self, child: "subprocess.Popen[bytes]") -> None:
        for _ in range(int(START_TIMEOUT / _PACE)):
            try:
                socket.create_connection((HOST, self.port), timeout=START_TIMEOUT).close()
                return
            except OSError:
                pass
            try:
                child.wait(_PACE)
            except subprocess.TimeoutExpired:
                continue
            last = " ".join(self._log.read_text("utf-8", "replace").splitlines()[-2:])
            raise UserFault(f"the broker {self._command[0]} does not start: {last or child.returncode}; see {self._log}")
        self.kill()
        raise UserFault(f"the broker {self._command[0]} is not there after {START_TIMEOUT:g} s; see {self._log}")

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        return self._child.pid if self._child and self._child.poll() is None else None

    def stop(self) -> None:
        """Ends it in order; Mosquitto keeps sessions and retained messages for the next start."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
        self._child = None

    def kill(self) -> None:
        """Ends it as a power cut would."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def mosquitto_broker(program: Path, role: mosquitto.Role, folder: Path, port: int = 0) -> Broker:
    """Gives an open Mosquitto with our configuration, which it writes into `folder`. `port` 0 chooses a free one."""
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    # As root, Mosquitto would become an account that cannot write here.
    user = getpass.getuser() if os.geteuid() == 0 else ""
    file = folder / "mosquitto.conf"
    file.write_text(mosquitto.configuration(role, (mosquitto.Listener(port),), folder, user=user), "utf-8")
    return Broker((program, "-c", file), port, folder / "broker.log")


def amqtt_broker(folder: Path, port: int = 0) -> Broker:
    """Gives an amqtt: MQTT 3.1.1 only, slow, and it loses unacknowledged messages at a reconnect; receipts bear that."""
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    return Broker((sys.executable, "-m", "folkmoot.link.amqtt_broker", str(port)), port, folder / "broker.log")


def any_broker(role: mosquitto.Role, folder: Path, port: int = 0) -> Broker:
    """Gives the best broker that this machine has.

    Raises UserFault where it has none.
    """
    program = mosquitto.find()
    if program:
        return mosquitto_broker(program, role, folder, port)
    if importlib.util.find_spec("amqtt"):
        return amqtt_broker(folder, port)
    raise UserFault("no MQTT broker is here: install mosquitto, or `pip install folkmoot[demo]`, which brings amqtt")
