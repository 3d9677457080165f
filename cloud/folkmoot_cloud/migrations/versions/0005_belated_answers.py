"""Answers may count in a later round than the one that asked for them."""

import sqlalchemy as sa
from alembic import op

COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0005"
down_revision: str | None = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("offline", sa.JSON(), nullable=True))
    # Until now every answer counted wholly in the round that had asked for it.
    with op.batch_alter_table("contributions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("asked", COUNTER, nullable=True))
        batch_op.add_column(sa.Column("local", COUNTER, nullable=True))
        batch_op.add_column(sa.Column("factor", COUNTER, nullable=True))
    op.execute("UPDATE contributions SET asked = number, local = 0, factor = 1024")
    with op.batch_alter_table("contributions", schema=None) as batch_op:
        for name in ("asked", "local", "factor"):
            batch_op.alter_column(name, existing_type=COUNTER, nullable=False)
