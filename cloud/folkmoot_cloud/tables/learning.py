"""How it is learnt: runs, their rounds, what became of every member, and how good it got."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from folkmoot_cloud.columns import NAME
from folkmoot_cloud.tables.base import Base, Owned, of
from folkmoot_cloud.tables.versions import Task


class Run(Owned, Base):
    """One training job: what an operator asked for, and how far the runner is."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(NAME, primary_key=True)
    name: Mapped[str]
    task_id: Mapped[str] = mapped_column(NAME)
    # What operators set.
    desired: Mapped[str]  # run, pause, stop
    strategy: Mapped[dict[str, Any]]  # name and options
    cohort: Mapped[dict[str, Any]]
    rounds: Mapped[int]
    plan: Mapped[dict[str, Any]]  # a whole wire.messages.Plan
    min_answers: Mapped[int]
    deadline_seconds: Mapped[float]
    over_selection: Mapped[float]
    evaluate: Mapped[bool]
    precision: Mapped[dict[str, Any]]  # scale, bound, cap, total
    offline: Mapped[dict[str, Any] | None]  # a whole wire.messages.Offline; None: late is late
    buffer: Mapped[int | None]  # devices whose answers make a version, whichever round asked; None: rounds are synchronous
    transform: Mapped[str | None]  # how updates travel (folkmoot.transforms); None: in float32
    base_model: Mapped[str] = mapped_column(NAME)
    secret: Mapped[str]  # decides the cohorts: nobody outside can know whom a round will ask
    created_at: Mapped[datetime]
    # What the runner says.
    status: Mapped[str]  # pending, running, paused, finished
    outcome: Mapped[str | None]  # completed, failed, stopped
    reason: Mapped[str]
    done: Mapped[int]  # number of the last round that is over
    model: Mapped[str | None] = mapped_column(NAME)  # the newest that it learnt
    bytes_up: Mapped[int]
    bytes_down: Mapped[int]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    # What it was predicted to take when it was created (predictions/schemas.py); None: nothing had been measured.
    prediction: Mapped[dict[str, Any] | None] = mapped_column(deferred=True, deferred_raiseload=True)

    task: Mapped[Task] = relationship(viewonly=True, lazy="raise")

    __table_args__ = (
        of("tasks", "task_id"),
        Index(None, "tenant", "status"),
        Index(None, "tenant", "created_at", "id"),
    )


class Round(Owned, Base):
    """One cut of a new model version."""

    __tablename__ = "rounds"

    run_id: Mapped[str] = mapped_column(NAME, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str]  # open, closed
    outcome: Mapped[str | None]  # complete, short, stopped (folkmoot.hop.effects.Closed)
    reason: Mapped[str]
    base_version: Mapped[int]
    model: Mapped[str | None] = mapped_column(NAME)
    bytes_up: Mapped[int]
    bytes_down: Mapped[int]
    started_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]

    __table_args__ = (of("runs", "run_id"),)


class Member(Owned, Base):
    """What became of a gateway (`device` is empty) or of a device in a round."""

    __tablename__ = "round_members"

    run_id: Mapped[str] = mapped_column(NAME, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(NAME, primary_key=True)
    device: Mapped[str] = mapped_column(NAME, primary_key=True)
    fate: Mapped[str]  # asked, answered, refused, rejected, retracted, late, silent
    reason: Mapped[str]
    bytes_up: Mapped[int]
    bytes_down: Mapped[int]
    seconds: Mapped[float | None]  # from asked to answered
    train_seconds: Mapped[float | None]  # of a device's job, as it says; None: its update is not in the model
    steps: Mapped[int | None]  # of training in that job

    __table_args__ = (of("rounds", "run_id", "number"),)


class Evaluation(Owned, Base):
    """How good a model version was on the members' hold-outs: exact sums, and what follows from them."""

    __tablename__ = "evaluations"

    run_id: Mapped[str] = mapped_column(NAME, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)  # 0: the model that the run started from
    loss: Mapped[float | None]
    accuracy: Mapped[float | None]
    examples: Mapped[int]
    members: Mapped[int]  # devices
    at: Mapped[datetime]

    __table_args__ = (of("runs", "run_id"),)
