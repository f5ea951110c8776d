"""PostgreSQL: connections that drop, and a database that is away for a while."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from bot.journal.journal import SqlJournal
from bot.journal.opening import open_journal
from bot.ports import JournalUnavailable
from tests.journal.conftest import Database
from tests.journal.makers import told
from tests.makers import ANN, message, until

CANARY = "zebrafinch"


@pytest.fixture
async def journal(postgres_only: Database) -> AsyncIterator[SqlJournal]:
    """A journal on PostgreSQL."""
    opened = await open_journal(postgres_only.settings)
    yield opened
    await opened.close()


def drop_connections(postgres_server: str, database: Database, *, refuse: bool = False) -> None:
    """End the database's connections from the server's side; with `refuse`, let no new ones in."""
    name = (database.url or "").split("/")[3].split("?")[0]
    with psycopg.connect(postgres_server, autocommit=True) as conn:
        conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {'false' if refuse else 'true'}".encode())
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))


async def test_a_dropped_connection_is_not_noticed(
    journal: SqlJournal, postgres_server: str, postgres_only: Database
) -> None:
    """Where the server has closed idle connections, the next operation opens a new one and goes through."""
    await told(journal, "one", 1)
    for number in (2, 3):
        drop_connections(postgres_server, postgres_only)
        await told(journal, "again", number)
    assert (await journal.backlog()).waiting == 3


async def test_a_database_away_is_an_error_and_no_end(
    journal: SqlJournal, postgres_server: str, postgres_only: Database
) -> None:
    """While the database lets nobody in, operations raise JournalUnavailable; afterwards the same journal goes on."""
    await told(journal, "one", 1)
    drop_connections(postgres_server, postgres_only, refuse=True)
    with pytest.raises(JournalUnavailable):
        await journal.inbox.admit(message("two", number=2))
    drop_connections(postgres_server, postgres_only)
    await told(journal, "two", 2)
    assert (await journal.backlog()).waiting == 2


@pytest.mark.slow
async def test_an_erasure_that_a_backup_sees_is_finished_later(journal: SqlJournal, postgres_only: Database) -> None:
    """Deleted rows that an older transaction still sees go from the pages soon after it has ended, by themselves."""
    await told(journal, f"My bird is a {CANARY}.", 1)
    with psycopg.connect(postgres_only.url or "") as backup:
        backup.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        backup.execute("SELECT 1 FROM turns").fetchall()
        assert await journal.texts.forget_person(ANN.key, [ANN.key])
        assert CANARY.encode() in postgres_only.everything()
    await until(lambda: CANARY.encode() not in postgres_only.everything(), 20)


async def test_statistics_hold_no_texts(journal: SqlJournal, postgres_only: Database) -> None:
    """The samples that PostgreSQL takes of its tables hold nothing of what was said, so that they outlive nothing."""
    await told(journal, f"My bird is a {CANARY}.", 1, answer=f"A {CANARY}, nice.")
    await journal.inbox.admit(message(f"Is my {CANARY} pretty?", number=2))
    with psycopg.connect(postgres_only.url or "", autocommit=True) as conn:
        conn.execute("ANALYZE")
        (samples,) = conn.execute("SELECT string_agg(stats::text, '') FROM pg_stats AS stats").fetchone() or ("",)
    assert ANN.key in samples
    assert CANARY not in samples
