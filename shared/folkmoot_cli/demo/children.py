"""The processes of a demo: started with little around them, watched, and ended in order."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from folkmoot.errors import FolkmootError
from folkmoot.link.broker import Broker
from folkmoot_cli import output

GRACE = 10.0  # seconds that a process may take to say goodbye
LOOK = 0.5  # seconds between two looks at the brokers, which are not children that one can wait for
TAIL = 15  # lines of a log that are shown


class Died(FolkmootError):
    """A process has ended that nobody had told to."""


@dataclass(frozen=True, slots=True)
class Child:
    """One process and its log."""

    name: str
    log: Path
    process: Process

    @property
    def alive(self) -> bool:
        """Whether it is not known to have ended."""
        return self.process.returncode is None


class Children:
    """All of them."""

    def __init__(self) -> None:
        self._children: dict[str, Child] = {}
        self._brokers: dict[str, tuple[Broker, Path]] = {}

    def add_broker(self, name: str, broker: Broker, log: Path) -> None:
        """Takes a broker that runs."""
        self._brokers[name] = (broker, log)

    async def start(self, name: str, arguments: Sequence[str | Path], log: Path) -> Child:
        """Starts `python -m arguments`; what it says goes to the file `log`."""
        with log.open("ab") as stream:
            # A session of its own: Ctrl-C is ours to pass on, in the order in which everybody can say goodbye.
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", *map(str, arguments)),
                stdin=DEVNULL,
                stdout=stream,
                stderr=stream,
                env=environment(os.environ),
                start_new_session=True,
            )
        child = self._children[name] = Child(name, log, process)
        return child

    def __getitem__(self, name: str) -> Child:
        return self._children[name]

    async def watch(self) -> None:
        """Waits until somebody ends who should not. Raises Died, which says who, and shows the end of its log."""
        waits = {asyncio.create_task(child.process.wait()): child for child in self._children.values()}
        try:
            while True:
                done, _ = await asyncio.wait(waits, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    child = waits[task]
                    self._mourn(child.name, _manner(child.process.returncode), child.log)
                for name, (broker, log) in self._brokers.items():
                    if broker.pid is None:
                        self._mourn(name, "", log)
        finally:
            for task in waits:
                task.cancel()

    def _mourn(self, name: str, manner: str, log: Path) -> None:
        with suppress(OSError):
            lines = log.read_text("utf-8", "replace").splitlines()[-TAIL:]
            output.note("\n".join(f"  {name}: {line}" for line in lines))
        says = f"{name} has ended{manner}, and the demo with it: the end of its log is above, --keep DIR keeps all of it"
        raise Died(says)

    async def stop(self, *waves: Sequence[str]) -> None:
        """Ends everybody who runs, one wave after another, then the rest, then the brokers."""
        rest = self._children.keys() - {name for wave in waves for name in wave}
        for wave in (*waves, sorted(rest)):
            await asyncio.gather(*(_end(self._children[name]) for name in wave if name in self._children))
        await asyncio.gather(*(asyncio.to_thread(broker.stop) for broker, _ in self._brokers.values()))


def _manner(code: int | None) -> str:
    """Gives how a process has ended, as the end of a sentence."""
    if code is None or code >= 0:
        return f" with exit code {code}"
    return f" by {signal.Signals(-code).name}"


async def _end(child: Child) -> None:
    if not child.alive:
        return
    with suppress(ProcessLookupError):
        child.process.terminate()
    try:
        await asyncio.wait_for(child.process.wait(), GRACE)
    except TimeoutError:
        with suppress(ProcessLookupError):
            child.process.kill()
        await child.process.wait()


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Gives a child's environment: no settings of another Folkmoot, and no threads where sixteen processes share two cores."""
    kept = {name: value for name, value in ours.items() if not name.startswith("FOLKMOOT_")}
    return {**kept, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
