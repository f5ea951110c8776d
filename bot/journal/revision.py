"""The journal's revision, and the way to its newest one."""

from pathlib import Path

import sqlalchemy as sa

from bot.storage import migrations

#: The newest revision under `migrations/versions`: alembic is imported only where the database has another.
HEAD = "0006"
#: Where the database keeps its revision; the memory store has its own elsewhere.
VERSION_TABLE = "journal_version"
#: PostgreSQL's advisory lock for migrations: any number, but always the same.
_LOCK = 0x6D656D626F74


def revision(conn: sa.Connection) -> str | None:
    """The database's revision, None where it has no journal yet."""
    return migrations.revision(conn, VERSION_TABLE)


def migrate(conn: sa.Connection) -> None:
    """Upgrade within the transaction that `conn` is in, see `bot.storage.migrations.upgrade`."""
    migrations.upgrade(conn, Path(__file__).parent / "migrations", VERSION_TABLE, HEAD, _LOCK)
