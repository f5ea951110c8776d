"""SQLite: many operations in one commit, none harmed by another's failure, and a full disk survived."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.journal.sqlite import SqliteRunner
from bot.journal.tables import metadata
from bot.ports import JournalUnavailable
from bot.storage.engine import sqlite_engine
from bot.storage.sqlite import connect, write_lock


def put(conn: sa.Connection, value: str) -> int:
    """Add a row; return how many there are."""
    conn.exec_driver_sql("INSERT INTO kept (value) VALUES (?)", (value,))
    return count(conn)


def count(conn: sa.Connection) -> int:
    """How many rows there are."""
    return int(conn.exec_driver_sql("SELECT count(*) FROM kept").scalar_one())


def stumble(conn: sa.Connection, value: str) -> int:
    """Add a row, then fail."""
    put(conn, value)
    raise LookupError(value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database file with one table, on which only different values can be kept."""
    file = tmp_path / "test.db"
    conn = connect(file)
    conn.execute("CREATE TABLE kept (value TEXT UNIQUE)")
    conn.close()
    return file


@pytest.fixture
async def runner(path: Path) -> AsyncIterator[SqliteRunner]:
    """A runner over that file."""
    running = SqliteRunner(path)
    yield running
    await running.close()


async def test_what_waits_for_a_commit_shares_the_next(runner: SqliteRunner, path: Path) -> None:
    """200 operations queued while the file is held come to disk in two commits at most, in their order."""
    commits = 0

    def committed(_conn: sa.Connection) -> None:
        nonlocal commits
        commits += 1

    sa.event.listen(sa.Engine, "commit", committed)
    try:
        with write_lock(path):
            waiting = [asyncio.create_task(runner.write(put, str(number))) for number in range(200)]
            await asyncio.sleep(0)
        assert await asyncio.gather(*waiting) == list(range(1, 201))
    finally:
        sa.event.remove(sa.Engine, "commit", committed)
    assert commits <= 2


async def test_one_failure_harms_no_other(runner: SqliteRunner) -> None:
    """Of many operations in one commit the failing ones raise their own error, and all others are kept."""
    tasks = [runner.write(stumble if number % 10 == 0 else put, str(number)) for number in range(100)]
    found = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [str(error) for error in found if isinstance(error, LookupError)]
    assert failed == [str(number) for number in range(0, 100, 10)]
    assert await runner.read(count) == 90


async def test_a_refused_statement_is_named_without_its_data(runner: SqliteRunner) -> None:
    """What the database refuses raises JournalUnavailable, whose text, cause and all, holds no value."""
    await runner.write(put, "sesame")
    with pytest.raises(JournalUnavailable) as caught:
        await runner.write(put, "sesame")
    assert str(caught.value) == "IntegrityError: SQLITE_CONSTRAINT_UNIQUE"
    assert "sesame" not in repr(caught.value.__cause__) + str(caught.value.__cause__)


async def test_a_cancelled_wait_undoes_nothing(runner: SqliteRunner, path: Path) -> None:
    """An operation whose caller is cancelled is still committed, and those beside it are told of theirs."""
    with write_lock(path):
        impatient = asyncio.create_task(runner.write(put, "impatient"))
        patient = asyncio.create_task(runner.write(put, "patient"))
        await asyncio.sleep(0)
        impatient.cancel()
    assert await patient == 2


async def test_closing_commits_what_is_queued(runner: SqliteRunner, path: Path) -> None:
    """What was queued before the close is on disk after it; what comes later is refused."""
    waiting = [asyncio.create_task(runner.write(put, str(number))) for number in range(50)]
    await asyncio.sleep(0)
    await runner.close()
    await asyncio.gather(*waiting)
    conn = sqlite3.connect(path)
    assert conn.execute("SELECT count(*) FROM kept").fetchone() == (50,)
    conn.close()
    with pytest.raises(JournalUnavailable):
        await runner.write(put, "late")


async def test_reads_do_not_wait_for_a_writer(runner: SqliteRunner, path: Path) -> None:
    """While another connection holds the file for writing, what is committed can still be read."""
    await runner.write(put, "early")
    other = connect(path)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO kept VALUES ('in flight')")
    assert await asyncio.wait_for(runner.read(count), 5) == 1
    other.execute("ROLLBACK")
    other.close()


async def test_the_memory_store_writes_in_turn(runner: SqliteRunner, path: Path) -> None:
    """A thread that writes to the same file under its lock, as the memory store does, meets no busy database."""

    def store() -> None:
        conn = connect(path)
        for number in range(50):
            with write_lock(path):
                conn.execute("BEGIN IMMEDIATE")
                conn.execute("INSERT INTO kept VALUES (?)", (f"fact {number}",))
                conn.execute("COMMIT")
        conn.close()

    thread = threading.Thread(target=store)
    thread.start()
    for number in range(50):
        await runner.write(put, str(number))
    await asyncio.to_thread(thread.join)
    assert await runner.read(count) == 100


@pytest.mark.slow
async def test_a_backup_holds_up_no_message(runner: SqliteRunner, path: Path) -> None:
    """While somebody reads on for long, what was erased waits in the log for them, and nobody else waits for that."""
    reader = connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM kept").fetchone()
    await runner.write(put, "one")
    await runner.write(put, "two")  # where the log of an earlier process is looked after
    longest = 0.0
    for number in range(130):
        began = time.monotonic()
        await runner.write(put, str(number))
        longest = max(longest, time.monotonic() - began)
        await asyncio.sleep(0.05)
    reader.close()
    assert longest < 0.5


async def test_a_full_disk_is_an_error_and_no_end(path: Path) -> None:
    """Where the disk is full, a write raises JournalUnavailable; with room again the same runner goes on."""
    runner = SqliteRunner(path)
    await runner.write(put, "before")
    await runner.write(limit, 8)
    with pytest.raises(JournalUnavailable, match="SQLITE_FULL"):
        await runner.write(put, "x" * 100_000)
    assert await runner.read(count) == 1
    await runner.write(limit, 1_000_000)
    assert await runner.write(put, "x" * 100_000) == 2
    await runner.close()


def limit(conn: sa.Connection, pages: int) -> None:
    """Give the file no more room than so many pages."""
    conn.exec_driver_sql(f"PRAGMA max_page_count={pages}")


def test_another_process_leaves_the_log_in_use_alone(tmp_path: Path) -> None:
    """However many connections are opened here, one that another process closes doesn't take the file for unused."""
    path = tmp_path / "bot.db"
    first = connect(path)
    first.execute("CREATE TABLE said (text)")
    first.execute("INSERT INTO said VALUES ('before')")
    second = connect(path)
    look = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM said').fetchone()[0])"
    for count in (1, 2):
        found = subprocess.run([sys.executable, "-c", look, path], capture_output=True, text=True, check=True)
        assert found.stdout.strip() == str(count)
        first.execute("INSERT INTO said VALUES ('after')")
    assert path.with_name("bot.db-wal").exists(), "the write-ahead log was deleted while it is in use"
    assert second.execute("SELECT count(*) FROM said").fetchone() == (3,)
    assert second.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for conn in (first, second):
        conn.close()


async def test_erasures_take_turns_with_others(path: Path) -> None:
    """However many erasures wait, what is written after them doesn't wait for all of them."""
    with sqlite_engine(path).begin() as conn:
        metadata.create_all(conn)
    runner = SqliteRunner(path, erasing_time=0.0)
    done: list[str] = []

    async def noted(name: str, work: Awaitable[object]) -> None:
        await work
        done.append(name)

    erasing = [noted("erased", runner.erase(put, f"e{number}")) for number in range(20)]
    writing = [noted("written", runner.write(put, f"w{number}")) for number in range(5)]
    await asyncio.gather(*erasing, *writing)
    assert done[:5].count("written") >= 4
    assert (done.count("erased"), done.count("written")) == (20, 5)
    assert await runner.read(count) == 25
    await runner.close()
