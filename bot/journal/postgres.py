"""The journal on PostgreSQL, for many processes at once: a few threads, each operation in its own transaction.

SQLAlchemy's synchronous engine in threads takes half the CPU time of its asynchronous one (measured with psycopg, 50
people at once: 2.1 ms instead of 4.2 ms for the four operations of a message).
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate

import psycopg
import sqlalchemy as sa

from bot.aio.backoff import Backoff
from bot.journal.runner import P, T
from bot.journal.tables import TEXTS
from bot.ports import JournalUnavailable
from bot.storage.engine import CONNECTIONS
from bot.storage.postgres import rewrite

log = logging.getLogger(__name__)

#: Until the tables of texts are rewritten again, if older transactions still saw deleted rows.
BACKOFF = Backoff(first=2.0, longest=60.0)


class PostgresRunner:
    """Runs the journal's functions in threads. Made and used on one event loop."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._closing = False
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="journal")
        #: Erasures so far, and how many of them are off the disk. The first may be an earlier process's.
        self._erasures = 1
        self._scrubbed = 0
        self._scrubbing = asyncio.Lock()
        self._next_try = 0.0
        self._failures = 0

    async def write(self, function: Callable[Concatenate[sa.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run in one transaction and commit."""
        return await self._threaded(self._engine, lambda conn: function(conn, *args, **kwargs))

    async def read(self, function: Callable[Concatenate[sa.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run without a transaction around it: each statement sees what is committed."""
        return await self._threaded(self._single, lambda conn: function(conn, *args, **kwargs))

    async def erase(
        self, function: Callable[Concatenate[sa.Connection, P], int], *args: P.args, **kwargs: P.kwargs
    ) -> int:
        """Delete, then rewrite the tables that hold text."""
        count = await self.write(function, *args, **kwargs)
        self._erasures += 1
        self._next_try, self._failures = 0.0, 0
        await self.scrub()
        return count

    async def scrub(self) -> None:
        """Rewrite the tables that hold text, if an older transaction prevented that until now."""
        wanted = self._erasures
        async with self._scrubbing:
            if self._scrubbed >= wanted or time.monotonic() < self._next_try:
                return
            wanted, clean = self._erasures, False
            try:
                clean = await self._threaded(self._single, _rewrite)
            except JournalUnavailable as exc:
                log.warning("erased data is still on disk: %s", exc)
            if clean:
                self._scrubbed = wanted
            elif wanted == self._erasures:
                self._failures += 1
                self._next_try = time.monotonic() + BACKOFF.after(self._failures)

    async def _threaded(self, engine: sa.Engine, function: Callable[[sa.Connection], T]) -> T:
        if self._closing:
            raise JournalUnavailable("the journal is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, _run, engine, function)
        except (sa.exc.SQLAlchemyError, OSError) as exc:
            name = type(exc.__cause__ or exc).__name__
            log.error("the journal's database can't be reached: %s", name)
            raise JournalUnavailable(name) from exc

    async def close(self) -> None:
        """Finish what is queued, then close the connections."""
        self._closing = True
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()


def _run(engine: sa.Engine, function: Callable[[sa.Connection], T], *, retry: bool = True) -> T:
    with engine.connect() as connection:
        try:
            result = function(connection)
        except sa.exc.DBAPIError as exc:
            if not (retry and (exc.connection_invalidated or isinstance(exc.orig, psycopg.errors.DeadlockDetected))):
                raise
        else:
            connection.commit()  # what fails here may have been committed, so it isn't retried
            return result
    # The server had closed this connection while it was idle, and the pool has dropped it and its like; or it was a
    # deadlock of two transactions that changed several rows each: the other one goes first then.
    return _run(engine, function, retry=False)


def _rewrite(conn: sa.Connection) -> bool:
    raw = conn.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    try:
        clean = True
        for table in TEXTS:
            clean &= rewrite(raw, table.name)
        return clean
    except psycopg.Error as exc:
        log.warning("a table of texts can't be rewritten now, retrying: %s", type(exc).__name__)
        return False
