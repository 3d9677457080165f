"""What a request to the cloud's API takes: calls of Python, statements, ways to SQLite's thread, and ms of the quickest one.

    python -m benchmarks.api [NAME]

The application itself, without a socket: SQLite with 300 devices in 30 homes and a run of 200 rounds, each with all of them.
Calls, statements and ways no other load on the machine changes. With a name, where the time of that request goes.
"""

import asyncio
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from sqlalchemy import event

from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.settings import Settings, Storage, Tokens
from folkmoot_cloud.sqlite import Connection
from tests.kit import cloud as kit
from tests.kit import parcels

HOMES, DEVICES, ROUNDS, TIMES = 30, 300, 200, 25
Request = Callable[[], Awaitable[httpx.Response]]


async def furnish(cloud: kit.Cloud) -> str:
    """Fills the database; gives the run's id."""
    each = DEVICES // HOMES
    homes = {f"g{home}": [f"d{home * each + number}" for number in range(each)] for home in range(HOMES)}
    for home, devices in homes.items():
        await cloud.meet(home, *devices)
    fates = [Fate(home, device, "answered") for home, devices in homes.items() for device in ("", *devices)]
    run = str((await cloud.run(rounds=ROUNDS))["id"])
    for number in range(1, ROUNDS + 1):
        await cloud.round(run, number, fates=fates)
    return run


def requests(cloud: kit.Cloud, run: str, task: str) -> dict[str, Request]:
    """Gives what is measured."""
    get, post = cloud.client.get, cloud.client.post
    seeds = iter(range(2, 1_000_000))
    return {
        "devices": lambda: get("/v1/devices", params={"limit": 100}),
        "gateways": lambda: get("/v1/gateways"),
        "runs": lambda: get("/v1/runs"),
        "run": lambda: get(f"/v1/runs/{run}"),
        "rounds": lambda: get(f"/v1/runs/{run}/rounds", params={"limit": 100}),
        "members": lambda: get(f"/v1/runs/{run}/rounds/{ROUNDS}/members", params={"limit": 100}),
        "start": lambda: post("/v1/runs", json={"task": task, "rounds": 3}),
        "upload": lambda: post("/v1/tasks", content=parcels.parcel(next(seeds))),
    }


async def measure(request: Request, database: kit.Database, profile: cProfile.Profile) -> dict[str, float]:
    """Gives the figures of one kind of request."""
    said: list[str] = []
    ways = 0
    through = Connection._execute

    async def counted(self: Connection, *given: object) -> object:
        nonlocal ways
        ways += 1
        return await through(self, *given)  # type: ignore[no-untyped-call]

    for _ in range(3):  # whatever is imported, compiled or remembered once, is by then
        await request()
    Connection._execute = counted  # type: ignore[method-assign]
    note = lambda *given: said.append(given[2])  # noqa: E731
    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    profile.enable()
    for _ in range(TIMES):
        assert (await request()).is_success
    profile.disable()
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)
    Connection._execute = through  # type: ignore[method-assign]
    times = []
    for _ in range(TIMES):
        began = time.perf_counter()
        await request()
        times.append((time.perf_counter() - began) * 1e3)
    calls = sum(count for _, count, *_ in pstats.Stats(profile).stats.values())  # type: ignore[attr-defined]
    return {"calls": calls / TIMES, "statements": len(said) / TIMES, "ways": ways / TIMES, "ms": min(times)}


async def main(wanted: str) -> None:
    """Prints a line for each."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        url = f"sqlite:///{folder / 'cloud.sqlite'}"
        settings = Settings(data=folder, database=Storage(url=url), tokens=Tokens(bootstrap_file=folder / "token"))
        async with kit.running(settings) as cloud:
            run = await furnish(cloud)
            task = (await cloud.task())["id"]
            for name, request in requests(cloud, run, task).items():
                if wanted not in ("", name):
                    continue
                profile = cProfile.Profile()
                found = await measure(request, cloud.database, profile)
                print(f"{name:<9}" + "".join(f"{value:9,.1f} {figure}" for figure, value in found.items()), flush=True)
                if wanted:
                    pstats.Stats(profile).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else ""))
