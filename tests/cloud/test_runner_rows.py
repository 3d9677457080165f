"""What the runner stands on: journal and contributions."""

from hashlib import sha256
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy.exc import IntegrityError

from folkmoot.clock import EARLIEST
from folkmoot_cloud.blobs.store import Folder
from folkmoot_cloud.clock import now
from folkmoot_cloud.contributions import repository as contributions
from folkmoot_cloud.database import Database
from folkmoot_cloud.journal import repository as journal
from folkmoot_cloud.rounds import progress
from folkmoot_cloud.rounds.fates import Fate
from folkmoot_cloud.runner import load
from folkmoot_cloud.runner.past import Kept
from folkmoot_cloud.tables import JournalEntry
from folkmoot_cloud.tenants import repository as tenants
from folkmoot_cloud.tenants.service import MAIN
from tests.kit import parcels
from tests.kit.cloud import Cloud

LARGE = bytes(2 << 20)


@pytest_asyncio.fixture
async def owned(database: Database) -> Database:
    """Gives the database with its tenant."""
    async with database.write() as session:
        await tenants.ensure(session, MAIN, now())
    return database


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Gives a store of large blobs."""
    return Folder(tmp_path / "blobs")


async def test_a_machine_is_rebuilt_from_what_it_took_in_order(owned: Database) -> None:
    async with owned.write() as session:
        assert await journal.append(session, MAIN, "r/1", 10, [b"a", b"b"]) == 2
        assert await journal.append(session, MAIN, "r/2", 11, [b"x"]) == 1
        assert await journal.append(session, MAIN, "r/1", 12, []) == 2
    async with owned.write() as session:
        assert await journal.append(session, MAIN, "r/1", 20, [b"c"]) == 3
    async with owned.read() as session:
        history = await journal.read(session, MAIN, "r/1")
        assert [(one.sequence, one.now_ms, one.content) for one in history.events] == [
            (1, 10, b"a"),
            (2, 10, b"b"),
            (3, 20, b"c"),
        ]
        assert history.snapshot is None
        assert await journal.machines(session, MAIN, "r/") == ["r/1", "r/2"]
        assert await journal.machines(session, MAIN, "r_") == []
        assert [one.machine for one in await journal.histories(session, MAIN, ["r/2", "r/0"])] == ["r/2", "r/0"]


async def test_a_snapshot_stands_for_all_before_it(owned: Database) -> None:
    async with owned.write() as session:
        await journal.append(session, MAIN, "r/1", 10, [b"a", b"b"])
        await journal.cut(session, MAIN, "r/1", 15, b"whole")
        await journal.append(session, MAIN, "r/1", 20, [b"c"])
    async with owned.read() as session:
        history = await journal.read(session, MAIN, "r/1")
    assert history.snapshot == journal.Record(2, 15, b"whole")
    assert history.events == (journal.Record(3, 20, b"c"),)


async def test_what_a_transaction_that_failed_had_journalled_is_not_there(owned: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with owned.write() as session:
            await journal.append(session, MAIN, "r/1", 10, [b"a"])
            raise ZeroDivisionError
    async with owned.read() as session:
        assert (await journal.read(session, MAIN, "r/1")).events == ()


async def test_what_is_journalled_says_when_it_was_by_the_clock_that_replicas_share(owned: Database) -> None:
    async with owned.write() as session:
        before = await journal.wall(session)
        await journal.append(session, MAIN, "r/1", 10, [b"a"], wall_ms=before)
    async with owned.read() as session:
        (found,) = (await journal.read(session, MAIN, "r/1")).events
        after = await journal.wall(session)
    assert (found.now_ms, found.wall_ms) == (10, before)
    assert EARLIEST < before <= after < before + 600_000


async def test_two_writers_of_one_machine_cannot_both_be_right(owned: Database) -> None:
    async with owned.write() as session:
        await journal.append(session, MAIN, "r/1", 10, [b"a"])
    with pytest.raises(IntegrityError):
        async with owned.write() as session:
            session.add(JournalEntry(tenant=MAIN, machine="r/1", sequence=1, now_ms=10, wall_ms=0, event=b"b"))


async def test_payloads_are_kept_until_their_machine_is_forgotten(owned: Database, folder: Folder) -> None:
    for content in (b"small", LARGE):
        digest = sha256(content).hexdigest()
        async with owned.write() as session:
            await journal.append(session, MAIN, "r/1", 10, [b"a"])
            for _ in range(2):
                assert await journal.keep(session, folder, MAIN, "r/1", content) == digest
        async with owned.read() as session:
            assert await journal.kept(session, folder, MAIN, "r/1", digest) == content
            assert await journal.kept(session, folder, MAIN, "r/2", digest) is None
        async with owned.write() as session:
            assert await journal.forget(session, MAIN, "r/1") == ([digest] if content is LARGE else [])
        async with owned.read() as session:
            assert await journal.kept(session, folder, MAIN, "r/1", digest) is None
            assert await journal.machines(session, MAIN, "r/") == []


async def test_a_large_payload_that_another_machine_keeps_is_not_for_deleting(owned: Database, folder: Folder) -> None:
    async with owned.write() as session:
        for machine in ("r/1", "r/2"):
            await journal.keep(session, folder, MAIN, machine, LARGE)
        assert await journal.forget(session, MAIN, "r/1") == []
        assert await journal.forget(session, MAIN, "r/2") == [sha256(LARGE).hexdigest()]


async def test_an_answer_counts_once(cloud: Cloud) -> None:
    run = (await cloud.run())["id"]
    await cloud.round(run, 1)
    told = {"run_id": run, "number": 1, "asked": 1, "local": 0, "factor": 1024, "payload": b"p" * 32, "size": 9, "leaves": 3}
    told["at"] = now()
    async with cloud.database.write() as session:
        assert await contributions.add(session, MAIN, ask=b"a" * 16, member="g1", **told)
        assert not await contributions.add(session, MAIN, ask=b"a" * 16, member="g1", **told)
        assert await contributions.add(session, MAIN, ask=b"a" * 16, member="g2", **told)
    async with cloud.database.write() as session:
        assert not await contributions.add(session, MAIN, ask=b"a" * 16, member="g2", **told)
    async with cloud.database.read() as session:
        assert [one.member for one in await contributions.of_round(session, MAIN, run, 1)] == ["g1", "g2"]


async def test_what_a_run_remembers_of_its_rounds_is_what_the_tables_say(cloud: Cloud) -> None:
    run = (await cloud.run(offline={"staleness": 1}))["id"]
    asked = [Fate("g1"), Fate("g1", "d1"), Fate("g1", "d2"), Fate("g2"), Fate("g2", "d3"), Fate("g3"), Fate("g3", "d4")]
    for number in (1, 2, 3):
        await cloud.round(run, number, seed=number, fates=asked)
    told = {"run_id": run, "payload": b"p" * 32, "size": 9, "leaves": 3, "at": now()}
    row = await cloud.row(run)
    async with cloud.database.write() as session:
        became = [Fate("g1", "", "silent"), Fate("g2", "", "answered"), Fate("g3", "", "refused"), Fate("g2", "d3", "rejected")]
        became.append(Fate("g1", "d2", "retracted"))
        await progress.told(session, row, 2, became, now())
        await contributions.add(session, MAIN, ask=b"2" * 16, member="g2", number=2, asked=2, local=0, factor=1024, **told)
        await contributions.add(session, MAIN, ask=b"1" * 16, member="g1", number=3, asked=2, local=1, factor=724, **told)
    async with cloud.database.read() as session:
        found = await load.past(session, row, oldest=1, now=7)
    assert found.rounds.keys() == {2, 3}
    assert found.rounds[2] == Kept(
        base=1,
        weights=sha256(parcels.weights(1)).digest(),
        asked={"g1": frozenset({"d1"}), "g2": frozenset({"d3"})},
        counted=frozenset({b"1" * 16, b"2" * 16}),
        cut=frozenset({"g1"}),
        until=found.rounds[2].until,
    )
    assert 7 + 590_000 < found.rounds[2].until <= 7 + 600_000  # the deadline of an Ask that was sent just now
