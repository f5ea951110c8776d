"""The journal's revision, and the migration to its newest one."""

from pathlib import Path

import sqlalchemy as sa

from bot.storage import migrations

#: The newest revision under `migrations/versions`: alembic is imported only if the database has another.
HEAD = "0016"
#: The table that holds the revision; the memory store has one of its own.
VERSION_TABLE = "journal_version"
#: PostgreSQL's advisory lock for migrations: any number, but always the same.
_LOCK = 0x6D656D626F74


def revision(conn: sa.Connection) -> str | None:
    """The database's revision, None if it has no journal yet."""
    return migrations.revision(conn, VERSION_TABLE)


def migrate(conn: sa.Connection) -> None:
    """Upgrade within the transaction that `conn` is in, see `bot.storage.migrations.upgrade`."""
    migrations.upgrade(conn, Path(__file__).parent / "migrations", VERSION_TABLE, HEAD, _LOCK)
