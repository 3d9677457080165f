"""What the runner stands on: leases, the journal of its machines, the answers it took, and what it told the world."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from folkmoot_cloud.columns import DIGEST, NAME
from folkmoot_cloud.tables.base import Base, Owned, of


class Event(Base):
    """Something that happened, in the order of the commits."""

    __tablename__ = "events"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    tenant: Mapped[str] = mapped_column(NAME, ForeignKey("tenants.id"))
    kind: Mapped[str]
    run_id: Mapped[str | None] = mapped_column(NAME)
    content: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (Index(None, "tenant", "sequence"), {"sqlite_autoincrement": True})


class Replica(Owned, Base):
    """A process that runs rounds. It lives while its counter goes on."""

    __tablename__ = "replicas"

    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    process: Mapped[str]  # told anew by each process, so that two of one name can be told apart
    beats: Mapped[int]


class Lease(Owned, Base):
    """Which replica holds a shard, and with it all the runs in it. `token` grows with every change of hands."""

    __tablename__ = "leases"

    shard: Mapped[str] = mapped_column(String(2), primary_key=True)  # folkmoot.wire.topics.Tree.shard
    owner: Mapped[str]  # a replica's name; "": nobody
    token: Mapped[int]


class JournalEntry(Owned, Base):
    """An event that a machine took, with the time of its timeline."""

    __tablename__ = "journal"

    machine: Mapped[str] = mapped_column(String(255), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    now_ms: Mapped[int]
    wall_ms: Mapped[int]  # since 1970, by the clock that all replicas share: how long ago it was, to whoever takes the run up
    event: Mapped[bytes]


class Snapshot(Owned, Base):
    """A machine's whole state after the journal entry `sequence`."""

    __tablename__ = "snapshots"

    machine: Mapped[str] = mapped_column(String(255), primary_key=True)
    sequence: Mapped[int]
    now_ms: Mapped[int]
    content: Mapped[bytes]


class Kept(Owned, Base):
    """A payload that must not be lost before its machine is forgotten."""

    __tablename__ = "kept"

    machine: Mapped[str] = mapped_column(String(255), primary_key=True)
    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    content: Mapped[bytes | None]  # None: it is in the store of large blobs


class Contribution(Owned, Base):
    """That a member's answer to an Ask was taken. There is at most one."""

    __tablename__ = "contributions"

    ask: Mapped[str] = mapped_column(NAME, primary_key=True)  # 16 bytes, hexadecimal
    member: Mapped[str] = mapped_column(NAME, primary_key=True)
    run_id: Mapped[str] = mapped_column(NAME)
    number: Mapped[int]  # of the round in which it counts
    asked: Mapped[int]  # of the round whose Ask it answers: an earlier one where it came too late for that
    local: Mapped[int]  # number of the local round that it is of; 0: it answers the Ask itself
    factor: Mapped[int]  # what it counts, in 1,024ths
    payload: Mapped[str] = mapped_column(DIGEST)
    size: Mapped[int]
    leaves: Mapped[int]  # devices whose updates are in it
    at: Mapped[datetime]

    __table_args__ = (of("rounds", "run_id", "number"),)


class Retraction(Owned, Base):
    """That a device is to be out of a round, which does not close before it is."""

    __tablename__ = "retractions"

    run_id: Mapped[str] = mapped_column(NAME, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(NAME, primary_key=True)
    requested_at: Mapped[datetime]
    done_at: Mapped[datetime | None]

    __table_args__ = (of("rounds", "run_id", "number"),)
