"""Brings the tables to the newest revision, in place, by alembic; once, also where several processes start together."""

from pathlib import Path

import sqlalchemy as sa

from bot.config import SettingsError
from bot.postgres import UNLIMITED

#: The newest revision under `migrations/versions`: alembic is imported only where the database has another.
HEAD = "0002"
#: Where the database keeps its revision; the memory store has its own elsewhere.
VERSION_TABLE = "journal_version"
#: PostgreSQL's advisory lock for migrations: any number, but always the same.
_LOCK = 0x6D656D626F74


def revision(conn: sa.Connection) -> str | None:
    """The database's revision, None where it has no journal yet."""
    if not sa.inspect(conn).has_table(VERSION_TABLE):
        return None
    found: str | None = conn.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return found


def migrate(conn: sa.Connection) -> None:
    """Upgrade within the transaction that `conn` is in, which is to be committed afterwards.

    On SQLite the transaction must have begun with BEGIN IMMEDIATE, so that a second process waits before it looks.
    Raises SettingsError where the database was made by a newer version.
    """
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(UNLIMITED)
        conn.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    stored = revision(conn)
    if stored == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = conn
    try:
        command.upgrade(config, "head")
    except CommandError as exc:
        place = "DATABASE_URL" if conn.dialect.name == "postgresql" else "BOT_DATA_DIR"
        raise SettingsError(f"{place}: holds data of another version of the bot (revision {stored})") from exc
