"""Warns at startup about memories in a store that the settings leave unused."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from bot.config import Settings

log = logging.getLogger(__name__)


def warn_of_unused(settings: Settings, path: Path) -> None:
    """Warn of memories in the SQLite file at `path`, if another store is configured, or in an unused PostgreSQL.

    Blocking. Call it before this process opens the file: closing any handle drops all of its POSIX locks.
    """
    instead = "hosted mem0 (MEM0_API_KEY)" if settings.mem0_api_key else "PostgreSQL (DATABASE_URL)"
    if (settings.mem0_api_key or settings.database_url) and (count := _in_file(path)):
        log.warning("%s holds memories that are not used (%d): memories are now in %s", path, count, instead)
    if settings.mem0_api_key and settings.database_url and (count := _in_postgres(settings)):
        log.warning(
            "the database of DATABASE_URL holds memories that are not used (%d): memories are now in %s", count, instead
        )


def _in_file(path: Path) -> int:
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True, timeout=1)) as conn:
            if conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'memories'").fetchone() is None:
                return 0
            (count,) = conn.execute("SELECT count(*) FROM memories").fetchone()
    except sqlite3.Error as exc:
        log.warning("%s could not be searched for unused memories: %s", path, type(exc).__name__)
        return 0
    return int(count)


def _in_postgres(settings: Settings) -> int:
    import psycopg  # the journal there imports it anyway

    from bot.storage.engine import parse_url

    assert settings.database_url is not None
    url = parse_url(settings.database_url.get_secret_value()).set(drivername="postgresql")
    try:
        with psycopg.connect(url.render_as_string(hide_password=False), connect_timeout=5) as conn:
            there = conn.execute("SELECT to_regclass('memories') IS NOT NULL").fetchone()
            if not there or not there[0]:
                return 0
            found = conn.execute("SELECT count(*) FROM memories").fetchone()
    except psycopg.Error as exc:
        log.warning("PostgreSQL could not be searched for unused memories: %s", type(exc).__name__)
        return 0
    return int(found[0]) if found else 0
