"""Retractions."""

import sqlalchemy as sa
from alembic import op

COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()

revision = "0004"
down_revision: str | None = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retractions",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("number", COUNTER, nullable=False),
        sa.Column("device", sa.String(length=32), nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("done_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant", "run_id", "number"],
            ["rounds.tenant", "rounds.run_id", "rounds.number"],
            name=op.f("fk_retractions_tenant_run_id_number_rounds"),
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_retractions_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "run_id", "number", "device", name=op.f("pk_retractions")),
    )
