"""Queries about leases: at most one replica holds a shard, and one that has lost it can commit nothing about it.

A lease has no end of its own: it lasts until another replica takes it, which those do whose holder is dead (leases.watch). What
keeps the one that was overtaken from writing is the token alone, whatever anybody's clock says.
"""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import delete, func, select, update

from folkmoot.wire.topics import SHARDS
from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.statements import insert_new, upsert
from folkmoot_cloud.tables import Lease, Replica

_QUIET = {"synchronize_session": False}


async def enter(session: Session, tenant: str, name: str, process: str) -> None:
    """Gives a name to a process, whoever had it; its next beat tells that other one."""
    known = await session.scalar(select(func.count()).select_from(Lease).where(Lease.tenant == tenant))
    if known != len(SHARDS):
        for shard in SHARDS:
            await insert_new(session, Lease, {"tenant": tenant, "shard": shard, "owner": "", "token": 0})
    beats = await session.scalar(select(Replica.beats).where(Replica.tenant == tenant, Replica.name == name))
    await upsert(session, Replica, [{"tenant": tenant, "name": name, "process": process, "beats": (beats or 0) + 1}])


async def beat(session: Session, tenant: str, name: str, process: str) -> bool:
    """Says that a process lives; False where another one has its name."""
    mine = (Replica.tenant == tenant) & (Replica.name == name) & (Replica.process == process)
    said = update(Replica).where(mine).values(beats=Replica.beats + 1).returning(Replica.beats)
    return (await session.execute(said.execution_options(**_QUIET))).scalar_one_or_none() is not None


async def leave(session: Session, tenant: str, name: str, process: str) -> None:
    """Takes a process off the table; does nothing where another one has its name."""
    mine = (Replica.tenant == tenant) & (Replica.name == name) & (Replica.process == process)
    await session.execute(delete(Replica).where(mine).execution_options(**_QUIET))


async def replicas(session: ReadSession, tenant: str) -> dict[str, tuple[str, int]]:
    """Gives the processes by the name of their replica, each with the number of its beats."""
    wanted = select(Replica.name, Replica.process, Replica.beats).where(Replica.tenant == tenant)
    return {name: (process, beats) for name, process, beats in await session.execute(wanted)}


async def owners(session: ReadSession, tenant: str) -> dict[str, tuple[str, int]]:
    """Gives the owner and the token of every shard."""
    wanted = select(Lease.shard, Lease.owner, Lease.token).where(Lease.tenant == tenant)
    return {shard: (owner, token) for shard, owner, token in await session.execute(wanted)}


async def take(session: Session, tenant: str, owner: str, shards: Mapping[str, int]) -> dict[str, int]:
    """Takes shards whose tokens are still these; gives the new token of each that it has got.

    Every taking has a new token. A shard whose holder is committing something at this instant is passed over.
    """
    wanted = _tokens(tenant, shards).with_for_update(skip_locked=True)
    found = {row.shard: row.token for row in await session.execute(wanted)}
    got = [shard for shard, token in found.items() if token == shards[shard]]
    taken = update(Lease).where(Lease.tenant == tenant, Lease.shard.in_(got)).values(owner=owner, token=Lease.token + 1)
    await session.execute(taken.execution_options(**_QUIET))
    return {shard: shards[shard] + 1 for shard in got}


async def hold(session: Session, tenant: str, leases: Mapping[str, int]) -> Collection[str]:
    """Keeps everybody else from taking these shards until the commit; gives those whose token is no longer this one.

    First thing in every transaction about them: where it gives any, roll back and drop them.
    """
    wanted = _tokens(tenant, leases).with_for_update(read=True)
    found = {row.shard: row.token for row in await session.execute(wanted)}
    return [shard for shard, token in sorted(leases.items()) if found.get(shard) != token]


def _tokens(tenant: str, shards: Collection[str]) -> Any:  # a Select, whose parameters differ from SQLAlchemy 2.0 to 2.1
    # Everybody who waits for several rows waits for them in one order.
    return select(Lease.shard, Lease.token).where(Lease.tenant == tenant, Lease.shard.in_(list(shards))).order_by(Lease.shard)


async def release(session: Session, tenant: str, leases: Mapping[str, int]) -> None:
    """Gives shards back, so that other replicas need not wait; leaves those alone that are lost."""
    lost = await hold(session, tenant, leases)
    kept = [shard for shard in leases if shard not in lost]
    # The rows stay, so that tokens go on growing.
    mine = (Lease.tenant == tenant) & Lease.shard.in_(kept)
    await session.execute(update(Lease).where(mine).values(owner="").execution_options(**_QUIET))
