"""What tests of several packages share: one PostgreSQL a session, and which packages are slow."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.memory import mem0_env
from tests import postgres
from tests.conformance import check, specs
from tests.fakes.traffic import TRAFFIC

# Before any test module imports a store, and mem0 with it.
mem0_env.prepare()

TESTS = Path(__file__).parent
#: Packages that run the whole program as child processes: minutes of tests.
SLOW = frozenset({"faults", "hostile", "whole"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow packages (slow modules and tests elsewhere say so themselves), and spread their tests evenly.

    Each of them starts processes: where all workers are at them at once, none has the processor that it needs in time.
    """
    slow = [item for item in items if item.path.relative_to(TESTS).parts[0] in SLOW]
    for item in slow:
        item.add_marker(pytest.mark.slow)
    others = [item for item in items if item.path.relative_to(TESTS).parts[0] not in SLOW]
    every = len(others) // (len(slow) + 1) + 1
    items[:] = []
    for start in range(0, max(len(others), 1), every):
        items += others[start : start + every]
        if slow:
            items.append(slow.pop())
    items += slow


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


@pytest.fixture(autouse=True)
def conforming_traffic() -> Iterator[None]:
    """Whatever went over the wire in a test is what the services' own descriptions allow, where those are at hand."""
    yield
    if specs.there():
        found = [fault for record in TRAFFIC.take() for fault in check.faults(record)]
        assert not found, "not as the service describes it:\n" + "\n".join(found)
