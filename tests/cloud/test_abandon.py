"""A run that cannot be gone on with ends, and so does its round: the record says of both what it was."""

import asyncio
from hashlib import sha256

import pytest
import pytest_asyncio

from folkmoot.errors import StoreFault
from folkmoot.flight import recorder as flights
from folkmoot.hop.events import Answered, Event
from folkmoot.store.ledger import SCHEMA
from folkmoot.wire import codec
from folkmoot_cloud.clock import now
from folkmoot_cloud.engine import Context
from folkmoot_cloud.events import repository as events
from folkmoot_cloud.journal import repository as journal
from folkmoot_cloud.leases.service import Identity
from folkmoot_cloud.leases.watch import Watch
from folkmoot_cloud.rounds import progress
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runner.engine import Life
from folkmoot_cloud.tenants.service import MAIN
from tests.kit.asks import opened
from tests.kit.cloud import Cloud

ASKED = [Fate("g1"), Fate("g1", "d1"), Fate("g1", "d2"), Fate("g2"), Fate("g2", "d3")]
LARGE = bytes(2 << 20)


@pytest_asyncio.fixture
async def run(cloud: Cloud) -> str:
    """Gives a run of which one round is over, and another one open; a newer program has journalled that one."""
    await cloud.meet("g1", "d1", "d2")
    run = str((await cloud.run(rounds=3))["id"])
    await cloud.round(run, 1, seed=1)
    blobs = cloud.state["blobs"]
    async with cloud.database.write() as session:
        row = await cloud.row(run)
        await progress.opened(session, row, 2, 1, ASKED, now())
        await progress.told(session, row, 2, [Fate("g1", "", "answered", bytes_up=70)], now())
        await journal.append(session, MAIN, f"r/{run}/2/train", 1, [bytes([SCHEMA + 1])])
        await journal.keep(session, blobs, MAIN, f"r/{run}/2/train", LARGE)
    return run


async def live(cloud: Cloud) -> None:
    """Has the runner take up what there is, and end."""
    context = Context(cloud.state["settings"], cloud.database, cloud.state["blobs"])
    endpoint, unrecorded = context.settings.broker.endpoint(), flights.flight(None)
    life = await Life.begin(context, endpoint, Identity("a", "1"), Watch(), unrecorded, anew=True)
    over = asyncio.Event()
    over.set()
    await life.run(over)


async def test_the_round_of_a_run_that_cannot_be_gone_on_with_is_closed_with_it(cloud: Cloud, run: str) -> None:
    await live(cloud)
    found = await cloud.json(f"/v1/runs/{run}")
    assert (found["status"], found["outcome"], found["done"]) == ("finished", "failed", 2)
    assert "was journalled by a newer program" in found["reason"]
    one = await cloud.json(f"/v1/runs/{run}/rounds/2")
    assert (one["status"], one["outcome"], one["reason"], one["model"]) == ("closed", "stopped", found["reason"], None)
    assert one["closed_at"] == found["finished_at"]
    assert one["bytes_up"] == 70
    members = (await cloud.json(f"/v1/runs/{run}/rounds/2/members"))["items"]
    assert [(one["gateway"], one["device"], one["fate"]) for one in members] == [
        ("g1", None, "answered"),
        ("g1", "d1", "silent"),
        ("g1", "d2", "silent"),
        ("g2", None, "silent"),
        ("g2", "d3", "silent"),
    ]
    async with cloud.database.read() as session:
        told = [one.kind for one in await events.after(session, MAIN, 0, 100, run_id=run)]
    assert told[-2:] == ["round.closed", "run.finished"]


async def test_nothing_is_kept_for_it_any_more(cloud: Cloud, run: str) -> None:
    blobs, digest = cloud.state["blobs"], sha256(LARGE).hexdigest()
    assert await blobs.get(MAIN, digest) == LARGE
    await live(cloud)
    async with cloud.database.read() as session:
        assert await journal.machines(session, MAIN, f"r/{run}/") == []
    with pytest.raises(StoreFault, match="No such file"):
        await blobs.get(MAIN, digest)


async def test_a_device_that_was_to_be_out_of_it_is_out_of_it(cloud: Cloud, run: str) -> None:
    assert (await cloud.client.delete("/v1/devices/d1/contributions")).status_code == 202
    await live(cloud)
    members = (await cloud.json(f"/v1/runs/{run}/rounds/2/members", gateway="g1"))["items"]
    assert [(one["device"], one["fate"]) for one in members] == [(None, "answered"), ("d1", "retracted"), ("d2", "silent")]
    assert (await cloud.client.delete("/v1/devices/d1/contributions")).status_code == 409


async def journalled(cloud: Cloud, *payloads: bytes) -> str:
    """Gives a run with an open round, in the sums of which these answers are, one of each gateway."""
    run = str((await cloud.run(rounds=3))["id"])
    key, blobs = f"r/{run}/1/train", cloud.state["blobs"]
    members = [f"g{number}" for number, _ in enumerate(payloads)]
    told: list[Event] = [opened(*members, key=f"{run}/1/train", deadline=600_000)]
    told += [Answered(name, sha256(data).digest(), (f"d-{name}",)) for name, data in zip(members, payloads, strict=True)]
    async with cloud.database.write() as session:
        row = await cloud.row(run)
        await progress.opened(session, row, 1, 0, [Fate(name) for name in members], now())
        await journal.append(session, MAIN, key, 1, [bytes([SCHEMA]) + codec.dump(event) for event in told])
        for data in payloads:
            await journal.keep(session, blobs, MAIN, key, data)
    return run


async def test_an_answer_that_would_no_longer_be_taken_ends_its_run_and_no_other(cloud: Cloud) -> None:
    run = await journalled(cloud, b"no partial")
    await live(cloud)
    found = await cloud.json(f"/v1/runs/{run}")
    assert (found["status"], found["outcome"]) == ("finished", "failed")
    assert "that was taken is now malformed" in found["reason"]


async def test_a_run_waits_for_a_file_that_is_not_there_and_no_other_run_waits_for_it(cloud: Cloud, run: str) -> None:
    waiting = await journalled(cloud, LARGE)
    await cloud.state["blobs"].delete(MAIN, sha256(LARGE).hexdigest())
    await live(cloud)
    assert (await cloud.json(f"/v1/runs/{run}"))["status"] == "finished"  # its own end, above
    assert (await cloud.json(f"/v1/runs/{waiting}"))["status"] != "finished"
    async with cloud.database.read() as session:
        assert await journal.machines(session, MAIN, f"r/{waiting}/") == [f"r/{waiting}/1/train"]


async def test_one_more_round_is_the_next_one(cloud: Cloud, run: str) -> None:
    await live(cloud)
    launched = await cloud.made(f"/v1/runs/{run}/rounds")
    assert launched["rounds"] == 3
    await cloud.round(run, 3, seed=3)
    assert [one["status"] for one in (await cloud.json(f"/v1/runs/{run}/rounds"))["items"]] == ["closed"] * 3
