"""The schema's history, run when the service starts.

A change of the tables is a new file in `versions/`: `alembic.command.revision(migrations.configuration(url),
message, autogenerate=True)` writes a first draft against a database that is up to date.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from folkmoot.errors import UserFault
from folkmoot_cloud.database import Database

# One replica migrates at a time; any number that no other program on the server uses.
LOCK = 0x666F6C6B


def configuration(connection: Connection) -> Config:
    """Gives Alembic's settings for an open connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


async def upgrade(database: Database) -> None:
    """Brings the database to the newest form, in one transaction; does nothing where it is there.

    Raises UserFault where it is from a newer program.
    """
    async with database.engine.begin() as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    config = configuration(connection)
    scripts = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    if current == scripts.get_current_head():
        return
    try:
        scripts.get_revision(current or "base")
    except CommandError:
        raise UserFault(f"the database is from a newer program (revision {current}): update folkmoot") from None
    command.upgrade(config, "head")
