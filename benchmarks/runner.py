"""Runs one side of a race: bounded in time, its memory watched, and nothing of it left behind."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil

ROOT = Path(__file__).resolve().parents[1]
LOOK = 0.25  # seconds between two looks at the memory, or at who is left
DYING = 30.0  # seconds that a killed process may take
MIB = 1 << 20
MARK = "FOLKMOOT_BENCH"  # a variable that everything has which a run starts, however it was started
# Nobody is told that we try things out, and nothing is fetched while we do.
SILENT = {
    "DO_NOT_TRACK": "1",
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "UV_OFFLINE": "1",
}


class Failed(Exception):
    """A side that gave no figures; says why."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a run."""

    figures: dict[str, float]  # what it printed, and `peak_mib`: the most memory of all its processes together
    seconds: float


def run(command: Sequence[str | Path], seconds: float, environment: Mapping[str, str] | None = None) -> Ran:
    """Runs a command whose last line of stdout is a JSON object of figures. Raises Failed, also after so many seconds.

    `peak_mib` is proportional: what processes share counts once. Whatever the command has started is gone when this returns.
    """
    mark = uuid4().hex
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        home = {"HOME": folder, "TMPDIR": folder, "RAY_TMPDIR": folder, "FLWR_HOME": f"{folder}/flwr", MARK: mark}
        out, log = Path(folder) / "stdout", Path(folder) / "stderr"
        with out.open("wb") as said, log.open("wb") as errors:
            process = subprocess.Popen(
                list(map(str, command)),
                cwd=ROOT,
                env={**os.environ, **SILENT, **home, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=said,  # no pipe: what has been left behind would hold it open
                stderr=errors,
                start_new_session=True,
            )
            try:
                with watched(process.pid) as most:
                    process.wait(seconds)
            except subprocess.TimeoutExpired:
                raise Failed(f"not over after {seconds:.0f} s") from None
            finally:
                end(mark)
                process.wait()
        figures = last(out.read_text("utf-8", "replace"))
        if process.returncode or figures is None:
            said = log.read_text("utf-8", "replace").strip()
            print(said[-2000:], file=sys.stderr)
            # What is kept with the results is the last line: those above it name folders of one machine.
            raise Failed(f"exit code {process.returncode}: {said.splitlines()[-1] if said else ''}".rstrip())
    return Ran({"peak_mib": most[0] / MIB, **figures}, time.monotonic() - began)


def last(out: str) -> dict[str, float] | None:
    """Gives the figures in the last line that begins as JSON does; None where there is none."""
    for line in reversed(out.splitlines()):
        if line.startswith("{"):
            found: dict[str, float] = json.loads(line)
            return found
    return None


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """Gives a place for the most bytes that a process and all below it have had at once.

    Looked at every LOOK seconds, or less often: a look goes through all pages that there are, and takes a twentieth of a core.
    """
    most, over = [0.0], threading.Event()

    def look() -> None:
        took = 0.0
        while not over.wait(max(LOOK, 20 * took)):
            began = time.monotonic()
            most[0] = max(most[0], held(pid))
            took = time.monotonic() - began

    thread = threading.Thread(target=look, name="memory", daemon=True)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def tree(pid: int) -> list[psutil.Process]:
    """Gives a process and all below it; none where it is gone."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def held(pid: int) -> int:
    """Gives the proportional bytes of a process and all below it."""
    found = 0
    for process in tree(pid):
        try:
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        except OSError:  # it is gone
            continue
        found += next((int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith("Pss:")), 0)
    return found


def end(mark: str) -> None:
    """Kills whatever still has the mark, its own session and its orphans among them, and waits until nothing has.

    Raises Failed where something cannot be killed.
    """
    until = time.monotonic() + DYING
    while marked := [process for process in psutil.process_iter() if _marked(process, mark)]:
        if time.monotonic() > until:
            raise Failed(f"processes do not die: {', '.join(str(process.pid) for process in marked)}")
        for process in marked:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        time.sleep(LOOK)


def _marked(process: psutil.Process, mark: str) -> bool:
    try:
        return bool(process.environ().get(MARK) == mark)
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False
