"""Changes the embedder: embeds every stored text again, while the old vectors stay in use until all are done.

It can be interrupted at any time, and then continues where it was. What another process stores or changes meanwhile,
with the old embedder, is embedded before the switch.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from bot.memory.recall.embedder import Embedder
from bot.memory.vectors.meta import Meta
from bot.memory.vectors.payloads import decode, text_of
from bot.memory.vectors.scoring import unit
from bot.memory.vectors.sqlite import rows, schema
from bot.memory.vectors.sqlite.rows import Layout
from bot.memory.vectors.sqlite.schema import SEQ_BITS, Blocks
from bot.memory.vectors.values import Vector
from bot.storage import sqlite

#: Texts per request to the embedder, and per transaction.
BATCH = 128

#: Called with how many memories are embedded, and of how many.
Progress = Callable[[int, int], None]

_SEQ_MASK = (1 << SEQ_BITS) - 1


def reembed(path: Path, embedder: Embedder, progress: Progress = lambda done, total: None) -> int:
    """Embed all memories of the SQLite store at `path` with another embedder; return how many there are.

    Does nothing if that embedder's vectors are already stored. Raises what the embedder raises, sqlite3.Error, and
    RuntimeError if another process changes to a third embedder; progress is kept for the next attempt.
    """
    conn = sqlite.connect(path)
    try:
        return _Change(conn, path, embedder, progress).run()
    finally:
        conn.close()


class _Change:
    def __init__(self, conn: sqlite3.Connection, path: Path, embedder: Embedder, progress: Progress) -> None:
        self._conn = conn
        self._lock = sqlite.write_lock(path)
        self._embedder = embedder
        self._progress = progress

    def run(self) -> int:
        """Repeat until nobody's memories have changed since they were embedded."""
        with self._lock:
            target = self._begin()
        if target is None:
            return 0
        while True:
            for person, version in self._stale():
                self._person(target, person, version)
            with self._lock:
                if (total := self._end()) is not None:
                    sqlite.checkpoint(self._conn)
                    return total

    def _begin(self) -> Layout | None:
        """Record the change in the file; None if there is nothing to do."""
        conn = self._conn
        conn.execute("BEGIN IMMEDIATE")
        try:
            meta = schema.read(conn)
            if (meta.model, meta.dims) == (self._embedder.name, self._embedder.dims):
                conn.execute("ROLLBACK")
                return None
            wanted = schema.Next(self._embedder.name, self._embedder.dims)
            if schema.read_next(conn) != wanted:
                schema.begin_next(conn, meta, wanted)
            conn.execute("COMMIT")
        except BaseException:
            conn.rollback()
            raise
        new = Meta(meta.secret, wanted.model, wanted.dims, meta.number + 1)
        (page_size,) = conn.execute("PRAGMA page_size").fetchone()
        return Layout(new, Blocks.of(new.number, new.dims, page_size))

    def _stale(self) -> list[tuple[int, int]]:
        """The people (number, version) whose present memories aren't all embedded."""
        return self._conn.execute(
            "SELECT id, version FROM memory_people LEFT JOIN memory_reembedded ON person = id"
            " WHERE embedded IS NOT version OR done < next_seq"
        ).fetchall()

    def _person(self, target: Layout, person: int, version: int) -> None:
        """Embed a person's memories, from where an earlier attempt at the same memories has stopped."""
        found = self._conn.execute(
            "SELECT done FROM memory_reembedded WHERE person = ? AND embedded = ?", (person, version)
        ).fetchone()
        done = found[0] if found else 0
        first = person << SEQ_BITS
        while True:
            batch = self._conn.execute(
                "SELECT memories.id, payload FROM memories JOIN memory_texts ON memory_texts.id = text"
                " WHERE memories.id BETWEEN ? AND ? ORDER BY memories.id LIMIT ?",
                (first + done, first + _SEQ_MASK, BATCH),
            ).fetchall()
            texts = [text_of(decode(payload)) for _, payload in batch]
            vectors = self._embedder.embed_batch(texts, "add") if texts else []
            units = [unit(vector, target.blocks.dims) for vector in vectors]
            end = (batch[-1][0] & _SEQ_MASK) + 1 if len(batch) == BATCH else None
            with self._lock:
                if not self._write(target, person, version, [row for row, _ in batch], units, end):
                    return  # changed meanwhile: the next round starts over
            self._progress(*self._count())
            if end is None:
                return
            done = end

    def _write(
        self, target: Layout, person: int, version: int, numbers: list[int], vectors: list[Vector], end: int | None
    ) -> bool:
        """Store vectors and how far they go (None: to the end); False if the person has changed."""
        conn = self._conn
        conn.execute("BEGIN IMMEDIATE")
        try:
            now = conn.execute("SELECT version, next_seq FROM memory_people WHERE id = ?", (person,)).fetchone()
            if now is None or now[0] != version or schema.read_next(conn) is None:
                conn.execute("ROLLBACK")
                return False
            for row, vector in zip(numbers, vectors, strict=True):
                rows.write_vectors(conn, target.blocks, row, [vector])
            conn.execute(
                "INSERT OR REPLACE INTO memory_reembedded VALUES (?, ?, ?)",
                (person, version, now[1] if end is None else end),
            )
            conn.execute("COMMIT")
        except BaseException:
            conn.rollback()
            raise
        return True

    def _count(self) -> tuple[int, int]:
        """How many memories are embedded (an estimate for people in progress), and of how many."""
        done, total = self._conn.execute(
            "SELECT coalesce(sum(min(count, done)), 0), coalesce(sum(count), 0)"
            " FROM memory_people LEFT JOIN memory_reembedded ON person = id AND embedded = version"
        ).fetchone()
        return done, total

    def _end(self) -> int | None:
        """Switch to the new vectors if they are complete, and return their number; None if anything has changed."""
        conn = self._conn
        conn.execute("BEGIN IMMEDIATE")
        try:
            meta = schema.read(conn)
            wanted = schema.Next(self._embedder.name, self._embedder.dims)
            # Another process may have done the same first.
            if (meta.model, meta.dims) != (wanted.model, wanted.dims):
                if schema.read_next(conn) != wanted:
                    raise RuntimeError("another process changes the embedder too, to another one")
                if self._stale():
                    conn.execute("ROLLBACK")
                    return None
                schema.switch(conn, meta, wanted.model, wanted.dims)
            (total,) = conn.execute("SELECT coalesce(sum(count), 0) FROM memory_people").fetchone()
            conn.execute("COMMIT")
        except BaseException:
            conn.rollback()
            raise
        return int(total)
