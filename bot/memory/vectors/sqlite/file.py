"""The store's file: a pool of connections for reading, one for writing, and scrubbing after erasures."""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.memory.vectors.meta import HEAD, EmbedderChanged
from bot.memory.vectors.sqlite import schema
from bot.memory.vectors.sqlite.rows import Layout
from bot.memory.vectors.sqlite.schema import Blocks
from bot.storage import sqlite

logger = logging.getLogger(__name__)

#: Connections for reading that are kept open; a burst opens more and closes them again.
_POOL = 4
#: Writes after which the writing connection is reopened: Python's `sqlite3` leaks 89 bytes per `blobopen` until the
#: connection is closed (measured on 3.11).
RENEW = 20_000
#: Milliseconds that an erasure waits for readers of the write-ahead log, and that later attempts do: a backup may last
#: for minutes, and all writes, including the journal's, wait meanwhile.
SCRUB_MS = 300
SCRUB_AGAIN_MS = 20


class StoreFile:
    """The file at `path`, with the memory tables for vectors of `dims` dimensions by the embedder called `model`.

    Raises EmbedderChanged, here and in each transaction, if the stored vectors are another embedder's.
    """

    def __init__(self, path: Path, dims: int, model: str, *, renew: int = RENEW) -> None:
        self._path = path
        self._renew = renew
        self._model = model
        self._lock = sqlite.write_lock(path)
        self._pool: list[sqlite3.Connection] = []
        self._pool_lock = threading.Lock()
        self._closed = False
        self._writes = 0
        #: Whether something was erased since the last attempt to empty the log.
        self._erased = False
        with self._lock:
            self._writer = sqlite.connect(path, synchronous="NORMAL")
            try:
                if schema.revision(self._writer) != HEAD:
                    from bot.memory.vectors.revision import migrate_file

                    migrate_file(path)
                self.layout = self._open(dims)
                # A process killed between an erasure and its checkpoint leaves text in the log. If others have the file
                # open, this may fail; the next write tries again.
                self._scrub_due = not sqlite.checkpoint(self._writer, wait_ms=100)
            except BaseException:
                self._writer.close()
                raise

    def _open(self, dims: int) -> Layout:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            meta = schema.create(self._writer, self._model, dims)
            self._writer.execute("COMMIT")
        except BaseException:
            self._writer.rollback()
            raise
        (page_size,) = self._writer.execute("PRAGMA page_size").fetchone()
        return Layout(meta, Blocks.of(meta.number, dims, page_size))

    def close(self) -> None:
        """Close the connections once the write in progress is done."""
        with self._lock:
            if not self._closed:
                self._scrub(SCRUB_MS)
            self._closed = True
            self._writer.close()
        with self._pool_lock:
            for conn in self._pool:
                conn.close()
            self._pool.clear()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a read transaction, which sees one state of the file."""
        with self._pool_lock:
            if self._closed:
                raise sqlite3.ProgrammingError("the store is closed")
            conn = self._pool.pop() if self._pool else None
        if conn is None:
            conn = sqlite.connect(self._path, synchronous="NORMAL", cache_kib=512)
        try:
            conn.execute("BEGIN")
            try:
                self._check_embedder(conn)
                yield conn
            finally:
                conn.rollback()
        except BaseException:
            conn.close()
            raise
        with self._pool_lock:
            if len(self._pool) < _POOL and not self._closed:
                self._pool.append(conn)
                return
        conn.close()

    @contextmanager
    def writing(self, *, erases: bool = False) -> Iterator[sqlite3.Connection]:
        """The writing connection inside a transaction, committed unless the block raises.

        With `erases`, the write-ahead log will be emptied, by the caller's subsequent `scrub` or after a later write.
        """
        with self._lock:
            if self._closed:
                raise sqlite3.ProgrammingError("the store is closed")
            conn = self._writer
            conn.execute("BEGIN IMMEDIATE")
            try:
                self._check_embedder(conn)
                yield conn
                conn.execute("COMMIT")
            except BaseException:
                conn.rollback()
                raise
            if erases:
                self._erased = True
            else:
                self._scrub()
            self._writes += 1
            if self._writes % self._renew == 0:
                self._writer = sqlite.connect(self._path, synchronous="NORMAL")
                conn.close()

    def scrub(self) -> None:
        """Empty the write-ahead log after an erasure, or if a reader has prevented that so far."""
        with self._lock:
            if not self._closed:
                self._scrub(SCRUB_MS if self._erased else SCRUB_AGAIN_MS)

    def _scrub(self, wait_ms: int = SCRUB_AGAIN_MS) -> None:
        if not (self._erased or self._scrub_due):
            return
        due = self._scrub_due
        self._scrub_due = not sqlite.checkpoint(self._writer, wait_ms=wait_ms)
        self._erased = False
        if self._scrub_due and not due:
            logger.warning("a reader keeps the write-ahead log from being emptied; later writes try again")

    def _check_embedder(self, conn: sqlite3.Connection) -> None:
        # Another process may have re-embedded everything since this one opened the file.
        (number,) = conn.execute("SELECT value FROM memory_meta WHERE key = 'number'").fetchone()
        if number != self.layout.meta.number:
            (model,) = conn.execute("SELECT value FROM memory_meta WHERE key = 'model'").fetchone()
            raise EmbedderChanged(str(model), self._model)
