"""A replica's turn at the leases: what it has lost, what it may take, what it has too much of."""

from collections.abc import Mapping
from dataclasses import dataclass

from folkmoot.errors import StoreFault
from folkmoot.wire.topics import SHARDS
from folkmoot_cloud.database import Session
from folkmoot_cloud.leases import repository
from folkmoot_cloud.leases.watch import Watch, share


class Displaced(StoreFault):
    """Another process has this replica's name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"another process runs as replica {name!r}, and this one stands by: give each its own `replica`")


@dataclass(frozen=True, slots=True)
class Identity:
    """One process among the replicas."""

    name: str  # settings.replica
    process: str  # no other process has it, whatever its name


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of it."""

    taken: Mapping[str, int]  # shard to token
    surplus: int  # shards more than our part


async def enter(session: Session, tenant: str, me: Identity, watch: Watch, now: int, *, anew: bool) -> None:
    """Puts this process on the table. The newest process of a name has it: most likely the one before was killed.

    Raises Displaced where it is not `anew` that it comes, and a newer one that lives has its name.
    """
    counts = await repository.replicas(session, tenant)
    watch.look(counts, now)
    holder = counts.get(me.name, (me.process, 0))[0]
    if not anew and holder != me.process and me.name in watch.alive(now):
        raise Displaced(me.name)
    await repository.enter(session, tenant, me.name, me.process)


async def beat(session: Session, tenant: str, me: Identity) -> None:
    """Says that this process lives. Raises Displaced where another one has its name."""
    if not await repository.beat(session, tenant, me.name, me.process):
        raise Displaced(me.name)


async def turn(session: Session, tenant: str, me: Identity, watch: Watch, now: int, leased: Mapping[str, int]) -> Turn:
    """Takes of the shards that nobody alive holds, as far as this replica's part goes. `leased`: those that it has.

    Raises StoreFault where another replica has taken one of them, Displaced where another process has this one's name.
    """
    counts = await repository.replicas(session, tenant)
    if counts.get(me.name, ("", 0))[0] != me.process:
        raise Displaced(me.name)
    owners = await repository.owners(session, tenant)
    lost = [shard for shard, token in leased.items() if owners[shard][1] != token]
    if lost:
        raise StoreFault(f"{len(lost)} shards were taken up by another replica")
    watch.look(counts, now)
    alive = watch.alive(now)
    free = {
        shard: token
        for shard, (owner, token) in sorted(owners.items())
        if shard not in leased and (owner == me.name or owner not in alive)
    }
    part = share(me.name, alive, len(SHARDS))
    wanted = dict(list(free.items())[: max(0, part - len(leased))])
    taken = await repository.take(session, tenant, me.name, wanted) if wanted else {}
    return Turn(taken, max(0, len(leased) - part))


async def release(session: Session, tenant: str, leased: Mapping[str, int]) -> None:
    """Gives shards back that other replicas may have."""
    await repository.release(session, tenant, leased)


async def leave(session: Session, tenant: str, me: Identity, leased: Mapping[str, int]) -> None:
    """Gives everything back: the others need not wait."""
    await repository.release(session, tenant, leased)
    await repository.leave(session, tenant, me.name, me.process)


async def hold(session: Session, tenant: str, leased: Mapping[str, int]) -> None:
    """Keeps everybody else from taking these shards until the commit. Raises StoreFault where another replica has one."""
    lost = await repository.hold(session, tenant, leased)
    if lost:
        raise StoreFault(f"shards {', '.join(lost)} were taken up by another replica")
