"""Simulated stores do what the real ones do, through every crash; and a power cut takes what it may take, and nothing else."""

import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from folkmoot.errors import PeerFault
from folkmoot.hop import member
from folkmoot.hop.batch import Batch, Keep
from folkmoot.simulate.disk import Crash, Disk
from folkmoot.store.cache import Cache
from folkmoot.store.ledger import Ledger
from folkmoot.store.spool import Spool
from folkmoot.wire import chunks, codec

OWNERS = ["m/01", "m/02"]
CHUNK, SIZE = 8_192, 100_000
LENGTH = 3  # bytes of a payload
PAYLOAD = b"p" * 32

steps = st.lists(
    st.tuples(
        st.sampled_from(["event", "keep", "forget", "fact", "count", "crash"]), st.sampled_from(OWNERS), st.integers(0, 3)
    ),
    max_size=30,
)


def change(batch: Batch, what: str, owner: str, number: int) -> None:
    """Puts one thing into a batch."""
    if what == "event":
        batch.journal.append((owner, member.Cancelled(str(number))))
    elif what == "keep":
        content = bytes([number]) * LENGTH
        batch.keeps.append(Keep(owner, codec.digest(content), content))
    elif what == "forget":
        batch.forget(owner)


def seen(ledger: object) -> tuple[object, ...]:
    """Gives all that one can read of a ledger."""
    assert hasattr(ledger, "histories")
    kept = [codec.digest(bytes([n]) * LENGTH) for n in range(4)]
    payloads = [ledger.payload(owner, payload) for owner in OWNERS for payload in kept]  # type: ignore[attr-defined]
    parts = [
        ledger.piece(owner, payload, start, size)  # type: ignore[attr-defined]
        for owner in OWNERS
        for payload in kept
        for start, size in ((0, 2), (1, 2), (2, 2), (0, LENGTH))
    ]
    facts = [ledger.fact(f"f{n}", "none") for n in range(4)] + [ledger.fact("births", 0)]  # type: ignore[attr-defined]
    return sorted(ledger.histories()), payloads, parts, facts


@settings(deadline=None)
@given(steps)
def test_a_ledger_holds_what_the_real_one_holds_through_every_crash(steps: list[tuple[str, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, disk = Path(folder) / "ledger.db", Disk()
        real, simulated = Ledger(path), disk.boot()[0]
        for what, owner, number in steps:
            if what == "crash":
                real.close()
                real, simulated = Ledger(path), disk.boot()[0]
            elif what == "count":
                assert real.count("births") == simulated.count("births")
            else:
                batch = Batch(number)
                change(batch, what, owner, number)
                facts = {f"f{number}": owner} if what == "fact" else {}
                real.commit([batch], facts)
                simulated.commit([batch], facts)
            assert seen(real) == seen(simulated)
        real.close()


pieces = st.lists(st.tuples(st.sampled_from(["have", "write", "wrong", "drop", "crash"]), st.integers(0, 12)), max_size=40)


@settings(deadline=None)
@given(pieces)
def test_a_spool_has_the_pieces_that_the_real_one_has_through_every_crash(pieces: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk()
        spools = [Spool(Path(folder)), disk.boot()[2]]
        for what, index in pieces:
            told: list[object] = []
            for spool in spools:
                assert isinstance(spool, Spool) or hasattr(spool, "resume")
                length = min(CHUNK, SIZE - index * CHUNK) + (what == "wrong")
                try:
                    if what == "have":
                        told.append(bytes(spool.have(PAYLOAD, SIZE, CHUNK)))
                    elif what in ("write", "wrong"):
                        told.append(spool.resume(PAYLOAD) and spool.write(PAYLOAD, index, bytes([index + 1]) * length))
                    elif what == "drop":
                        spool.drop(PAYLOAD)
                except PeerFault as fault:
                    told.append(fault.reason)
            assert len(set(told)) <= 1
            if what == "crash":
                spools = [Spool(Path(folder)), disk.boot()[2]]
        final = [bytes(spool.have(PAYLOAD, SIZE, CHUNK)) for spool in spools]
        assert final[0] == final[1]
        assert spools[0].read(PAYLOAD) == spools[1].read(PAYLOAD)


def test_a_cache_has_what_was_put_there(tmp_path: Path) -> None:
    for cache in (Cache(tmp_path, 1 << 20), Disk().boot()[1]):
        blob = cache.put(b"weights")
        assert cache.has(blob)
        assert cache.read(blob) == b"weights"
        assert not cache.has(b"x" * 32)


def commit(disk: Disk, name: str, *, firm: bool) -> None:
    """Stores one fact."""
    batch = Batch(0, firm=firm)
    disk.boot()[0].commit([batch], {name: 1})


def test_a_power_cut_takes_soft_commits_back_the_newest_first_and_never_a_firm_one() -> None:
    ends = set()
    for seed in range(50):
        disk = Disk()
        for name, firm in (("a", False), ("b", True), ("c", False), ("d", False)):
            commit(disk, name, firm=firm)
        disk.lose_power(Random(seed))
        ledger = disk.boot()[0]
        ends.add("".join(name for name in "abcd" if ledger.fact(name)))
    assert ends == {"ab", "abc", "abcd"}


def test_a_power_cut_takes_pieces_that_were_not_synced_and_only_those() -> None:
    lost: set[int] = set()
    synced = chunks.count(SIZE, CHUNK) - 2
    for seed in range(50):
        disk = Disk()
        spool = disk.boot()[2]
        spool.have(PAYLOAD, SIZE, CHUNK)
        for index in range(chunks.count(SIZE, CHUNK)):
            if index == synced:
                spool.rest(PAYLOAD)
            spool.write(PAYLOAD, index, bytes(min(CHUNK, SIZE - index * CHUNK)))
        disk.lose_power(Random(seed))
        lost |= set(disk.boot()[2].have(PAYLOAD, SIZE, CHUNK).missing())
    assert lost == set(range(synced, chunks.count(SIZE, CHUNK)))


@pytest.mark.parametrize("synced", [False, True])
def test_a_power_cut_takes_blobs_that_were_not_synced(synced: bool) -> None:
    there = set()
    for seed in range(20):
        disk = Disk()
        cache = disk.boot()[1]
        cache.synced = synced
        blob = cache.put(b"weights")
        disk.lose_power(Random(seed))
        there.add(disk.boot()[1].has(blob))
    assert there == ({True} if synced else {True, False})


@pytest.mark.parametrize(("steps", "stored"), [(1, False), (2, True)])
def test_a_machine_may_stop_right_before_and_right_after_a_commit(steps: int, stored: bool) -> None:
    disk, left = Disk(), [steps]

    def step() -> None:
        left[0] -= 1
        if not left[0]:
            raise Crash("host")

    disk.step = step
    with pytest.raises(Crash):
        commit(disk, "a", firm=False)
    assert bool(disk.boot()[0].fact("a")) == stored
