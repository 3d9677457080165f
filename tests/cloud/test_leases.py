"""Who holds which shard: one replica at a time, every shard while anybody lives, and whoever lost one can commit nothing."""

import asyncio
from collections.abc import Mapping

import pytest
import pytest_asyncio

from folkmoot.errors import StoreFault
from folkmoot.wire.topics import SHARDS
from folkmoot_cloud.clock import now
from folkmoot_cloud.database import Database
from folkmoot_cloud.leases import repository, service
from folkmoot_cloud.leases.service import Displaced, Identity, Turn
from folkmoot_cloud.leases.watch import BEAT, LEASE, Watch, share
from folkmoot_cloud.tenants import repository as tenants
from folkmoot_cloud.tenants.service import MAIN

LEASE_MS, BEAT_MS = int(LEASE * 1000), int(BEAT * 1000)


@pytest_asyncio.fixture
async def owned(database: Database) -> Database:
    """Gives the database with its tenant."""
    async with database.write() as session:
        await tenants.ensure(session, MAIN, now())
    return database


class Process:
    """One replica, as far as leases go, on time that the test moves."""

    def __init__(self, database: Database, name: str, process: str = "p") -> None:
        self.me = Identity(name, process)
        self.watch = Watch()
        self.leased: dict[str, int] = {}
        self._database = database

    async def enter(self, now: int, *, anew: bool = True) -> None:
        async with self._database.write() as session:
            await service.enter(session, MAIN, self.me, self.watch, now, anew=anew)

    async def beat(self) -> None:
        async with self._database.write() as session:
            await service.beat(session, MAIN, self.me)

    async def turn(self, now: int) -> Turn:
        async with self._database.write() as session:
            turn = await service.turn(session, MAIN, self.me, self.watch, now, self.leased)
        self.leased.update(turn.taken)
        return turn

    async def give(self, count: int) -> None:
        """Gives shards up, as a program does that has no run in them."""
        given = {shard: self.leased.pop(shard) for shard in sorted(self.leased)[:count]}
        async with self._database.write() as session:
            await service.release(session, MAIN, given)

    async def leave(self) -> None:
        async with self._database.write() as session:
            await service.leave(session, MAIN, self.me, self.leased)

    async def holds(self, leases: Mapping[str, int]) -> bool:
        async with self._database.write() as session:
            return not await repository.hold(session, MAIN, leases)


async def live(start: int, until: int, *alive: Process) -> None:
    """Lets these replicas live, from one time to another; each gives up what is too much."""
    for time in range(start, until, BEAT_MS):
        for one in alive:
            await one.beat()
            turn = await one.turn(time)
            if turn.surplus:
                await one.give(turn.surplus)


async def test_one_replica_holds_everything_at_once(owned: Database) -> None:
    a = Process(owned, "a")
    await a.enter(0)
    turn = await a.turn(0)
    assert sorted(turn.taken) == list(SHARDS)
    assert turn.surplus == 0
    assert await a.holds(a.leased)
    assert (await a.turn(BEAT_MS)).taken == {}


async def test_replicas_share_and_no_shard_has_two_holders_or_none(owned: Database) -> None:
    trio = [Process(owned, name) for name in "abc"]
    for one in trio:
        await one.enter(0)
        await one.turn(0)
    await live(BEAT_MS, 4 * BEAT_MS, *trio)
    assert sorted(len(one.leased) for one in trio) == [85, 85, 86]
    assert sorted(shard for one in trio for shard in one.leased) == list(SHARDS)


async def test_a_dead_replicas_shards_are_taken_up_within_the_lease_and_not_before(owned: Database) -> None:
    a, b = Process(owned, "a"), Process(owned, "b")
    for one in (a, b):
        await one.enter(0)
    await live(0, 5 * BEAT_MS, a, b)
    assert (len(a.leased), len(b.leased)) == (128, 128)
    died = 4 * BEAT_MS  # a's last beat
    await live(died, died + LEASE_MS, b)
    assert len(b.leased) == 128
    await live(died + LEASE_MS, died + LEASE_MS + 2 * BEAT_MS, b)
    assert sorted(b.leased) == list(SHARDS)


async def test_who_was_overtaken_can_commit_nothing_and_learns_it_at_its_turn(owned: Database) -> None:
    a, b = Process(owned, "a"), Process(owned, "b")
    await a.enter(0)
    await a.turn(0)
    await b.enter(0)
    await live(0, LEASE_MS + 2 * BEAT_MS, b)
    assert sorted(b.leased) == list(SHARDS)
    assert all(b.leased[shard] == token + 1 for shard, token in a.leased.items())
    assert not await a.holds({"00": a.leased["00"]})
    async with owned.write() as session:
        with pytest.raises(StoreFault, match="shards 00, 01 were taken up by another replica"):
            await service.hold(session, MAIN, {shard: a.leased[shard] for shard in ("01", "00")})
    with pytest.raises(StoreFault, match="256 shards were taken up by another replica"):
        await a.turn(LEASE_MS + 2 * BEAT_MS)
    await a.leave()  # gives nothing back that is not its own
    assert await b.holds(b.leased)


async def test_an_orderly_end_lets_the_others_take_over_at_once(owned: Database) -> None:
    a, b = Process(owned, "a"), Process(owned, "b")
    for one in (a, b):
        await one.enter(0)
    await live(0, 3 * BEAT_MS, a, b)
    await a.leave()
    await b.turn(3 * BEAT_MS)
    assert sorted(b.leased) == list(SHARDS)


async def test_a_database_that_was_away_for_everybody_costs_nobody_a_lease(owned: Database) -> None:
    a, b = Process(owned, "a"), Process(owned, "b")
    for one in (a, b):
        await one.enter(0)
    await live(0, 3 * BEAT_MS, a, b)
    back = 3 * BEAT_MS + 3 * LEASE_MS
    await b.beat()
    await b.turn(back)  # b is the first to reach it again
    assert len(b.leased) == 128
    await live(back, back + 2 * LEASE_MS, b, a)
    assert (len(a.leased), len(b.leased)) == (128, 128)


async def test_a_process_that_starts_again_under_its_name_takes_its_own_at_once(owned: Database) -> None:
    killed, fresh = Process(owned, "a", "1"), Process(owned, "a", "2")
    await killed.enter(0)
    await killed.turn(0)
    await fresh.enter(0)
    assert sorted((await fresh.turn(0)).taken) == list(SHARDS)
    assert not await killed.holds({"00": killed.leased["00"]})


async def test_of_two_processes_of_one_name_the_older_stands_by_until_the_newer_is_dead(owned: Database) -> None:
    older, newer = Process(owned, "a", "1"), Process(owned, "a", "2")
    await older.enter(0)
    await older.turn(0)
    await newer.enter(0)
    for act in (older.beat(), older.turn(0), older.enter(0, anew=False)):
        with pytest.raises(Displaced, match="another process runs as replica 'a', and this one stands by: give each its own"):
            await act
    await newer.turn(0)
    for time in range(BEAT_MS, LEASE_MS, BEAT_MS):
        await newer.beat()
        with pytest.raises(Displaced):
            await older.enter(time, anew=False)
    died = LEASE_MS - BEAT_MS
    for time in range(died, died + LEASE_MS, BEAT_MS):
        with pytest.raises(Displaced):
            await older.enter(time, anew=False)
    await older.enter(died + LEASE_MS, anew=False)
    older.leased.clear()
    assert sorted((await older.turn(died + LEASE_MS)).taken) == list(SHARDS)


async def test_of_many_replicas_that_want_a_shard_one_gets_it(owned: Database) -> None:
    replicas = [Process(owned, f"r{number}") for number in range(8)]
    for one in replicas:
        await one.enter(0)

    async def take(one: Process) -> dict[str, int]:
        async with owned.write() as session:
            return await repository.take(session, MAIN, one.me.name, dict.fromkeys(SHARDS, 0))

    found = await asyncio.gather(*map(take, replicas))
    assert sorted(shard for taken in found for shard in taken) == list(SHARDS)


@pytest.mark.parametrize("origin", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)  # SQLite: one writer
async def test_a_shard_that_is_being_committed_to_cannot_be_taken_meanwhile(owned: Database) -> None:
    a, b = Process(owned, "a"), Process(owned, "b")
    await a.enter(0)
    await a.turn(0)
    async with owned.write() as session:
        assert not await repository.hold(session, MAIN, {"00": a.leased["00"]})
        async with owned.write() as other:
            assert sorted(await repository.take(other, MAIN, b.me.name, {"00": 1, "01": 1})) == ["01"]


def test_the_parts_of_all_replicas_are_all_shards() -> None:
    for count in (1, 2, 3, 7, 255, 256, 300):
        names = [f"r{number:03}" for number in range(count)]
        parts = [share(name, names, len(SHARDS)) for name in names]
        assert sum(parts) == len(SHARDS)
        assert max(parts) - min(parts) <= 1
    assert share("new", (), len(SHARDS)) == len(SHARDS)


def test_a_watcher_that_did_not_look_does_not_think_anybody_dead() -> None:
    watch = Watch(10_000)
    watch.look({"a": ("p", 1)}, 0)
    watch.look({"a": ("p", 1)}, 5_000)
    watch.look({"a": ("p", 1)}, 9_999)
    assert watch.alive(9_999) == {"a"}
    assert watch.alive(10_000) == set()
    watch.look({"a": ("p", 1)}, 15_000)  # it has not looked for longer than half a lease
    assert watch.alive(24_999) == {"a"}
    watch.look({"a": ("q", 1)}, 20_000)  # another process: it lives
    assert watch.alive(29_999) == {"a"}
    watch.look({}, 21_000)
    assert watch.alive(21_000) == set()
