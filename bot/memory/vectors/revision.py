"""Migrates the memory store's tables to their newest revision. Imported only if they have another one."""

from pathlib import Path

import sqlalchemy as sa

from bot.config import SettingsError
from bot.memory.vectors.meta import HEAD, VERSION_TABLE
from bot.storage import migrations

_FOLDER = Path(__file__).parent / "migrations"
#: PostgreSQL's advisory lock for migrations: an arbitrary constant, different from the journal's.
_LOCK = 0x6D656D6D6967


def migrate_file(path: Path) -> None:
    """Upgrade a SQLite file; hold its `write_lock`. Raises SettingsError if a newer version has created it."""
    from bot.storage.engine import sqlite_engine

    opened = sqlite_engine(path)
    try:
        with opened.connect() as conn:
            conn.exec_driver_sql("BEGIN IMMEDIATE")
            _upgrade(conn, "BOT_DATA_DIR")
    finally:
        opened.dispose()


def migrate_database(url: str) -> None:
    """Upgrade a PostgreSQL database, which has pgvector. Raises SettingsError if a newer version has created it."""
    from bot.storage.engine import parse_url, postgres_engine

    opened = postgres_engine(parse_url(url))
    try:
        with opened.connect() as conn:
            _upgrade(conn, "DATABASE_URL")
    finally:
        opened.dispose()


def _upgrade(conn: sa.Connection, place: str) -> None:
    try:
        migrations.upgrade(conn, _FOLDER, VERSION_TABLE, HEAD, _LOCK)
        conn.commit()
    except sa.exc.SQLAlchemyError as exc:
        name = type(exc.__cause__ or exc).__name__
        raise SettingsError(f"{place}: the memories' tables can't be brought up to date ({name})") from exc
