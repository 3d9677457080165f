"""What is learnt: tasks, versions of their models, and the bytes of both."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, Index, exists, text
from sqlalchemy.orm import Mapped, column_property, mapped_column

from folkmoot_cloud.columns import DIGEST, NAME
from folkmoot_cloud.tables.base import Base, Owned, of


class Blob(Owned, Base):
    """Bytes by their sha256: here up to 1 MiB, in the store of large blobs beyond."""

    __tablename__ = "blobs"

    digest: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    size: Mapped[int]
    content: Mapped[bytes | None] = mapped_column(deferred=True, deferred_raiseload=True)
    inside: Mapped[bool]
    created_at: Mapped[datetime]


class Task(Owned, Base):
    """A bundle that was uploaded."""

    __tablename__ = "tasks"

    id: Mapped[str] = mapped_column(NAME, primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    version: Mapped[str]
    title: Mapped[str]
    digest: Mapped[str] = mapped_column(DIGEST)  # of the bundle
    program: Mapped[str] = mapped_column(DIGEST)
    program_size: Mapped[int]
    weights: Mapped[str] = mapped_column(DIGEST)  # the initial ones
    weights_size: Mapped[int]
    parameters: Mapped[int]
    contract: Mapped[str] = mapped_column(NAME)  # name of the data contract
    inference: Mapped[dict[str, Any]]  # kind to digest
    grafts: Mapped[dict[str, Any]] = mapped_column(deferred=True, deferred_raiseload=True)  # kind to folkmoot.graft's places
    manifest: Mapped[dict[str, Any]] = mapped_column(deferred=True, deferred_raiseload=True)
    created_at: Mapped[datetime]

    __table_args__ = (
        Index(None, "tenant", "digest", unique=True),
        Index(None, "tenant", "name", "created_at"),
        Index(None, "tenant", "created_at", "id"),
    )


class Model(Owned, Base):
    """A version of a task's weights. Version 0 is what came with the task; the others were learnt by a run."""

    __tablename__ = "models"

    id: Mapped[str] = mapped_column(NAME, primary_key=True)
    task_id: Mapped[str] = mapped_column(NAME)
    run_id: Mapped[str | None] = mapped_column(NAME)
    version: Mapped[int]
    parent: Mapped[str | None] = mapped_column(NAME)
    model_sha256: Mapped[str] = mapped_column(DIGEST)  # of the block of weights
    size: Mapped[int]  # bytes of that block
    state: Mapped[str | None] = mapped_column(DIGEST)  # blob with the server optimiser's state
    created_at: Mapped[datetime]

    if TYPE_CHECKING:
        promoted: Mapped[bool]  # set below, where Promotion is known

    __table_args__ = (
        of("tasks", "task_id"),
        of("runs", "run_id"),
        of("models", "parent"),
        Index(None, "tenant", "run_id", "version", unique=True),
        Index(None, "tenant", "task_id", "created_at", "id"),
        Index(None, "tenant", "created_at", "id"),
    )


class Promotion(Base):
    """That a model became its task's promoted one. The newest that is not undone holds."""

    __tablename__ = "promotions"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    tenant: Mapped[str] = mapped_column(NAME, ForeignKey("tenants.id"))
    task_id: Mapped[str] = mapped_column(NAME)
    model_id: Mapped[str] = mapped_column(NAME)
    at: Mapped[datetime]
    undone_at: Mapped[datetime | None]
    holds: Mapped[bool]  # the newest that is not undone

    __table_args__ = (
        of("tasks", "task_id"),
        of("models", "model_id"),
        # One promoted version per task, whatever two operators do at once.
        Index(
            "uq_promotions_holds",
            "tenant",
            "task_id",
            unique=True,
            sqlite_where=text("holds"),
            postgresql_where=text("holds"),
        ),
        Index(None, "tenant", "task_id", "sequence"),
        {"sqlite_autoincrement": True},
    )


Model.promoted = column_property(
    exists()
    .where(Promotion.tenant == Model.tenant, Promotion.model_id == Model.id, Promotion.holds)
    .correlate_except(Promotion)
)
