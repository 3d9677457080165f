"""What goes wrong, and how it ends: each fault is done to a stage at a place, lasts, and is taken back."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.faults.phases import DEVICE, GATEWAY
from tests.faults.stage import Stage
from tests.kit.cord import FREE, Cord, Shape

_NAMES = {"cloud": "cloud", "gateway": GATEWAY, "device": DEVICE}
_BROKERS = {"broker-cloud": "cloud", "broker-home": GATEWAY}
_LINKS = {
    "link-cloud": ("cloud", "cloud"),
    "link-up": ("cloud", GATEWAY),
    "link-home": (GATEWAY, GATEWAY),
    "link-down": (GATEWAY, DEVICE),
}
BALLAST = "ballast"  # the file that fills a disk


@dataclass(frozen=True)
class Fault:
    """One kind. `begin` and `end` are told where; `end` comes back when what was hit could work again."""

    seconds: float
    begin: Callable[[Stage, str], None]
    end: Callable[[Stage, str], None]


def _down(stage: Stage, node: str) -> None:
    if node in _BROKERS:
        stage.brokers[_BROKERS[node]].kill()
    else:
        stage.down(_NAMES[node])


def _up(stage: Stage, node: str) -> None:
    """A broker is there when it takes connections, the cloud when its API answers, others when they have been started."""
    if node in _BROKERS:
        stage.brokers[_BROKERS[node]].start()
        return
    stage.again(_NAMES[node])
    if node == "cloud":
        stage.until(stage.answers)


def _signalled(number: signal.Signals) -> Callable[[Stage, str], None]:
    def send(stage: Stage, node: str) -> None:
        pid = stage.brokers[_BROKERS[node]].pid if node in _BROKERS else stage.process(_NAMES[node]).pid
        assert pid is not None, f"{node} does not run"
        os.kill(pid, number)

    return send


def _fill(stage: Stage, node: str) -> None:
    """Leaves not one byte: what has been preallocated (SQLite's log) still takes a little."""
    with (stage.folder / _NAMES[node] / BALLAST).open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))


def _empty(stage: Stage, node: str) -> None:
    (stage.folder / _NAMES[node] / BALLAST).unlink()


def _cord(stage: Stage, node: str) -> Cord:
    return stage.cords[_LINKS[node]]


def _shaped(shape: Shape) -> Callable[[Stage, str], None]:
    def put(stage: Stage, node: str) -> None:
        _cord(stage, node).shape = shape
        if shape.reset_every < 3600:  # counted from when a connection began: begin
            stage.reel.tell(_cord(stage, node).cut)

    return put


def _no_database(stage: Stage, node: str) -> None:
    if stage.kind == "postgres":
        stage.cluster.end()
        return
    stage.lock = sqlite3.connect(stage.folder / "cloud" / "cloud.sqlite", isolation_level=None, timeout=30)
    stage.lock.execute("BEGIN IMMEDIATE")


def _database(stage: Stage, node: str) -> None:
    if stage.kind == "postgres":
        stage.cluster.start()
        return
    stage.lock.execute("ROLLBACK")
    stage.lock.close()


def _nothing(stage: Stage, node: str) -> None:
    """It ends by itself."""


FAULTS = {
    "kill": Fault(0, _down, _up),
    "outage": Fault(8, _down, _up),
    "pause": Fault(60, _signalled(signal.SIGSTOP), _signalled(signal.SIGCONT)),
    "half-open": Fault(0, lambda stage, node: stage.reel.tell(_cord(stage, node).swallow), _nothing),
    "cut": Fault(
        8,
        lambda stage, node: stage.reel.tell(_cord(stage, node).refuse),
        lambda stage, node: stage.reel.tell(_cord(stage, node).mend),
    ),
    "reset": Fault(8, _shaped(Shape(reset_every=0.7)), _shaped(FREE)),
    "slow": Fault(8, _shaped(Shape(rate=15_000, latency=0.15)), _shaped(FREE)),
    "corrupt": Fault(8, _shaped(Shape(corrupt_every=6_000)), _shaped(FREE)),
    "disk-full": Fault(6, _fill, _empty),
    # The cloud waits for SQLite's lock for 10 s, and then begins anew.
    "database": Fault(14, _no_database, _database),
}
PAUSE_DEADLINE, DEADLINE = 100.0, 45.0  # seconds of a round: what is stopped for a minute is waited for


def deadline(fault: str) -> float:
    """Gives how long a round may take."""
    return PAUSE_DEADLINE if fault == "pause" else DEADLINE


@dataclass(frozen=True)
class Blow:
    """When a fault began and ended, on the monotonic clock, and the end on the wall's."""

    begun: float
    ended: float
    ended_wall: float


def strike(stage: Stage, fault: str, node: str, struck: Callable[[], None]) -> Blow:
    """Does a fault from its beginning to its end; `struck` is called when it has begun."""
    kind = FAULTS[fault]
    kind.begin(stage, node)
    begun = time.monotonic()
    struck()
    stage.wait(kind.seconds - (time.monotonic() - begun))
    kind.end(stage, node)
    return Blow(begun, time.monotonic(), time.time())
