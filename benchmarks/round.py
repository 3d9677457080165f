"""How long a round takes when training takes no time: devices below 2 gateways, 10,000 parameters, real Mosquitto.

    python -m benchmarks.round 10

Cloud, gateways, brokers and devices are processes of their own; every durable commit is included. A round is the time from
the start of one to the start of the next: median and 90th percentile, and what one synced write costs on this disk.
"""

import asyncio
import json
import multiprocessing
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from folkmoot import parts
from folkmoot.hop import member
from folkmoot.hop.lower import Lower
from folkmoot.link.settings import Broker as Where
from folkmoot.serve.lesson import transform_of
from folkmoot.serve.station import DEVICE, INLINE, Station
from folkmoot.wire import bundle, partial
from folkmoot.wire.messages import Ask, Hello
from folkmoot.wire.partial import Leaf, Partial
from folkmoot.wire.topics import Tree
from folkmoot_device.agent import Agent, Trained, Trainer
from tests.kit import toy
from tests.kit.processes import Town

TENSORS = 10


@dataclass(frozen=True)
class Course:
    """What is timed."""

    parameters: int
    devices: int  # of a home
    rounds: int
    warm: int  # rounds before, which are not
    homes: tuple[str, ...] = ("g1", "g2")
    transform: str | None = None  # how updates travel
    together: int = 1  # devices that share a process


def answer(device: str, ask: Ask, parameters: int) -> bytes:
    """Gives an update as training would: small changes, so that the sums need 32 bits."""
    deltas = np.split(np.random.default_rng(len(device)).normal(0, 0.01, parameters).astype("<f4"), TENSORS)
    group = parts.travelling(deltas, 100, transform_of(ask.transform), seed=0)
    groups = {} if ask.phase == "evaluate" else {"main": group}
    return partial.dump(Partial(groups=groups, leaves=(Leaf(device),), metrics={"eval_count": 20, "eval_correct": 18}))


async def device(
    name: str,
    gateway: str,
    port: int,
    folder: Path,
    parameters: int,
    until: asyncio.Event,
    asked: Callable[[], None] = lambda: None,
) -> None:
    """Is a device whose training takes no time. `asked` is called whenever it is to train."""
    station = Station(folder)
    tree = Tree("fl", gateway)
    above = Lower(tree, name, station.cache, station.spool, station.ledger, INLINE)
    above.hello = Hello(data=toy.CONTRACT, examples=100)
    births = station.join("up", Where(port=port), tree, name, upper=False, traffic=DEVICE)
    answers: dict[str, bytes] = {}

    def train(item: member.Member) -> None:
        asked()
        if item.ask.phase not in answers:
            answers[item.ask.phase] = answer(name, item.ask, parameters)
        station.driver.post("work", Trained(item.id, answers[item.ask.phase]))

    await station.run(Agent(above, Trainer(train, lambda ask: None), lambda: births.current, lambda: ""), until)


# Name, gateway, the port of the home's broker, folder.
Place = tuple[str, str, int, Path]


async def crowd(places: Sequence[Place], parameters: int) -> None:
    """Is some devices until it is told to stop."""
    until = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, until.set)
    await asyncio.gather(*(device(*place, parameters, until) for place in places))


def inhabit(places: Sequence[Place], parameters: int) -> None:
    """Is a process of some devices."""
    asyncio.run(crowd(places, parameters))


@contextmanager
def inhabited(town: Town, course: Course) -> Iterator[int]:
    """Starts all devices of a town and ends them; gives how many they are."""
    names = [(home, f"{home}-{number}") for home in course.homes for number in range(course.devices)]
    places = [(name, home, town.brokers[home].port, town.folder / name) for home, name in names]
    context = multiprocessing.get_context("spawn")
    shares = [places[at : at + course.together] for at in range(0, len(places), course.together)]
    children = [context.Process(target=inhabit, args=(share, course.parameters)) for share in shares]
    for child in children:
        child.start()
    try:
        yield len(places)
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.join()


def finish(town: Town, course: Course) -> str:
    """Runs all rounds; gives the run's id."""
    program = toy.program(course.parameters, TENSORS)
    task = bundle.dump(bundle.Bundle(program=bundle.dump(program), weights=bytes(4 * course.parameters)))
    run = town.launch(task, rounds=course.rounds + course.warm, transform=course.transform)
    with town.api.stream("GET", "/v1/events", params={"run": run, "kind": "run.finished", "since": 0}, timeout=None) as events:
        next(line for line in events.iter_lines() if line.startswith("data:"))  # asking again and again would cost the cloud
    found = town.get(f"/v1/runs/{run}/rounds", limit=100)["items"]
    assert all(one["devices"]["answered"] == course.devices * len(course.homes) for one in found), "a device did not answer"
    return run


def rounds(town: Town, course: Course) -> Iterator[float]:
    """Gives the ms of each round of a run, the first ones left out."""
    found = town.get(f"/v1/runs/{finish(town, course)}/rounds", limit=100)["items"]
    starts = [datetime.fromisoformat(one["started_at"]) for one in found]
    for sooner, later in zip(starts[course.warm :], starts[course.warm + 1 :], strict=False):
        yield (later - sooner).total_seconds() * 1e3


def commit(folder: Path, size: int) -> float:
    """Gives the ms of one synced write of an answer's size: what a durable commit costs here."""
    times = []
    with (folder / "probe").open("wb") as file:
        for _ in range(50):
            began = time.perf_counter()
            file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


def measure(course: Course) -> dict[str, float]:
    """Gives `round_ms`, its 90th percentile `round_p90_ms`, and `synced_ms`."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with Town(folder, {name: [] for name in course.homes}) as town:
            with inhabited(town, course) as devices:
                town.up(devices)
                found = sorted(rounds(town, course))
            synced = commit(folder, 4 * course.parameters)
    return {"round_ms": statistics.median(found), "round_p90_ms": found[int(0.9 * len(found))], "synced_ms": synced}


if __name__ == "__main__":
    print(json.dumps(measure(Course(10_000, devices=int(sys.argv[1]) // 2, rounds=60, warm=10))))
