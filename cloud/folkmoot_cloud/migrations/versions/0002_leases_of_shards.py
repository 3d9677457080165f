"""Leases are of shards and last as long as their holder's beat; what is journalled says when it was by the common clock."""

import sqlalchemy as sa
from alembic import op

COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("leases")  # whoever held one has stopped, or is about to find that it can commit nothing
    op.create_table(
        "leases",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("shard", sa.String(length=2), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("token", COUNTER, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_leases_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "shard", name=op.f("pk_leases")),
    )
    op.create_table(
        "replicas",
        sa.Column("tenant", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("beats", COUNTER, nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_replicas_tenant_tenants")),
        sa.PrimaryKeyConstraint("tenant", "name", name=op.f("pk_replicas")),
    )
    # 0: nobody knows how long ago. An open round of before goes on without the time that the service was off.
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.add_column(sa.Column("wall_ms", COUNTER, nullable=False, server_default="0"))
    op.execute("DELETE FROM snapshots WHERE machine = 'timeline'")
