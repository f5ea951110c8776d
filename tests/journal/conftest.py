"""One database at a time, SQLite and PostgreSQL alike, behind the same fixtures."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.config import Settings
from bot.journal.journal import SqlJournal
from bot.journal.opening import open_journal
from bot.storage.sqlite import connect, database_path
from tests.makers import MONDAY


@dataclass(slots=True)
class Clock:
    """Seconds since 1970, moved by hand."""

    now: float = field(default_factory=MONDAY.timestamp)

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Database:
    """Where a test's journal is, and ways to look into it from outside."""

    folder: Path
    url: str | None

    @property
    def settings(self) -> Settings:
        """Settings for this database; the environment's own don't count."""
        return Settings(_env_file=None, bot_data_dir=self.folder, database_url=self.url)  # type: ignore[call-arg,arg-type]

    def connect(self) -> Any:
        """A raw connection, as the memory store has one: sqlite3 in autocommit mode, or psycopg."""
        if self.url is None:
            return connect(database_path(self.settings))
        return psycopg.connect(self.url)

    def everything(self) -> bytes:
        """All bytes that the database keeps on disk: files and logs, or the pages of all tables and indexes."""
        if self.url is None:
            return b"".join(file.read_bytes() for file in self.folder.iterdir() if file.is_file())
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute("CHECKPOINT")
            files = conn.execute(
                "SELECT pg_read_binary_file(pg_relation_filepath(oid)) FROM pg_class WHERE relkind IN ('r', 't', 'i')"
            )
            return b"".join(content for (content,) in files)


@pytest.fixture
def sqlite_only(tmp_path: Path) -> Database:
    """An empty SQLite database."""
    return Database(tmp_path / "data", None)


@pytest.fixture
def postgres_only(postgres_url: str, tmp_path: Path) -> Database:
    """An empty PostgreSQL database."""
    return Database(tmp_path / "data", postgres_url)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    """An empty database, of each kind in turn."""
    found: Database = request.getfixturevalue(f"{request.param}_only")
    return found


Open = Callable[..., Awaitable[SqlJournal]]


@pytest.fixture
def clock() -> Clock:
    """The journal's clock, at Monday morning."""
    return Clock()


@pytest.fixture
async def open_(database: Database, clock: Clock) -> AsyncIterator[Open]:
    """Opens journals over the test's database, as different processes would; closes those still open."""
    opened: list[SqlJournal] = []

    async def open_one(**settings: Any) -> SqlJournal:
        journal = await open_journal(database.settings.model_copy(update=settings), clock)
        opened.append(journal)
        return journal

    yield open_one
    for journal in opened:
        await journal.close()


@pytest.fixture
async def journal(open_: Open) -> SqlJournal:
    """One journal over the test's database."""
    return await open_()
