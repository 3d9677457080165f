"""How long it takes to predict a run, and what that adds to starting one, for fleets of 100, 1,000 and 10,000 devices.

    python -m benchmarks.plan

The application in this process, on SQLite, without a server. Each fleet has ten devices a home, and rounds of 1,000 devices at
most behind it: as many as a prediction looks at. Prints the medians of the processor's time that `POST /v1/predictions` takes,
also of an asynchronous run of 50 rounds, and `POST /v1/runs` without and with such a past; ends with 1 where that adds more
than its bar.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from folkmoot_cloud.clock import now
from folkmoot_cloud.predictions import repository
from folkmoot_cloud.rounds import progress as rounds
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runs import progress as runs
from folkmoot_cloud.settings import Settings, Storage, Tokens
from folkmoot_cloud.tenants.service import MAIN
from tests.kit import cloud as kit
from tests.kit.cloud import Cloud

FLEETS = (100, 1_000, 10_000)  # devices
BELOW, ASKED, STEPS = 10, 1_000, 5
TIMES = 9
WAITS: dict[str, Any] = {"rounds": 10, "over_selection": 1.2}
FLOWS: dict[str, Any] = {"rounds": 50, "buffer": 20, "offline": {"staleness": 20}}
BAR = 500.0  # ms that a past may add to starting a run, for 1,000 devices: whoever starts one waits for it


async def settle(cloud: Cloud, devices: int) -> None:
    """Has so many devices come up."""
    for home in range(devices // BELOW):
        await cloud.meet(f"g{home}", *(f"d{home}-{at}" for at in range(BELOW)))


async def live(cloud: Cloud, devices: int) -> None:
    """Gives them a past."""
    rng = np.random.default_rng(1)
    run_id = (await cloud.run(rounds=repository.ROUNDS))["id"]
    run = await cloud.row(run_id)
    for number in range(1, repository.ROUNDS + 1):
        homes = rng.permutation(devices // BELOW)[: ASKED // BELOW]
        members = []
        for home in homes:
            jobs = rng.lognormal(1, 0.5, BELOW)
            members.append(Fate(f"g{home}", "", "answered", "", 40_000, 40_000, float(jobs.max()) + 0.5))
            members += [
                Fate(f"g{home}", f"d{home}-{at}", "answered", train_seconds=float(each), steps=STEPS)
                if rng.random() > 0.1
                else Fate(f"g{home}", f"d{home}-{at}", "silent", "all")
                for at, each in enumerate(jobs)
            ]
        at = now()
        async with cloud.database.write() as session:
            await runs.started(session, MAIN, run_id, at)
            await rounds.opened(session, run, number, number - 1, members, at)
            await rounds.closed(session, run, number, "complete", "all", at + timedelta(seconds=20))
        if number * len(members) > repository.MEMBERS:
            break


async def took(cloud: Cloud, path: str, **body: Any) -> float:
    """Gives the median ms that a POST takes, of all threads."""
    found = []
    for _ in range(TIMES):
        began = time.process_time()
        await cloud.made(path, task="toy", cohort={"devices": 100}, **body)
        found.append(1000 * (time.process_time() - began))
    return statistics.median(found)


async def measure(devices: int) -> float:
    """Prints what it takes with so many devices; gives what a past adds to starting a run, in ms."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/cloud.sqlite"
        settings = Settings(data=Path(folder), database=Storage(url=url), tokens=Tokens(bootstrap_file=Path(folder) / "token"))
        async with kit.running(settings) as cloud:
            await cloud.task()
            await settle(cloud, devices)
            bare = await took(cloud, "/v1/runs", **WAITS)
            await live(cloud, devices)
            predicted, started = await took(cloud, "/v1/predictions", **WAITS), await took(cloud, "/v1/runs", **WAITS)
            flows = await took(cloud, "/v1/predictions", **FLOWS)
    print(
        f"{devices:6} devices: predicted in {predicted:.0f} ms, an asynchronous run in {flows:.0f} ms; "
        f"started in {bare:.0f} ms, with a past {started:.0f} ms"
    )
    return started - bare


def main() -> int:
    """Measures; gives the exit code."""
    added = {devices: asyncio.run(measure(devices)) for devices in FLEETS}
    return int(added[1_000] > BAR)


if __name__ == "__main__":
    sys.exit(main())
