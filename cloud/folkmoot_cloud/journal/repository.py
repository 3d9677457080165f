"""Queries about the journal of the machines: their events, a snapshot, and the payloads that they must not lose."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import BigInteger, cast, delete, exists, func, select

from folkmoot.clock import wall_ms
from folkmoot_cloud.blobs.repository import INSIDE
from folkmoot_cloud.blobs.store import BlobStore
from folkmoot_cloud.database import ReadSession, Session
from folkmoot_cloud.statements import insert, insert_new, upsert
from folkmoot_cloud.tables import Blob, JournalEntry, Kept, Snapshot


@dataclass(frozen=True, slots=True)
class Record:
    """One event, or a snapshot, as it was stored."""

    sequence: int
    now_ms: int  # of the machine's timeline
    content: bytes
    wall_ms: int = 0  # since 1970, by `wall`; 0 where nobody has said


@dataclass(frozen=True, slots=True)
class History:
    """What a machine is to be rebuilt from: the snapshot if there is one, then the events behind it."""

    machine: str
    snapshot: Record | None
    events: tuple[Record, ...]


async def append(
    session: Session,
    tenant: str,
    machine: str,
    now_ms: int,
    events: Sequence[bytes],
    after: int | None = None,
    wall_ms: int = 0,
) -> int:
    """Stores events that a machine takes at `now_ms`, which is `wall_ms` by `wall`; gives the sequence number of the last one.

    `after`: number of the one before, where the caller knows it. Two writers of one machine cannot both succeed: the second is
    an IntegrityError.
    """
    last = after if after is not None else await _last(session, tenant, machine)
    if not events:
        return last
    first = last + 1
    rows = [
        {
            "tenant": tenant,
            "machine": machine,
            "sequence": first + index,
            "now_ms": now_ms,
            "wall_ms": wall_ms,
            "event": event,
        }
        for index, event in enumerate(events)
    ]
    await insert(session, JournalEntry, rows)
    return first + len(events) - 1


async def read(session: ReadSession, tenant: str, machine: str) -> History:
    """Gives a machine's history; an empty one where it has none."""
    return (await histories(session, tenant, [machine]))[0]


async def machines(session: ReadSession, tenant: str, prefix: str) -> list[str]:
    """Gives the machines whose keys begin with `prefix` and that are not forgotten, sorted."""
    found: set[str] = set()
    for table in (JournalEntry, Snapshot):
        wanted = select(table.machine).where(table.tenant == tenant, table.machine.startswith(prefix, autoescape=True))
        found.update(await session.scalars(wanted.distinct()))
    return sorted(found)


async def histories(session: ReadSession, tenant: str, machines: Sequence[str]) -> list[History]:
    """Gives the histories of these machines, in the same order."""
    snapshots = {
        row.machine: Record(row.sequence, row.now_ms, row.content)
        for row in await session.scalars(select(Snapshot).where(Snapshot.tenant == tenant, Snapshot.machine.in_(machines)))
    }
    wanted = select(JournalEntry).where(JournalEntry.tenant == tenant, JournalEntry.machine.in_(machines))
    events: dict[str, list[Record]] = {machine: [] for machine in machines}
    for row in await session.scalars(wanted.order_by(JournalEntry.machine, JournalEntry.sequence)):
        events[row.machine].append(Record(row.sequence, row.now_ms, row.event, row.wall_ms))
    return [History(machine, snapshots.get(machine), tuple(events[machine])) for machine in machines]


async def cut(session: Session, tenant: str, machine: str, now_ms: int, snapshot: bytes) -> None:
    """Stores the machine's whole state in the place of all its events so far."""
    sequence = await _last(session, tenant, machine)
    row = {"tenant": tenant, "machine": machine, "sequence": sequence, "now_ms": now_ms, "content": snapshot}
    await upsert(session, Snapshot, [row])
    await session.execute(delete(JournalEntry).where(JournalEntry.tenant == tenant, JournalEntry.machine == machine))


async def wall(session: ReadSession) -> int:
    """Gives the time, ms since 1970, by the one clock that all replicas share: the database server's."""
    if session.get_bind().dialect.name == "sqlite":
        return wall_ms()
    return int(await session.scalar(select(cast(func.extract("epoch", func.clock_timestamp()) * 1000, BigInteger))) or 0)


async def keep(session: Session, store: BlobStore, tenant: str, machine: str, content: bytes) -> str:
    """Keeps a payload until its machine is forgotten; gives its sha256, hexadecimal. Keeping it twice is no fault."""
    digest = sha256(content).hexdigest()
    small = len(content) <= INSIDE
    if not small:
        await store.put(tenant, digest, content)
    row = {"tenant": tenant, "machine": machine, "digest": digest, "content": content if small else None}
    await insert_new(session, Kept, row)
    return digest


async def kept(session: ReadSession, store: BlobStore, tenant: str, machine: str, digest: str) -> bytes | None:
    """Gives a payload; None where it was never kept, or is forgotten. Raises StoreFault where it is lost."""
    row = await session.get(Kept, (tenant, machine, digest))
    if row is None:
        return None
    return row.content if row.content is not None else await store.get(tenant, digest)


async def drop(session: Session, tenant: str, machine: str, digest: str) -> list[str]:
    """Drops one payload; gives its digest as `forget` does, where it is large and nothing refers to it any more."""
    mine = (Kept.tenant == tenant) & (Kept.machine == machine) & (Kept.digest == digest)
    large = list(await session.scalars(select(Kept.digest).where(mine, Kept.content.is_(None))))
    await session.execute(delete(Kept).where(mine).execution_options(synchronize_session=False))
    return [] if await _used(session, tenant, digest) else large


async def forget(session: Session, tenant: str, machine: str) -> list[str]:
    """Drops a machine that is done: its events, its snapshot, its payloads.

    Gives the digests of large payloads that nothing refers to any more: `BlobStore.delete` them once this has committed.
    """
    # Not by RETURNING of the DELETE: in SQLite 3.40 a qualified column IS NULL is false there, whatever is in it.
    large = select(Kept.digest).where(Kept.tenant == tenant, Kept.machine == machine, Kept.content.is_(None))
    digests = list(await session.scalars(large))
    for table in (JournalEntry, Snapshot, Kept):
        mine = (table.tenant == tenant) & (table.machine == machine)
        await session.execute(delete(table).where(mine).execution_options(synchronize_session=False))
    return [digest for digest in digests if not await _used(session, tenant, digest)]


async def _used(session: ReadSession, tenant: str, digest: str) -> bool:
    places = [exists().where(table.tenant == tenant, table.digest == digest) for table in (Kept, Blob)]
    return bool(await session.scalar(select(places[0] | places[1])))


async def _last(session: ReadSession, tenant: str, machine: str) -> int:
    """Gives the number of a machine's last event, cut or not."""
    numbers = [
        await session.scalar(select(func.max(table.sequence)).where(table.tenant == tenant, table.machine == machine))
        for table in (JournalEntry, Snapshot)
    ]
    return max(number or 0 for number in numbers)
