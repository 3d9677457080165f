"""Alembic's entry: the connection comes from whoever called."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import BigInteger

from folkmoot_cloud.columns import COUNTER, Moment, Prose
from folkmoot_cloud.tables import Base


def _render(kind: str, item: Any, autogenerate: Any) -> str | Literal[False]:
    """Gives how a draft writes our own types: a migration must not change when they do."""
    if kind == "type" and isinstance(item, Moment):
        return "MOMENT"
    if kind == "type" and isinstance(item, BigInteger) and item._variant_mapping == COUNTER._variant_mapping:
        return "COUNTER"
    if kind == "type" and isinstance(item, Prose):
        return "sa.Text()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_item=_render,
    render_as_batch=True,  # SQLite alters a table by making it anew
)
with context.begin_transaction():
    context.run_migrations()
