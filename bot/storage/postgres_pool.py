"""A small pool of synchronous PostgreSQL connections, for threads."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from bot.config import SettingsError
from bot.ports import MemoryUnavailable
from bot.storage.postgres import CONNECT, LIMITS

log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]

#: Seconds of idleness after which a connection is checked before it is used.
FRESH = 1.0


class Pool:
    """At most `size` connections in autocommit mode, opened on demand; thread-safe."""

    def __init__(self, url: str, size: int = 8) -> None:
        self._url = url
        self._slots = threading.BoundedSemaphore(size)
        self._idle: list[tuple[float, Connection]] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Borrow a connection; wait while all are in use. Raises MemoryUnavailable for any PostgreSQL error.

        Without the cause: its message may quote a row.
        """
        with self._slots:
            conn: Connection | None = None
            reason = ""
            try:
                conn = self._checkout()
                yield conn
            except psycopg.Error as exc:
                reason = f"{type(exc).__name__} {exc.sqlstate or ''}".strip()
            finally:
                self._return(conn)
        if reason:
            log.warning("PostgreSQL: %s", reason)
            raise MemoryUnavailable(f"PostgreSQL: {reason}") from None

    def _checkout(self) -> Connection:
        while True:
            with self._lock:
                if not self._idle:
                    break
                since, conn = self._idle.pop()
            if time.monotonic() - since < FRESH or _alive(conn):
                return conn
            with suppress(psycopg.Error):
                conn.close()
        return connect(self._url)

    def _return(self, conn: Connection | None) -> None:
        if conn is None:
            return
        keep = not conn.closed and conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        with self._lock:
            if keep and not self._closed:
                self._idle.append((time.monotonic(), conn))
                return
        with suppress(psycopg.Error):
            conn.close()

    def close(self) -> None:
        """Close idle connections now, and those in use when they are returned."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, conn in idle:
            conn.close()


def connect(url: str) -> Connection:
    """A connection in autocommit mode, without prepared statements: a pooler in between may switch sessions."""
    url = "postgresql://" + url.removeprefix("postgres://") if url.startswith("postgres://") else url
    conn = psycopg.connect(url, autocommit=True, prepare_threshold=None, **CONNECT)
    try:
        conn.execute(LIMITS)
    except BaseException:
        conn.close()
        raise
    return conn


def check(url: str) -> None:
    """Connect once. Raises SettingsError, without the URL, if that fails."""
    try:
        connect(url).close()
    except psycopg.ProgrammingError:
        raise SettingsError("DATABASE_URL: not a URL like postgresql://user:password@host:5432/database") from None
    except psycopg.Error as exc:
        raise SettingsError(f"DATABASE_URL: PostgreSQL can't be reached ({type(exc).__name__})") from None


def _alive(conn: Connection) -> bool:
    try:
        conn.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True
