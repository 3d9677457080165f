"""Who learns: gateways, and the devices below them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from folkmoot_cloud.columns import DIGEST, NAME
from folkmoot_cloud.tables.base import Base, Owned, of


class Presence:
    """For how long somebody could have been asked, of the time since it was first seen, up to `changed_at`."""

    changed_at: Mapped[datetime]
    up_ms: Mapped[int]
    down_ms: Mapped[int]


class Gateway(Presence, Owned, Base):
    """A home, as its gateway's status and hello tell."""

    __tablename__ = "gateways"

    id: Mapped[str] = mapped_column(NAME, primary_key=True)
    state: Mapped[str]  # up, sleeping, away, gone
    birth: Mapped[int]
    hello: Mapped[str] = mapped_column(DIGEST)  # of the hello that is stored here; "" for none yet
    software: Mapped[str]
    runtime: Mapped[str]
    memory: Mapped[int]
    features: Mapped[list[Any]]
    max_packet: Mapped[int]
    ready: Mapped[bool]
    why_not: Mapped[str]
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]


class Device(Presence, Owned, Base):
    """A leaf, as the newest hello of its gateway tells."""

    __tablename__ = "devices"

    id: Mapped[str] = mapped_column(NAME, primary_key=True)
    gateway: Mapped[str] = mapped_column(NAME)
    state: Mapped[str]  # up, sleeping, away, gone
    examples: Mapped[int]
    software: Mapped[str]
    runtime: Mapped[str]
    memory: Mapped[int]
    data: Mapped[str]  # name of the data contract that its examples meet
    why_not: Mapped[str]  # why it takes no part now; "": it does
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]

    __table_args__ = (of("gateways", "gateway"), Index(None, "tenant", "gateway"))
