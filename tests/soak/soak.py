"""A soak: run after run, while devices come and go and gateways are started again, and what every process holds meanwhile."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import median

from folkmoot import tasks
from tests.kit.processes import Process
from tests.kit.spy import Spy, spying
from tests.soak import gauges, record
from tests.soak.churn import Churn
from tests.soak.gauges import Gauge
from tests.soak.record import Record, Retrained
from tests.soak.scale import Restart, Scale
from tests.soak.town import CrowdedTown, leave
from tests.soak.verdict import Life, lives

TICK = 0.25  # seconds
LOOKS = 240  # at every process
TELL = 30.0  # seconds between two lines of progress
PATIENCE = 180.0  # seconds for all devices to be there
LAST = 60.0  # seconds of a round in which everybody must be
TRIES = 3  # of such rounds: what the cloud knows of a home is a moment old
# Mosquitto says how much it has dropped when that changes, and forgets a minute later that it has said so.
DROPPED = "$SYS/broker/publish/messages/dropped"
FILTERS = ("fl/v1/+/+/+/dn/rcp", DROPPED)  # receipts, on either kind of broker

FILES = 2  # that a connection to SQLite has open: the database and its log; and a thread

Say = Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """What a soak has found."""

    scale: Scale
    seconds: float
    lives: list[Life]
    record: Record
    receipts: Counter[str]
    left: dict[str, int]
    dropped: dict[str, int]  # by broker
    checked: int  # models that were made again
    strays: list[str]

    @property
    def answered(self) -> float:
        """Median share of the devices that are in a round's model."""
        return median(len(one.answered) for one in self.record.rounds) / self.scale.devices

    def complaints(self) -> list[str]:
        """Gives what is wrong, in sentences; the record has raised whatever was wrong with it."""
        found = []
        for life in self.lives:
            more = FILES * self.scale.pooled if life.name == "cloud" else 0
            found += life.complaints(self.scale.growth, more)
        found += [f"has outlived its parent: {stray}" for stray in self.strays]
        judged = {life.name for life in self.lives}
        missing = {"cloud", *self.scale.gateways} - judged
        if missing:
            found.append(f"no life of {', '.join(sorted(missing))} was long enough to be judged")
        return found

    def lines(self) -> Iterator[str]:
        """Gives the figures, for people."""
        yield (
            f"{self.scale.devices} devices, {self.scale.homes} homes, {self.seconds / 60:.1f} minutes: "
            f"{len(self.record.plans)} runs, {len(self.record.rounds)} rounds, "
            + ", ".join(f"{count} {fate}" for fate, count in sorted(self.record.fates.items()))
        )
        yield f"departures: {self.left}; receipts: {dict(sorted(self.receipts.items()))}; dropped by brokers: {self.dropped}"
        yield f"in a round's model: {self.answered:.0%} of the devices (median); models made again and the same: {self.checked}"
        heads = ("", "minutes", "resident, MiB", "per hour", "PSS", "files", "sockets", "threads", "disk, MiB")
        yield _LINE.format(*heads)
        for life in self.lives:
            counts = ["{:g} to {:g}".format(*life.thirds(field)) for field in ("files", "sockets", "threads")]
            resident, folder = ("{:.1f} to {:.1f}".format(*life.thirds(field)) for field in ("resident", "folder"))
            last = life.judged[-1].proportional
            yield _LINE.format(
                life.name, f"{life.seconds / 60:.1f}", resident, f"{life.slope:+.1f}", f"{last:.1f}", *counts, folder
            )


_LINE = "{:<6}{:>8}{:>18}{:>10}{:>7}{:>12}{:>10}{:>10}{:>16}"


class Soak:
    """One soak; made and run by `soak`."""

    def __init__(self, town: CrowdedTown, spy: Spy, scale: Scale, say: Say) -> None:
        self._town = town
        self._spy = spy
        self._scale = scale
        self._say = say
        self._churn = Churn(town.crowds, scale.churn, Random(0))
        self._task = ""
        self._runs: list[str] = []
        self._restarts = list(scale.restarts)
        self._leaving: list[Process] = []
        self._gauges: dict[str, list[tuple[int, Gauge]]] = defaultdict(list)
        self._began = time.monotonic()
        self._looked = self._told = float("-inf")
        self.seconds = 0.0

    @property
    def _now(self) -> float:
        return time.monotonic() - self._began

    def gather(self) -> None:
        """Has everybody come, one crowd at a time: two cores start no faster."""
        came = 0
        for name, crowd in self._town.crowds.items():
            crowd.start()
            came += len(self._town.names[name])
            self._town.until(lambda came=came: self._town.there() >= came, PATIENCE)
        self._say(f"{came} devices are there, in {len(self._town.crowds)} processes, after {self._now:.0f} s")
        bundle = tasks.read(record.TASK)
        self._task = self._town.post("/v1/tasks", content=bundle, headers={"Content-Type": "application/octet-stream"})["id"]

    def last(self) -> None:
        """Lets time pass, with all that is to happen, until it is over and with it the last run."""
        self._began = time.monotonic()
        self._launch(self._scale.rounds, self._scale.deadline)
        while self._now < self._scale.seconds or not self._over():
            if self._over():
                self._launch(self._scale.rounds, self._scale.deadline)
            self._churn.tick(self._now)
            self._restart()
            self._look()
            self._town.wait(TICK)
        self.seconds = self._now
        self._say(f"{self._now:.0f} s are over")

    def close(self) -> None:
        """Has everybody come back; raises AssertionError where somebody is in none of some rounds without haste."""
        town = self._town
        town.until(self._churn.everybody)
        missing: set[str] = set()
        for _ in range(TRIES):
            town.until(lambda: town.there() >= self._scale.devices, PATIENCE)
            run = self._launch(1, LAST)
            town.finished(run, 3 * LAST)
            missing = town.home.keys() - set(record.read(town, [run]).rounds[0].answered)
            if not missing:
                return
        raise AssertionError(f"when all had come back, these were not in the model: {sorted(missing)}")

    def report(self, models: int) -> Report:
        """Gives what was found; `models` of them are made again.

        Raises AssertionError where the record is not what it must be.
        """
        found = record.read(self._town, self._runs)
        record.check_rounds(found, self._town.home)
        receipts = record.check_receipts(found, self._spy.seen)
        return Report(
            scale=self._scale,
            seconds=self.seconds,
            lives=[life for name, looks in self._gauges.items() for life in lives(name, looks, self.seconds)],
            record=found,
            receipts=receipts,
            left=dict(self._churn.left),
            dropped={name: int(self._spy.said[name, DROPPED]) for name in self._town.brokers},
            checked=self._remake(found, models),
            strays=[],
        )

    def _remake(self, found: Record, models: int) -> int:
        retrained = Retrained(self._town, found, self._town.folder / "retrained")
        learnt = [one for one in found.rounds if one.view["model"]]
        chosen = learnt[:: max(1, len(learnt) // models)]
        for number, one in enumerate(chosen):
            retrained.check(one)
            if self._now - self._told >= TELL:
                self._told = self._now
                self._say(f"{number + 1} of {len(chosen)} models made again")
        return len(chosen)

    def _launch(self, rounds: int, deadline: float) -> str:
        run = self._town.post(
            "/v1/runs", json={"task": self._task, "rounds": rounds, "deadline_seconds": deadline, "evaluate": False}
        )["id"]
        homes: dict[str, list[str]] = defaultdict(list)
        for device, gateway in self._town.home.items():
            homes[gateway].append(device)
        self._spy.expect(run, rounds, homes)
        self._runs.append(run)
        return str(run)

    def _over(self) -> bool:
        return self._town.get(f"/v1/runs/{self._runs[-1]}").get("status") == "finished"

    def _restart(self) -> None:
        for due in [one for one in self._restarts if self._now >= one.part * self._scale.seconds]:
            self._restarts.remove(due)
            self._say(f"{self._now:5.0f} s  {due.gateway} is started again ({due.manner})")
            self._leave(due)
        for process in [one for one in self._leaving if not one.running]:
            self._leaving.remove(process)
            process.start()

    def _leave(self, due: Restart) -> None:
        process = self._town.gateways[due.gateway]
        leave(process, due.manner)
        self._leaving.append(process)

    def _look(self) -> None:
        if self._now - self._looked < self._scale.seconds / LOOKS:
            return
        self._looked = self._now
        for process in (self._town.cloud, *self._town.gateways.values()):
            if process.running:
                with suppress(OSError):
                    pid = process.pid
                    self._gauges[process.name].append((pid, gauges.look(self._now, pid, self._town.folder / process.name)))
        if self._now - self._told >= TELL:
            self._told = self._now
            self._say(self._progress())

    def _progress(self) -> str:
        held = ", ".join(
            f"{name} {looks[-1][1].resident:.1f} MiB, {looks[-1][1].files} files" for name, looks in self._gauges.items()
        )
        closed = self._town.get(f"/v1/runs/{self._runs[-1]}/rounds").get("items", [{}])
        done = [one["devices"]["answered"] for one in closed if one.get("closed_at")]
        return f"{self._now:5.0f} s  run {len(self._runs)}, answered {done[-1] if done else '-'}; {held}"


@contextmanager
def _standing(folder: Path, scale: Scale, say: Say) -> Iterator[Soak]:
    with (
        CrowdedTown(folder, scale) as town,
        spying({name: broker.port for name, broker in town.brokers.items()}, FILTERS) as spy,
    ):
        yield Soak(town, spy, scale, say)


def soak(folder: Path, scale: Scale, say: Say, models: int = 10) -> Report:
    """Gives what a soak has found. Raises AssertionError where the record is not what it must be, or somebody is lost."""
    with _standing(folder, scale, say) as one:
        one.gather()
        one.last()
        one.close()
        report = one.report(models)
    return replace(report, strays=gauges.strays(f"SOAK={folder}"))
