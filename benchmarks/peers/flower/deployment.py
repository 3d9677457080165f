"""A real Flower federation on this machine: a SuperLink, SuperNodes, and an app whose clients answer at once.

    deployment.py round 10        ms of a round with so many nodes, 10,000 parameters in 10 tensors
    deployment.py wire 10000      bytes and requests of a node in a round, counted at the SuperLink, with so many parameters
    deployment.py memory          what one node takes at rest and in rounds
    deployment.py departure       how long a node counts as there that has gone: in order, killed, frozen

Everything is a process of its own, as a user of Flower starts it; all are ended with this one.
"""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from benchmarks.peers.flower.counter import Counter

APP = Path(__file__).with_name("app")
BIN = Path(sys.executable).parent
PATIENCE = 240.0  # seconds until what does not happen is a failure
PACE = 0.1
MIB = 1 << 20
HEARTBEAT = 30.0  # seconds: flwr.common.constant.HEARTBEAT_DEFAULT_INTERVAL


def free_port() -> int:
    """Gives a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(so: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Waits for the first true thing that `so` gives. Raises TimeoutError."""
    end = time.monotonic() + patience
    while not (found := so()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {patience:.0f} s")
        time.sleep(PACE)
    return found


class Federation:
    """A SuperLink and its SuperNodes."""

    def __init__(self, folder: Path, nodes: int, *, counted: bool = False) -> None:
        """`counted`: nodes reach the SuperLink through a counter."""
        self.folder = folder
        self.counter: Counter | None = None
        self.nodes: list[subprocess.Popen[bytes]] = []
        self.marks = folder / "marks"
        self._count, self._counted = nodes, counted
        self._port = free_port()
        self._stack = ExitStack()

    def __enter__(self) -> "Federation":
        # As its own manual has it, but that the app's dependencies are there already: nothing is fetched.
        link = ["--insecure", "--disable-runtime-dependency-installation", "--host", "127.0.0.1", "--port", str(self._port)]
        self._start("superlink", [BIN / "flower-superlink", *link])
        until(lambda: self._listens(self._port), "the SuperLink listens")
        port = self._port
        if self._counted:
            self.counter = self._stack.enter_context(Counter(self._port))
            port = self.counter.port
        for number in range(self._count):
            words = ["--insecure", "--superlink", f"127.0.0.1:{port}", "--host", "127.0.0.1", "--port", str(free_port())]
            name = f"supernode-{number}"
            self.nodes.append(self._start(name, [BIN / "flower-supernode", *words, "--node-config", f"partition-id={number}"]))
        home = Path(os.environ.setdefault("FLWR_HOME", str(self.folder / "home")))
        home.mkdir(parents=True, exist_ok=True)
        (home / "config.toml").write_text(
            f'[superlink]\ndefault = "here"\n[superlink.here]\naddress = "127.0.0.1:{self._port}"\ninsecure = true\n'
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        if fault is not None:
            for log in sorted(self.folder.glob("*.log"))[:3]:
                print(f"--- {log.name}\n{log.read_text('utf-8', 'replace')[-1500:]}", file=sys.stderr)
        self._stack.close()

    def run(self, **config: Any) -> None:
        """Starts the app; comes back when it is under way."""
        said = {"nodes": self._count, "marks": str(self.marks), **config}
        words = " ".join(f"{name}={json.dumps(value)}" for name, value in said.items())
        with (self.folder / "run.log").open("ab") as log:
            command = [BIN / "flwr", "run", str(APP), "here", "--run-config", words]
            subprocess.run(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=True, timeout=PATIENCE)
        until(self.marked, "the app begins")

    def marked(self) -> list[tuple[float, str]]:
        """Gives what the app has noted, with the time."""
        lines = self.marks.read_text().splitlines() if self.marks.exists() else []
        pairs = [line.split() for line in lines]
        return [(float(pair[0]), pair[1]) for pair in pairs if len(pair) == 2]

    def over(self, patience: float = PATIENCE) -> list[float]:
        """Waits for the end of all rounds; gives when each began, and when the last one ended."""
        until(lambda: any(what == "over" for _, what in self.marked()), "the rounds are over", patience)
        return [at for at, _ in self.marked()]

    def _start(self, name: str, command: list[Any]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            # Sub-processes are looked up on the PATH.
            env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
            process = subprocess.Popen([*map(str, command)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        self._stack.callback(_end, process)
        return process

    def _listens(self, port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Gives a process and all below it."""
    try:
        root = psutil.Process(process.pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Sends a signal to a process and to all below it."""
    for each in family(process):
        try:
            each.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def _end(process: subprocess.Popen[bytes]) -> None:
    send(process, signal.SIGKILL)
    process.wait()


def rounds(folder: Path, nodes: str) -> dict[str, float]:
    """Gives the median and the longest of three rounds, after one that is not counted, in ms."""
    with Federation(folder, int(nodes)) as federation:
        federation.run(rounds=4)
        times = federation.over(1_200)
    found = [1e3 * (later - sooner) for sooner, later in pairwise(times[1:])]
    return {"round_ms": statistics.median(found), "round_most_ms": max(found), "rounds": len(found)}


def wire(folder: Path, parameters: str) -> dict[str, float]:
    """Gives what a node sends and gets in a round, from the beginning of one to that of the next: the median of five rounds."""
    nodes, wanted = 2, 7
    seen: list[dict[str, int]] = []
    with Federation(folder, nodes, counted=True) as federation:
        assert federation.counter
        federation.run(rounds=wanted, parameters=int(parameters))
        for number in range(2, wanted + 1):
            until(lambda: len(federation.marked()) >= number, f"round {number} begins")  # noqa: B023  # is called here and now
            seen.append(federation.counter.counts())
    rounds = [{name: (later[name] - sooner[name]) / nodes for name in later} for sooner, later in pairwise(seen)]
    found = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    return {"bytes_up": found["up"], "bytes_down": found["down"], "messages": found["requests"]}


def memory(folder: Path) -> dict[str, float]:
    """Gives MiB of one node: at rest, resident and proportional, and the most of both in rounds."""
    with Federation(folder, 1) as federation:
        (node,) = federation.nodes
        time.sleep(15)  # it has started what it starts, and has asked for work
        rest, shared = _held(node)
        most, over = [0.0, 0.0], threading.Event()

        def look() -> None:
            while not over.wait(PACE):
                most[:] = map(max, most, _held(node))

        watch = threading.Thread(target=look, daemon=True)
        watch.start()
        federation.run(rounds=3)
        federation.over()
        over.set()
        watch.join()
    return {
        "rest_mib": rest / MIB,
        "rest_shared_mib": shared / MIB,
        "training_resident_mib": most[0] / MIB,
        "training_mib": most[1] / MIB,
    }


def _held(node: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Gives the resident and the proportional bytes of a process and all below it."""
    resident = proportional = 0.0
    for process in family(node):
        try:
            full = process.memory_full_info()
        except psutil.Error:
            continue
        resident += full.rss
        proportional += full.pss
    return resident, proportional


def departure(folder: Path) -> dict[str, float]:
    """Gives the seconds that a node counts as there that has gone in each way."""
    found: dict[str, float] = {}
    ways = {"clean_s": signal.SIGTERM, "killed_s": signal.SIGKILL, "frozen_s": signal.SIGSTOP}
    with Federation(folder, len(ways) + 1) as federation:
        federation.run(watch=True)
        there = len(federation.nodes)
        until(lambda: federation.marked()[-1][1] == str(there), "all nodes are there")
        for (name, number), node in zip(ways.items(), federation.nodes, strict=False):
            began = time.time()
            if number is signal.SIGTERM:
                node.send_signal(number)
            else:
                send(node, number)
            there -= 1
            until(lambda: federation.marked()[-1][1] == str(there), name)  # noqa: B023  # is called here and now
            found[name] = next(at for at, what in federation.marked() if at > began and what == str(there)) - began
    return {**found, "frozen_keepalives": found["frozen_s"] / HEARTBEAT}


DOES: dict[str, Callable[..., dict[str, float]]] = {"round": rounds, "wire": wire, "memory": memory, "departure": departure}

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        print(json.dumps(DOES[sys.argv[1]](Path(made), *sys.argv[2:])), flush=True)
