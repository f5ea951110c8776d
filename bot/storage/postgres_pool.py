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

#: A connection that lay idle for longer, in seconds, is asked for a sign of life before it is used.
FRESH = 1.0


class Pool:
    """At most `size` connections in autocommit mode, made when they are needed; safe in threads."""

    def __init__(self, url: str, size: int = 8) -> None:
        self._url = url
        self._slots = threading.BoundedSemaphore(size)
        self._idle: list[tuple[float, Connection]] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection; wait while all are lent. Raises MemoryUnavailable for whatever PostgreSQL reports.

        Without the cause: its message may quote a row.
        """
        with self._slots:
            conn: Connection | None = None
            reason = ""
            try:
                conn = self._take()
                yield conn
            except psycopg.Error as exc:
                reason = f"{type(exc).__name__} {exc.sqlstate or ''}".strip()
            finally:
                self._give_back(conn)
        if reason:
            log.warning("PostgreSQL: %s", reason)
            raise MemoryUnavailable(f"PostgreSQL: {reason}") from None

    def _take(self) -> Connection:
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

    def _give_back(self, conn: Connection | None) -> None:
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
        """Close the idle connections now, and those lent when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, conn in idle:
            conn.close()


def connect(url: str) -> Connection:
    """A connection in autocommit mode. Nothing is prepared on the server: a pooler in between may switch sessions."""
    url = "postgresql://" + url.removeprefix("postgres://") if url.startswith("postgres://") else url
    conn = psycopg.connect(url, autocommit=True, prepare_threshold=None, **CONNECT)
    try:
        conn.execute(LIMITS)
    except BaseException:
        conn.close()
        raise
    return conn


def check(url: str) -> None:
    """Connect once. Raises SettingsError, in one line that doesn't hold the URL, where that fails."""
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
