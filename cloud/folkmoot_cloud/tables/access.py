"""Who may use the API, and what they were answered."""

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from folkmoot_cloud.columns import DIGEST, NAME
from folkmoot_cloud.tables.base import Base, Owned


class Token(Owned, Base):
    """A key to the API, as its sha256."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(NAME, primary_key=True)
    name: Mapped[str]
    hash: Mapped[bytes]
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class StoredResponse(Owned, Base):
    """What a POST with an Idempotency-Key was answered, for whoever sends it again."""

    __tablename__ = "stored_responses"

    token: Mapped[str] = mapped_column(NAME, primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(DIGEST)  # of method, path and body
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes | None]  # None: it held a secret
    at: Mapped[datetime] = mapped_column(index=True)
