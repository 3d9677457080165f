"""What all tables share: names of constraints, column types, the tenant."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, LargeBinary, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from folkmoot_cloud.columns import COUNTER, NAME, Moment, Prose

# Names that both databases and every migration agree on.
CONSTRAINTS = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """What all tables share."""

    metadata = MetaData(naming_convention=CONSTRAINTS)
    type_annotation_map = {  # noqa: RUF012  read by SQLAlchemy when the class is made
        datetime: Moment,
        dict[str, Any]: JSON,
        list[Any]: JSON,
        bytes: LargeBinary,
        int: COUNTER,
        str: Prose,
    }


class Tenant(Base):
    """Who everything belongs to. There is one, `main`."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(NAME, primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime]


class Owned:
    """A row of a tenant."""

    tenant: Mapped[str] = mapped_column(NAME, ForeignKey("tenants.id"), primary_key=True, sort_order=-1)


def of(table: str, *columns: str) -> ForeignKeyConstraint:
    """Gives the reference to a row of the same tenant; `columns` are ours, theirs is the rest of the primary key."""
    theirs = {"tasks": ["id"], "runs": ["id"], "models": ["id"], "gateways": ["id"], "rounds": ["run_id", "number"]}[table]
    return ForeignKeyConstraint(["tenant", *columns], [f"{table}.{column}" for column in ("tenant", *theirs)])
