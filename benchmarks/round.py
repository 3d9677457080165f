"""How long a round takes when training takes no time: 10 devices below 2 gateways, 10,000 parameters, real Mosquitto.

    python -m benchmarks.round

Cloud, gateways and brokers are processes of their own, the devices share one; every durable commit is included. A round is the
time from the start of one to the start of the next. Prints median and 90th percentile, and beside them what the same messages
cost on the bare brokers; ends with 1 where a round is over its bars.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np

from folkmoot.hop import member
from folkmoot.hop.lower import Lower
from folkmoot.link.settings import Broker as Where
from folkmoot.serve.station import DEVICE, INLINE, Station
from folkmoot.wire import bundle, codec, partial
from folkmoot.wire.messages import Ask, Hello
from folkmoot.wire.partial import Group, Leaf, Partial
from folkmoot.wire.topics import Tree
from folkmoot_device.agent import Agent, Trained, Trainer
from tests.kit import toy
from tests.kit.processes import Town

PARAMETERS, DEVICES, ROUNDS, WARM = 10_000, 5, 60, 10
MEDIAN, P90 = 60.0, 100.0  # ms: Flower 1.41 takes 26 to 53 s for the same (docs/measurements.md)
HOMES = ("g1", "g2")


def answer(device: str, ask: Ask) -> bytes:
    """Gives an update as training would: small changes, so that the sums need 32 bits."""
    deltas = np.random.default_rng(len(device)).normal(0, 0.01, PARAMETERS).astype("<f4")
    groups = {} if ask.phase == "evaluate" else {"main": Group(100, codec.FLOAT32, deltas.tobytes())}
    return partial.dump(Partial(groups=groups, leaves=(Leaf(device),), metrics={"eval_count": 20, "eval_correct": 18}))


async def device(name: str, gateway: str, port: int, folder: Path, until: asyncio.Event) -> None:
    """Is a device whose training takes no time."""
    station = Station(folder)
    tree = Tree("fl", gateway)
    above = Lower(tree, name, station.cache, station.spool, station.ledger, INLINE)
    above.hello = Hello(data=toy.CONTRACT, examples=100)
    births = station.join("up", Where(port=port), tree, name, upper=False, traffic=DEVICE)
    answers: dict[str, bytes] = {}

    def train(item: member.Member) -> None:
        if item.ask.phase not in answers:
            answers[item.ask.phase] = answer(name, item.ask)
        station.driver.post("work", Trained(item.id, answers[item.ask.phase]))

    await station.run(Agent(above, Trainer(train, lambda ask: None), lambda: births.current, lambda: ""), until)


def rounds(town: Town) -> Iterator[float]:
    """Gives the ms of each round of a run, the first ones left out."""
    program = toy.program(PARAMETERS)
    task = bundle.dump(bundle.Bundle(program=bundle.dump(program), weights=bytes(4 * PARAMETERS)))
    run = town.launch(task, rounds=ROUNDS + WARM)
    with town.api.stream("GET", "/v1/events", params={"run": run, "kind": "run.finished", "since": 0}, timeout=None) as events:
        next(line for line in events.iter_lines() if line.startswith("data:"))  # asking again and again would cost the cloud
    found = town.get(f"/v1/runs/{run}/rounds", limit=100)["items"]
    assert all(one["devices"]["answered"] == DEVICES * len(HOMES) for one in found), "a device did not answer"
    starts = [datetime.fromisoformat(one["started_at"]) for one in found]
    for sooner, later in zip(starts[WARM:], starts[WARM + 1 :], strict=False):
        yield (later - sooner).total_seconds() * 1e3


def commit(folder: Path) -> float:
    """Gives the ms of one synced write of an answer's size: what a durable commit costs here."""
    times = []
    with (folder / "probe").open("wb") as file:
        for _ in range(50):
            began = time.perf_counter()
            file.write(bytes(4 * PARAMETERS))
            file.flush()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


async def main() -> int:
    """Measures and says so."""
    until = asyncio.Event()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with Town(folder, {name: [] for name in HOMES}) as town:
            devices = [
                asyncio.create_task(device(f"{home}-{n}", home, town.brokers[home].port, folder / f"{home}-{n}", until))
                for home in HOMES
                for n in range(DEVICES)
            ]
            await asyncio.to_thread(town.up, DEVICES * len(HOMES))
            found = sorted(await asyncio.to_thread(lambda: list(rounds(town))))
            until.set()
            await asyncio.gather(*devices)
            synced = commit(folder)
    median, p90 = statistics.median(found), found[int(0.9 * len(found))]
    print(f"{'a round of 10 devices below 2 gateways':<40} median {median:6.1f} ms   p90 {p90:6.1f} ms   of {len(found)}")
    print(f"{'one synced write of 40 kB on this disk':<40} median {synced:6.2f} ms")
    return 0 if median <= MEDIAN and p90 <= P90 else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
