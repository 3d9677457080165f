"""What a run is predicted from: how long devices trained, and for how long everybody was there."""

import sqlalchemy as sa
from alembic import op

COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()

revision = "0006"
down_revision: str | None = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("prediction", sa.JSON(), nullable=True))
    with op.batch_alter_table("round_members", schema=None) as batch_op:
        batch_op.add_column(sa.Column("train_seconds", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("steps", COUNTER, nullable=True))
    # With defaults: where a column is made strict afterwards, SQLite makes the table anew, and others refer to this one.
    for table in ("gateways", "devices"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("changed_at", MOMENT, nullable=False, server_default="0"))
            batch_op.add_column(sa.Column("up_ms", COUNTER, nullable=False, server_default="0"))
            batch_op.add_column(sa.Column("down_ms", COUNTER, nullable=False, server_default="0"))
        # Nobody has counted until now: the count begins when it was last heard of.
        op.execute(f"UPDATE {table} SET changed_at = last_seen")  # noqa: S608
