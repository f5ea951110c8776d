"""The memory store in one SQLite file.

Reads take connections from a small pool; writes go through one connection under the file's lock, one transaction per
call.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np

from bot.memory.vectors.base import VectorStore
from bot.memory.vectors.matrix import scored
from bot.memory.vectors.payloads import decode, owner
from bot.memory.vectors.person_cache import CACHE_BYTES, Cache
from bot.memory.vectors.scoring import best
from bot.memory.vectors.sqlite import rows
from bot.memory.vectors.sqlite.file import StoreFile
from bot.memory.vectors.sqlite.memories import SELECT, SqliteMemories, numbered, taught
from bot.memory.vectors.sqlite.reader import SqliteReader
from bot.memory.vectors.sqlite.schema import SEQ_BITS
from bot.memory.vectors.values import Query, Row, Scored, Stored, Vector
from bot.text.keywords import Words

_EVERYBODY = 0, (1 << 63) - 1


class SqliteStore(VectorStore):
    """mem0's vector store over `path`, for vectors of `dims` dimensions by the embedder called `model`.

    Raises EmbedderChanged if another embedder's vectors are stored, and sqlite3.Error if the file can't be used.
    """

    def __init__(self, path: Path, dims: int, model: str, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._file = StoreFile(path, dims, model)
        self._layout = self._file.layout
        self._meta, self._dims = self._layout.meta, self._layout.blocks.dims
        self._cache = Cache(cache_bytes, self._dims)

    def close(self) -> None:
        """Close the connections; the store can't be used afterwards."""
        self._file.close()
        self._cache.clear()

    def scrub(self) -> None:
        """Empty the write-ahead log if it couldn't be emptied after an erasure."""
        self._file.scrub()

    def owners(self) -> Sequence[str]:
        """Everybody who has memories, read from one memory each."""
        owners = []
        with self._reading() as conn:
            for (number,) in conn.execute("SELECT id FROM memory_people WHERE count > 0").fetchall():
                span = number << SEQ_BITS, (number + 1 << SEQ_BITS) - 1
                found = conn.execute(f"{SELECT} WHERE memories.id BETWEEN ? AND ? LIMIT 1", span).fetchone()
                if found:
                    owners.append(owner(decode(Stored._make(found).payload)))
        return owners

    def get(self, vector_id: str) -> Row | None:
        """The memory with that id; None if there is none."""
        with self._reading() as conn:
            found = conn.execute(f"{SELECT} WHERE memory_id = ?", (str(vector_id),)).fetchone()
        return _row(Stored._make(found)) if found else None

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._file.reading()

    def _writing(self, *, erases: bool = False) -> AbstractContextManager[sqlite3.Connection]:
        return self._file.writing(erases=erases)

    @contextmanager
    def _person(
        self, conn: sqlite3.Connection, user_id: str, *, create: bool = False
    ) -> Iterator[SqliteMemories | None]:
        find = rows.ensure_person if create else rows.find_person
        person = find(conn, self._layout, user_id)
        if person is None:
            yield None
            return
        memories = SqliteMemories(conn, self._layout, person)
        yield memories
        memories.finish()
        if memories.erased:
            self._cache.drop(self._meta.person_key(user_id))

    def _is_anothers(self, conn: sqlite3.Connection, user_id: str, memory_ids: Sequence[str]) -> bool:
        person = rows.find_person(conn, self._layout, user_id)
        first, last = person.rows if person is not None else (0, -1)
        return any(
            not first <= number <= last
            for memory_id in memory_ids
            for (number,) in conn.execute("SELECT id FROM memories WHERE memory_id = ?", (memory_id,))
        )

    def _scored(self, conn: sqlite3.Connection, query: Query, vector: Vector | None, text: str) -> Scored:
        reader = self._reader(conn, query.user_id)
        if reader is None:
            return Scored.none()
        return scored(self._meta, reader, self._cache.matrix(reader), query, vector, text)

    def _reader(self, conn: sqlite3.Connection, user_id: str) -> SqliteReader | None:
        person, key = rows.find_person(conn, self._layout, user_id), self._meta.person_key(user_id)
        if person is None:
            self._cache.drop(key)
            return None
        return SqliteReader(conn, self._layout, key, person)

    def _fetched(self, conn: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Row]:
        return {stored.number: _row(stored) for stored in numbered(conn, numbers)}

    def _holding(self, conn: sqlite3.Connection, user_id: str, words: Words) -> list[int]:
        reader = self._reader(conn, user_id)
        if reader is None:
            return []
        matrix = self._cache.matrix(reader)
        if matrix is None:
            return []
        found = matrix.rows
        held = reader.holding(words.indexed())
        if held is not None:
            found = found[np.isin(found["id"], held)]
        return [int(number) for number in found["id"][best(found["created_at"], len(found), later_first=True)]]

    def _taught(self, conn: sqlite3.Connection, event_ids: Sequence[str], user_id: str | None) -> Iterable[bytes]:
        span = _EVERYBODY
        if user_id is not None:
            person = rows.find_person(conn, self._layout, user_id)
            if person is None:
                return []
            span = person.rows
        return [stored.payload for stored in numbered(conn, taught(conn, self._layout, event_ids, span))]

    def _page(self, conn: sqlite3.Connection, after: int, limit: int) -> Sequence[tuple[int, bytes]]:
        found = conn.execute(f"{SELECT} WHERE memories.id > ? ORDER BY memories.id LIMIT ?", (after, limit))
        return [(stored.number, stored.payload) for stored in map(Stored._make, found)]


def _row(stored: Stored) -> Row:
    payload = decode(stored.payload)
    if stored.superseded_by is not None:
        payload["superseded_by"] = stored.superseded_by
    return Row(stored.memory_id, None, payload)
