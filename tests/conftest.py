"""What tests of several packages share: one PostgreSQL a session."""

from collections.abc import Iterator

import pytest

from bot.memory import mem0_env
from tests import postgres

# Before any test module imports a store, and mem0 with it.
mem0_env.prepare()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of this test session's own server."""
    with postgres.server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    with postgres.database(postgres_server) as url:
        yield url


@pytest.fixture(scope="module")
def module_postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a database that the tests of one module share."""
    with postgres.database(postgres_server) as url:
        yield url
