"""The journal on SQLite: a writer thread that commits many operations at once, and reads beside it.

A commit waits for the disk. What is queued while one commit runs shares the next, so that a hundred people cost a
hundred times the work but not a hundred times the waiting.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, NamedTuple

import sqlalchemy as sa

from bot.journal.runner import P, T
from bot.journal.tables import TEXTS
from bot.ports import JournalUnavailable
from bot.storage.engine import sqlite_engine
from bot.storage.sqlite import checkpoint, write_lock

log = logging.getLogger(__name__)

#: Operations in one transaction at most, so that the memory store gets its turn at the file.
BATCH = 256
#: Seconds for which one transaction goes on running erasures, which are many rows each: then other operations have
#: their turn, and the next erasures come after them.
ERASING_TIME = 0.1
#: While somebody reads the write-ahead log: milliseconds to wait for them, seconds until the next attempt, and the
#: milliseconds that one waits. They may take hours (a backup, a replica), and all writes wait behind an attempt.
LOG_WAIT_MS = 300
LOG_PAUSE = 5.0
LOG_RETRY_MS = 50


class _Job(NamedTuple):
    run: Callable[[sa.Connection], Any]
    future: asyncio.Future[Any]
    erases: bool = False


class SqliteRunner:
    """Runs the journal's functions on one SQLite file. Made and used on one event loop."""

    def __init__(self, path: Path, *, erasing_time: float = ERASING_TIME) -> None:
        self._path = path
        self._erasing_time = erasing_time
        self._lock = write_lock(path)
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._reader = sqlite_engine(path).connect()
        self._writer = sqlite_engine(path).connect()
        self._closing = False
        #: Erasures that wait for their turn; used by the writer thread alone.
        self._erasing: deque[_Job] = deque()
        #: Whether pages of the write-ahead log may hold what was erased: at the start, by an earlier process.
        self._log_dirty = True
        self._next_try = 0.0
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    async def write(self, function: Callable[Concatenate[sa.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Queue an operation; it is on disk when this returns. Cancelling the wait doesn't undo it."""
        return await self._queued(lambda conn: function(conn, *args, **kwargs))

    async def erase(
        self, function: Callable[Concatenate[sa.Connection, P], int], *args: P.args, **kwargs: P.kwargs
    ) -> int:
        """Delete and rewrite the tables of texts in one transaction, then empty the write-ahead log."""
        return await self._queued(lambda conn: function(conn, *args, **kwargs), erases=True)

    async def scrub(self) -> None:
        """Empty the write-ahead log, if somebody was reading it until now."""
        if self._log_dirty and time.monotonic() >= self._next_try:
            await self._queued(lambda conn: None)

    async def _queued(self, run: Callable[[sa.Connection], T], *, erases: bool = False) -> T:
        if self._closing:
            raise JournalUnavailable("the journal is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Job(run, future, erases))
        return await future

    async def read(self, function: Callable[Concatenate[sa.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read at once, on the event loop: some 0.1 ms from SQLite's cache, less than a thread would take.

        In WAL mode readers never wait for a writer.
        """
        try:
            return function(self._reader, *args, **kwargs)
        except sa.exc.SQLAlchemyError as exc:
            raise JournalUnavailable(_reason(exc)) from exc

    async def close(self) -> None:
        """Commit what is queued, then close both connections."""
        if self._closing:
            return
        self._closing = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        for connection in (self._reader, self._writer):
            connection.close()
            connection.engine.dispose()

    def _work(self) -> None:
        # No reference to a batch is kept while waiting for the next one: its texts may be forgotten meanwhile.
        while self._work_once():
            pass

    def _work_once(self) -> bool:
        batch = self._batch()
        if batch is None:
            return False
        outcomes = self._commit(batch)
        erased = any(job.erases and error is None for job, _, error in outcomes)
        if erased or (self._log_dirty and time.monotonic() >= self._next_try):
            self._empty_log(LOG_WAIT_MS if erased else LOG_RETRY_MS)
        try:
            self._loop.call_soon_threadsafe(_resolve, [(job.future, *rest) for job, *rest in outcomes])
        except RuntimeError:  # the loop is closed: nobody waits any more, and the work is on disk
            log.warning("the event loop ended before the results of %d journal operations were delivered", len(batch))
        return True

    def _batch(self) -> list[_Job] | None:
        """What is next: erasures after everything else. Waits if there is nothing; None at the end."""
        batch: list[_Job] = []
        while len(batch) < BATCH:
            try:
                job = self._queue.get(block=not (batch or self._erasing))
            except queue.Empty:
                break
            if job is None:
                if not (batch or self._erasing):
                    return None
                self._queue.put(None)
                break
            (self._erasing if job.erases else batch).append(job)
        batch += self._erasing
        self._erasing.clear()
        return batch

    def _commit(self, batch: list[_Job]) -> list[tuple[_Job, Any, Exception | None]]:
        """Run a batch in one transaction; if any of it fails, each in its own, so that one doesn't fail the others.

        Erasures that don't fit into the time of one transaction wait for the next.
        """
        try:
            results = self._transaction(batch)
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is handed to the caller of that operation
            if len(batch) > 1:
                return [outcome for job in batch for outcome in self._commit([job])]
            if isinstance(exc, sa.exc.SQLAlchemyError):
                log.error("%s can't be written: %s", self._path, _reason(exc))
                unavailable = JournalUnavailable(_reason(exc))
                unavailable.__cause__ = exc
                return [(batch[0], None, unavailable)]
            return [(batch[0], None, exc)]
        self._erasing.extendleft(reversed(batch[len(results) :]))
        return [(job, result, None) for job, result in zip(batch, results, strict=False)]

    def _empty_log(self, wait_ms: int) -> None:
        """Move the write-ahead log into the file, where what was deleted is overwritten; retried if it is in use."""
        raw = self._writer.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        try:
            with self._lock:
                self._log_dirty = not checkpoint(raw, wait_ms=wait_ms)
        except sqlite3.Error as exc:
            self._log_dirty = True
            log.warning("%s-wal can't be checkpointed: %s", self._path, type(exc).__name__)
        if self._log_dirty:
            self._next_try = time.monotonic() + LOG_PAUSE
            log.warning("erased data is still in the write-ahead log: it is in use, retrying in %.0f s", LOG_PAUSE)

    def _transaction(self, batch: list[_Job]) -> list[Any]:
        """Run the operations, those that erase for a limited time; return the results of as many as were run."""
        with self._lock, self._writer.begin():
            self._writer.exec_driver_sql("BEGIN IMMEDIATE")
            results, erased, end = [], False, time.monotonic() + self._erasing_time
            for job in batch:
                if erased and time.monotonic() > end:
                    break
                results.append(job.run(self._writer))
                erased |= job.erases
            if erased:  # once for all of them: it takes 0.1 s for 10,000 turns
                _rewrite(self._writer)
            return results


def _rewrite(conn: sa.Connection) -> None:
    """Rewrite the tables of texts, in order: the freed pages are overwritten, and in the new ones no row has moved."""
    for table in TEXTS:
        conn.exec_driver_sql(f"CREATE TEMP TABLE rewritten AS SELECT * FROM main.{table.name}")
        conn.exec_driver_sql(f"DELETE FROM main.{table.name}")
        conn.exec_driver_sql(f"INSERT INTO main.{table.name} SELECT * FROM temp.rewritten ORDER BY 1")
        conn.exec_driver_sql("DROP TABLE temp.rewritten")


def _resolve(outcomes: list[tuple[asyncio.Future[Any], Any, Exception | None]]) -> None:
    for future, result, error in outcomes:
        if future.done():  # its waiter was cancelled
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)


def _reason(exc: sa.exc.SQLAlchemyError) -> str:
    """What is wrong, in SQLite's own words where they hold no data ("database or disk is full")."""
    cause = exc.__cause__
    name = type(cause or exc).__name__
    return f"{name}: {getattr(cause, 'sqlite_errorname', '')}".removesuffix(": ")
