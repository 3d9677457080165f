"""A run that another replica takes up goes on in that one's time: as late as it is, no later and no earlier."""

from functools import partial

import msgspec
import pytest
import pytest_asyncio

from folkmoot.clock import Mark
from folkmoot.errors import StoreFault
from folkmoot.hop import effects, events, round
from folkmoot.hop.batch import Batch, Send
from folkmoot.hop.upper import Upper
from folkmoot.ids import fresh
from folkmoot.link.face import Connected, Limits
from folkmoot.store.ledger import SCHEMA
from folkmoot.store.spool import Spool
from folkmoot.wire import codec
from folkmoot.wire.messages import Receipt, Request
from folkmoot.wire.topics import Tree
from folkmoot_cloud.clock import now as wall_clock
from folkmoot_cloud.engine import Context
from folkmoot_cloud.journal import repository as journal
from folkmoot_cloud.leases import repository as leases
from folkmoot_cloud.leases.service import Identity
from folkmoot_cloud.rounds import progress
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runner import load
from folkmoot_cloud.runner.journal import DatabaseJournal
from folkmoot_cloud.runner.node import Cloud as Node
from folkmoot_cloud.runner.node import Enter
from folkmoot_cloud.tenants.service import MAIN
from tests.kit.asks import opened
from tests.kit.cloud import Cloud

TREE = Tree()
BEGAN, DEADLINE = 5_000_000, 5_060_000  # ms of the time of whoever opened the round
MINE = 700  # ms of the time of whoever takes it up
SLACK = 5_000  # ms that a test may be held up for


@pytest_asyncio.fixture
async def run(cloud: Cloud) -> str:
    """Gives a run."""
    return str((await cloud.run())["id"])


def context(cloud: Cloud) -> Context:
    return Context(cloud.state["settings"], cloud.database, cloud.state["blobs"])


def happened(run: str) -> list[events.Event]:
    """Gives what has happened in a round of which one member has not answered."""
    first = opened("g1", "g2", key=f"{run}/1/train", deadline=DEADLINE)
    return [msgspec.structs.replace(first, ask=msgspec.structs.replace(first.ask, run=run)), events.Refused("g1", "busy")]


async def leave_behind(cloud: Cloud, run: str, ago: int | None) -> None:
    """Journals an open round; its last event was 10 s after the first, `ago` ms before now, or nobody knows when."""
    async with cloud.database.write() as session:
        wall = 0 if ago is None else await journal.wall(session) - ago
        for at, event in zip((BEGAN, BEGAN + 10_000), happened(run), strict=True):
            content = bytes([SCHEMA]) + codec.dump(event)
            await journal.append(session, MAIN, f"r/{run}/1/train", at, [content], wall_ms=wall)


async def take_up(cloud: Cloud, run: str, now: int = MINE) -> Enter:
    async with cloud.database.read() as session:
        return await load.enter(session, context(cloud), await cloud.row(run), now)


def replay(entered: Enter) -> round.Round:
    machine = round.Round()
    for now, event in entered.history:
        machine.handle(event, now)
    return machine


@pytest.mark.parametrize(
    ("ago", "left"),
    [
        (0, 50_000),
        (20_000, 30_000),
        (-3_600_000, 50_000),  # the clock was set back: nobody knows, and nothing is closed early
        (None, 50_000),
    ],
    ids=["at-once", "later", "clock-set-back", "unknown"],
)
async def test_what_is_left_of_a_round_is_what_was_left_less_the_time_since(
    cloud: Cloud, run: str, ago: int | None, left: int
) -> None:
    await leave_behind(cloud, run, ago)
    entered = await take_up(cloud, run)
    machine = replay(entered)
    assert machine.state == "open"
    assert left - SLACK <= machine.opened.terms.deadline - MINE <= left
    (began, _), (last, _) = entered.history
    assert last - began == 10_000
    assert left - 50_000 - SLACK <= last - MINE <= left - 50_000
    assert machine.handle(events.Woke(), machine.opened.terms.deadline - 1) != []  # g2 is asked again, and that is all
    assert machine.state == "open"
    machine.handle(events.Woke(), machine.opened.terms.deadline)
    assert machine.closed == effects.Closed("short", "deadline")


async def test_a_round_whose_deadline_has_passed_meanwhile_closes_when_it_is_looked_at(cloud: Cloud, run: str) -> None:
    await leave_behind(cloud, run, 120_000)
    machine = replay(await take_up(cloud, run))
    assert machine.state == "open"
    assert machine.wake is not None
    assert machine.wake < MINE
    machine.handle(events.Woke(), MINE)
    assert machine.closed == effects.Closed("short", "deadline")


def program(cloud: Cloud) -> Node:
    return Node(Upper(TREE, "cloud", Spool(cloud.state["settings"].data / "spool" / "x"), 65_536), 45_000)


def replica(cloud: Cloud, leased: dict[str, int], node: Node | None = None) -> DatabaseJournal:
    return DatabaseJournal(context(cloud), MAIN, node or program(cloud), TREE.shard, leased)


async def lease(cloud: Cloud, run: str, owner: str, before: int) -> dict[str, int]:
    """Gives the lease of a run's shard to a replica."""
    me, shard = Identity(owner, fresh().hex()), TREE.shard(run)
    async with cloud.database.write() as session:
        await leases.enter(session, MAIN, me.name, me.process)
        taken = await leases.take(session, MAIN, owner, {shard: before})
    assert taken == {shard: before + 1}
    return taken


async def test_a_round_keeps_its_own_time_through_any_number_of_hands(cloud: Cloud, run: str) -> None:
    await leave_behind(cloud, run, 0)
    key = f"r/{run}/1/train"
    for hand, now in enumerate((700, 90_000_000, 1)):
        entered = await take_up(cloud, run, now)
        held = replica(cloud, await lease(cloud, run, f"r{hand}", hand))
        held.ahead[key] = entered.ahead
        async with cloud.database.read() as session:
            wall = await journal.wall(session)
        batch = Batch(now + 1_000, journal=[(key, events.AskedAgain("g2"))])
        await held.commit({"down": batch}, partial(Mark, batch.now, wall + 1_000))
    async with cloud.database.read() as session:
        times = [record.now_ms - BEGAN for record in (await journal.read(session, MAIN, key)).events]
    assert times[:2] == [0, 10_000]
    assert [10_000 + 1_000 * hand <= time <= 10_000 + 1_000 * hand + SLACK for hand, time in enumerate(times[2:], 1)] == [
        True
    ] * 3
    assert times == sorted(times)


async def test_a_stop_that_came_while_nobody_ran_the_run_ends_its_round_and_the_run(cloud: Cloud, run: str) -> None:
    """The request was answered, and the cloud has crashed before it could do anything about it."""
    async with cloud.database.write() as session:
        await progress.opened(session, await cloud.row(run), 1, 0, [Fate("g1"), Fate("g2")], wall_clock())
    await leave_behind(cloud, run, 0)
    assert (await cloud.client.post(f"/v1/runs/{run}/stop")).status_code == 200
    node = program(cloud)
    held = replica(cloud, await lease(cloud, run, "r0", 0), node)
    entered = await take_up(cloud, run)
    held.ahead[f"r/{run}/1/train"] = entered.ahead
    batches = node.step([("down", Connected(False, Limits(8, 262_144))), ("runs", entered)], MINE)
    await held.commit(batches, lambda: Mark(MINE, MINE))
    cancelled = [(send.member, send.body) for send in batches["down"].sends if isinstance(send.body, Request)]
    assert cancelled == [("g2", Request(what="cancel", reason="operator"))]
    found = await cloud.json(f"/v1/runs/{run}")
    assert (found["status"], found["outcome"], found["done"]) == ("finished", "stopped", 1)
    one = await cloud.json(f"/v1/runs/{run}/rounds/1")
    assert (one["status"], one["outcome"], one["reason"]) == ("closed", "stopped", "operator")
    async with cloud.database.read() as session:
        assert await journal.machines(session, MAIN, f"r/{run}/") == []


@pytest.mark.parametrize("origin", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)  # SQLite has one
async def test_who_has_lost_a_shard_says_nothing_about_it_any_more(cloud: Cloud, run: str) -> None:
    await leave_behind(cloud, run, 0)
    key, shard = f"r/{run}/1/train", TREE.shard(run)
    mine = replica(cloud, await lease(cloud, run, "a", 0))
    said = Send("g2", Receipt(status="late", payload=b"p" * 32), b"a" * 16, shard)
    written = (key, events.AskedAgain("g2"))
    await mine.commit({"down": Batch(1, sends=[said])}, lambda: Mark(1, 1))
    await mine.commit({"down": Batch(2, journal=[written])}, lambda: Mark(2, 2))
    await lease(cloud, run, "b", 1)
    for batch in (Batch(3, sends=[said]), Batch(3, journal=[written])):
        with pytest.raises(StoreFault, match=f"shards {shard} were taken up by another replica"):
            await mine.commit({"down": batch}, lambda: Mark(3, 3))
    await mine.commit({"down": Batch(4, acks=["token"])}, lambda: Mark(4, 4))  # hearing is not saying
    async with cloud.database.read() as session:
        assert len((await journal.read(session, MAIN, key)).events) == 3
