"""Migrates tables to their newest revision, in place, with Alembic; once, even if several processes start together."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from bot.config import SettingsError
from bot.storage.postgres import UNLIMITED

log = logging.getLogger(__name__)

#: How long a migration waits for a table in use (milliseconds), and how long it then lets others go first before it
#: retries (seconds): later users queue behind it, and the earlier version is still running.
TABLE_WAIT_MS = 1000
TABLE_PAUSE = 2.0
_LOCK_NOT_AVAILABLE = "55P03"


def revision(conn: sa.Connection, version_table: str) -> str | None:
    """The revision in a version table; None if there is none yet."""
    if not sa.inspect(conn).has_table(version_table):
        return None
    found: str | None = conn.execute(sa.text(f"SELECT version_num FROM {version_table}")).scalar()
    return found


def upgrade(conn: sa.Connection, folder: Path, version_table: str, head: str, lock: int) -> None:
    """Run the migrations in `folder` within the transaction that `conn` is in, which the caller commits.

    On SQLite the transaction must have started with BEGIN IMMEDIATE, so that a second process waits before it reads the
    revision; on PostgreSQL it waits for the advisory lock `lock`. Alembic is imported only if there is something to do.
    Raises SettingsError if the database was created by a newer version.
    """
    on_postgres = conn.dialect.name == "postgresql"
    if on_postgres:
        conn.exec_driver_sql(UNLIMITED)
        conn.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
    stored = revision(conn, version_table)
    if stored == head:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = conn
    try:
        if on_postgres:
            _between_others(conn, lambda: command.upgrade(config, "head"))
        else:
            command.upgrade(config, "head")
    except CommandError as exc:
        place = "DATABASE_URL" if on_postgres else "BOT_DATA_DIR"
        raise SettingsError(f"{place}: holds data of another version of the bot (revision {stored})") from exc


def _between_others(conn: sa.Connection, work: Callable[[], object]) -> None:
    """Do work that locks tables, retrying until they are free so that others wait only briefly (PostgreSQL)."""
    while True:
        try:
            with conn.begin_nested():
                conn.exec_driver_sql(f"SET LOCAL lock_timeout = {TABLE_WAIT_MS}")
                work()
            return
        except sa.exc.OperationalError as exc:
            if getattr(exc.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            log.warning("the tables are in use (a backup?), retrying the migration in %.0f s", TABLE_PAUSE)
        time.sleep(TABLE_PAUSE)
