"""mem0's vector store in one SQLite file: exact, and per person, whatever the others have stored.

Every memory belongs to one person (`user_id` in its payload) and one audience. Reading takes connections from a small
pool; writing goes through one connection under the file's lock, one transaction per call.
"""

import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.memory.embedded import mem0_env
from bot.memory.vectors import person_cache
from bot.memory.vectors.filters import Query, compile_filters
from bot.memory.vectors.lesson import Lesson, current
from bot.memory.vectors.person_cache import Mask, Matrix
from bot.memory.vectors.sqlite import lessons, reading, rows, schema
from bot.memory.vectors.sqlite.file import StoreFile
from bot.memory.vectors.sqlite.reading import Candidates, Listing, Names, Numbers, Row, Rows, Stored
from bot.memory.vectors.sqlite.rights import SqliteRights
from bot.memory.vectors.sqlite.rows import Person, Record
from bot.text import keywords

mem0_env.prepare()

from mem0.vector_stores.base import VectorStoreBase  # noqa: E402 - mem0 decides on import what it writes and sends

__all__ = ["CACHE_BYTES", "Candidates", "Listing", "Names", "Numbers", "Row", "Rows", "SqliteStore"]

#: What the cache of people's vectors may take, in bytes: 50,000 memories of one person, or a thousand people with 50.
CACHE_BYTES = 60 << 20


_NOBODY = Person(0, b"", 0, 0, 0, 0, 0)


class SqliteStore(SqliteRights, VectorStoreBase):  # type: ignore[misc] # mem0 has no types
    """mem0's vector store over `path`, for vectors of `dims` dimensions by the embedder called `model`.

    Beyond mem0's interface: `candidates` and `fetch` for ranking, `find`, `by_source`, `count`, `settle`, and erasure
    that leaves no byte (`forget`, `forget_source`, `forget_user`). All methods may be called from any thread, and
    several processes may share the file. Raises schema.EmbedderChanged where another embedder's vectors are stored,
    sqlite3.Error where the file can't be used, and ValueError for filters that don't name one person.
    """

    def __init__(self, path: Path, dims: int, model: str, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._file = StoreFile(path, dims, model)
        self._layout = self._file.layout
        self._reading, self._writing = self._file.reading, self._file.writing
        self._cache = person_cache.Cache(cache_bytes)

    def close(self) -> None:
        """Close the connections; the store can't be used afterwards."""
        self._file.close()
        self._cache.clear()

    def scrub(self) -> None:
        """Empty the write-ahead log, where it could not be emptied after an erasure."""
        self._file.scrub()

    # mem0's interface: writing

    def insert(
        self,
        vectors: Sequence[Sequence[float]],
        payloads: Sequence[Mapping[str, Any]] | None = None,
        ids: Sequence[str] | None = None,
    ) -> None:
        """Store memories, all or none; one whose id is there already replaces it.

        Inside a lesson, they are stored as that lesson's facts, in the transaction that marks it as learned. Raises
        ValueError for a payload without `user_id` and for a vector that isn't one.
        """
        lesson = current.get()
        if lesson is not None and lesson.attempted:
            raise sqlite3.OperationalError("the lesson's transaction has failed; its facts are not stored one by one")
        payloads = payloads if payloads is not None else [{}] * len(vectors)
        ids = ids if ids is not None else [str(uuid.uuid4()) for _ in vectors]
        if not len(vectors) == len(payloads) == len(ids):
            raise ValueError("vectors, payloads and ids differ in number")
        records = [
            Record(str(memory_id), rows.unit(vector, self._layout.blocks.dims), reading.storable(payload))
            for vector, payload, memory_id in zip(vectors, payloads, ids, strict=True)
        ]
        if lesson is not None:
            self._learn(lesson, records)
            return
        by_user: dict[str, dict[str, Record]] = {}
        for record in records:
            by_user.setdefault(reading.owner(record.payload), {})[record.memory_id] = record
        with self._writing() as conn:
            for user_id, wanted in by_user.items():
                self._insert(conn, user_id, [*wanted.values()])

    def _insert(self, conn: sqlite3.Connection, user_id: str, records: Sequence[Record]) -> None:
        person = rows.ensure_person(conn, self._layout, user_id)
        first, last = person.rows
        there = [found for each in records for found in reading.numbers(conn, each.memory_id)]
        if not all(first <= row <= last for row in there):
            raise ValueError("an id is another person's memory")
        replaced = rows.erase(conn, self._layout, person, there)
        rows.add(conn, self._layout, person, person.next_seq, records)
        end = person.next_seq + len(records)
        rows.finish(conn, self._layout, person, next_seq=end, change=len(records) - replaced, edited=replaced > 0)

    def _learn(self, lesson: Lesson, records: Sequence[Record]) -> None:
        lesson.attempted = True
        try:
            with self._writing() as conn:
                added = lessons.write(conn, self._layout, lesson, records)
        except Exception as exc:
            lesson.error = exc
            raise
        lesson.added = added
        lesson.committed = True

    def settle(self, lesson: Lesson) -> None:
        """Commit a lesson for which mem0 had nothing to insert: what it repeats gains sources, and it is learned.

        Raises as `insert` does inside the lesson, and lesson.Superseded.
        """
        if not lesson.committed:
            self._learn(lesson, [])

    def update(
        self, vector_id: str, vector: Sequence[float] | None = None, payload: Mapping[str, Any] | None = None
    ) -> None:
        """Replace a memory's vector, payload or both; nothing happens where it is gone.

        Raises ValueError for a payload of another person.
        """
        wanted = None if vector is None else rows.unit(vector, self._layout.blocks.dims)
        with self._writing(erases=payload is not None) as conn:
            found = reading.located(conn, vector_id)
            if found is None:
                return
            row, stored = found
            former = rows.decode(stored)
            person = self._person(conn, reading.owner(former))
            if payload is not None:
                new = {"user_id": former["user_id"], **reading.storable(payload)}
                if new["user_id"] != former["user_id"]:
                    raise ValueError("a memory doesn't change its person")
                rows.replace(conn, self._layout, person, row, new)
            if wanted is not None:
                rows.revector(conn, self._layout, person, row, wanted)
            rows.finish(conn, self._layout, person, next_seq=person.next_seq, change=0, edited=True)

    def delete(self, vector_id: str) -> None:
        """Erase a memory; nothing happens where it is gone."""
        with self._writing(erases=True) as conn:
            found = reading.located(conn, vector_id)
            if found is not None:
                self._erase(conn, self._person(conn, reading.owner(rows.decode(found[1]))), [found[0]])

    def _person(self, conn: sqlite3.Connection, user_id: str) -> Person:
        person = rows.find_person(conn, self._layout, user_id)
        if person is None:
            raise sqlite3.DatabaseError("a memory without its person: the file is damaged")
        return person

    def _erase(self, conn: sqlite3.Connection, person: Person, wanted: Sequence[int]) -> int:
        erased = rows.erase(conn, self._layout, person, wanted)
        if erased:
            rows.finish(conn, self._layout, person, next_seq=person.next_seq, change=-erased, edited=True)
            self._cache.drop(person.id)
        return erased

    # Erasure

    def forget(self, user_id: str, ids: Sequence[str]) -> int:
        """Erase memories of that person, and nobody else's; return how many there were."""
        with self._writing(erases=True) as conn:
            person = rows.find_person(conn, self._layout, user_id)
            if person is None:
                return 0
            wanted = [row for memory_id in dict.fromkeys(ids) for row in reading.numbers(conn, memory_id)]
            return self._erase(conn, person, wanted)

    def forget_source(self, user_id: str, event_id: str) -> int:
        """Forget that an event taught that person anything; erase and count the memories with no source left."""
        with self._writing(erases=True) as conn:
            person = rows.find_person(conn, self._layout, user_id)
            if person is None:
                return 0
            orphans: Numbers = []
            changed = False
            for row, stored in self._taught(conn, event_id, person):
                payload = rows.decode(stored)
                sources = [each for each in rows.sources_of(payload) if each["event_id"] != event_id]
                if not sources:
                    orphans.append(row)
                    continue
                payload["sources"] = sources
                payload["created_at"] = min(source["at"] for source in sources)
                rows.replace(conn, self._layout, person, row, payload)
                changed = True
            if changed:
                rows.finish(conn, self._layout, person, next_seq=person.next_seq, change=0, edited=True)
            return self._erase(conn, person, orphans)

    def forget_user(self, user_id: str) -> int:
        """Erase everything about that person; return how many memories there were."""
        with self._writing(erases=True) as conn:
            person = rows.find_person(conn, self._layout, user_id)
            if person is None:
                return 0
            erased = rows.erase_person(conn, self._layout, person)
            self._cache.drop(person.id)
            return erased

    # mem0's interface: reading

    def get(self, vector_id: str) -> Row | None:
        """The memory with that id, None where there is none."""
        with self._reading() as conn:
            found = conn.execute(f"{reading.SELECT} WHERE memory_id = ?", (str(vector_id),)).fetchone()
        return reading.row(found) if found else None

    def search(
        self, query: str, vectors: Sequence[float], top_k: int = 5, filters: Mapping[str, Any] | None = None
    ) -> Rows:
        """The person's memories nearest to the query by meaning and keywords together, best first, scored 0 to 1.

        Replaced memories are left out unless `filters` say `{"superseded": True}` (those alone) or `"*"` (both). Inside
        a lesson, the ids found are written into it. Raises ValueError for filters that don't name one person.
        """
        wanted = compile_filters(filters, superseded=False)
        vector = rows.unit(vectors, self._layout.blocks.dims)
        found: Rows = []
        with self._reading() as conn:
            matrix = self._matrix(conn, wanted.user_id)
            if matrix is not None:
                among = self._mask(matrix, wanted)
                scores = person_cache.hybrid(
                    person_cache.semantic(conn, self._layout, matrix, vector),
                    person_cache.keyword(conn, matrix, among, keywords.terms(query)),
                )
                found = reading.top(conn, matrix, scores, among, top_k, wanted)
        lesson = current.get()
        if lesson is not None:
            lesson.existing[:] = [row.id for row in found]
        return found

    def keyword_search(self, query: str, top_k: int = 5, filters: Mapping[str, Any] | None = None) -> Rows:
        """The person's memories that hold words of the query, best first, scored by BM25 over that person's alone."""
        wanted = compile_filters(filters, superseded=False)
        with self._reading() as conn:
            matrix = self._matrix(conn, wanted.user_id)
            if matrix is None:
                return []
            among = self._mask(matrix, wanted)
            scores = person_cache.keyword(conn, matrix, among, keywords.terms(query))
            return reading.top(conn, matrix, scores, among & (scores > 0), top_k, wanted)

    def list(self, filters: Mapping[str, Any] | None = None, top_k: int | None = None) -> Listing:
        """The person's memories, newest first, replaced ones included, as the one item of a list (mem0's form).

        Without filters, everybody's: for operators. Raises ValueError for filters that don't name one person.
        """
        wanted = compile_filters(filters, superseded=None, everybody=True)
        with self._reading() as conn:
            if wanted.user_id is None:
                limit = -1 if top_k is None else top_k
                return [
                    [
                        reading.row(row)
                        for row in conn.execute(f"{reading.SELECT} ORDER BY created_at DESC LIMIT ?", (limit,))
                    ]
                ]
            matrix = self._matrix(conn, wanted.user_id)
            if matrix is None:
                return [[]]
            limit = len(matrix.rows) if top_k is None else top_k
            newest = matrix.rows["created_at"]
            found = reading.top(conn, matrix, newest, self._mask(matrix, wanted), limit, wanted, later_first=True)
        for row in found:
            row.score = None
        return [found]

    def create_col(self, name: str, vector_size: int, distance: str = "cosine") -> None:
        """Nothing to do: the one collection is there once the store is open."""

    def list_cols(self) -> Names:
        """The one collection's name."""
        return ["memories"]

    def col_info(self) -> dict[str, Any]:
        """How many memories of how many people are stored, and by which embedder."""
        with self._reading() as conn:
            ((total, persons),) = conn.execute("SELECT coalesce(sum(count), 0), count(*) FROM memory_people")
        return {
            "name": "memories",
            "count": total,
            "people": persons,
            "model": self._layout.meta.model,
            "dims": self._layout.meta.dims,
        }

    def delete_col(self) -> None:
        """Erase everybody's memories."""
        with self._writing(erases=True) as conn:
            conn.execute("UPDATE memory_texts SET payload = NULL WHERE payload IS NOT NULL")
            for (person,) in conn.execute("SELECT id FROM memory_people").fetchall():
                schema.drop_next(conn, self._layout.meta, person)
            for table in ("memories", "memory_sources", "memory_postings", "memory_people", self._layout.blocks.table):
                conn.execute(f"DELETE FROM {table}")
        self._cache.clear()

    def reset(self) -> None:
        """Erase everybody's memories and start anew."""
        self.delete_col()

    # Beyond mem0: recall, listing, counting

    def candidates(
        self, user_id: str, scopes: frozenset[str] | None, query: str, vector: Sequence[float]
    ) -> Candidates:
        """A person's live memories whose audience is in `scopes` (None: all), scored for a query and its vector."""
        unit = rows.unit(vector, self._layout.blocks.dims)
        wanted = Query(user_id, audiences=scopes, superseded=False)
        with self._reading() as conn:
            matrix = self._matrix(conn, user_id)
            if matrix is None:
                matrix = Matrix(
                    _NOBODY, np.empty(0, dtype=person_cache.ROW), np.empty((0, len(unit)), dtype=np.float32)
                )
            among = self._mask(matrix, wanted)
            cosine = person_cache.semantic(conn, self._layout, matrix, unit)
            bm25 = person_cache.keyword(conn, matrix, among, keywords.terms(query))
        kept = matrix.rows[among]
        names = ("created_at", "seen_at", "signature", "audience", "conversation", "length")
        return Candidates(kept["id"].copy(), cosine[among], bm25[among], *(kept[name].copy() for name in names))

    def fetch(self, wanted: Sequence[int] | npt.NDArray[np.int64]) -> Rows:
        """The memories with these row numbers, in that order; those erased meanwhile are left out."""
        with self._reading() as conn:
            found = reading.fetch(conn, [int(row) for row in wanted])
        return [found[int(row)] for row in wanted if int(row) in found]

    def find(self, user_id: str, words: str) -> Rows:
        """The person's memories that hold all the words literally, case and word endings aside, newest first."""
        sought = keywords.Words(words)
        with self._reading() as conn:
            matrix = self._matrix(conn, user_id)
            if matrix is None:
                return []
            among = np.ones(len(matrix.rows), dtype=np.bool_)
            held = person_cache.holding(conn, matrix.person, sought.indexed())
            if held is not None:
                among = np.isin(matrix.rows["id"], held)
            order = person_cache.best(matrix.rows["created_at"], among, len(matrix.rows), later_first=True)
            ids = [int(row) for row in matrix.rows["id"][order]]
            found = reading.fetch(conn, ids)
        return [found[row] for row in ids if row in found and sought.match(str(found[row].payload.get("data", "")))]

    def by_source(self, event_id: str) -> Rows:
        """The memories that an event taught."""
        with self._reading() as conn:
            found = reading.fetch(conn, [row for row, _ in self._taught(conn, event_id)])
        return [*found.values()]

    def count(self, user_id: str) -> int:
        """How many memories of that person are stored, replaced ones included."""
        with self._reading() as conn:
            person = rows.find_person(conn, self._layout, user_id)
        return person.count if person else 0

    # Helpers

    def _taught(self, conn: sqlite3.Connection, event_id: str, person: Person | None = None) -> Stored:
        first, last = person.rows if person is not None else (0, (1 << 63) - 1)
        return conn.execute(
            "SELECT memories.id, payload FROM memory_sources JOIN memories ON memories.id = memory"
            " JOIN memory_texts ON memory_texts.id = text WHERE event = ? AND memory BETWEEN ? AND ?",
            (self._layout.meta.digest("event", event_id), first, last),
        ).fetchall()

    def _matrix(self, conn: sqlite3.Connection, user_id: str | None) -> Matrix | None:
        person = rows.find_person(conn, self._layout, user_id) if user_id is not None else None
        return self._cache.matrix(conn, self._layout, person) if person is not None else None

    def _mask(self, matrix: Matrix, wanted: Query) -> Mask:
        mask = np.ones(len(matrix.rows), dtype=np.bool_)
        digest = self._layout.meta.digest
        if wanted.audiences is not None:
            mask &= person_cache.member(
                matrix.rows["audience"], (digest("audience", each) for each in wanted.audiences)
            )
        if wanted.runs is not None:
            mask &= person_cache.member(matrix.rows["run"], (digest("run", each) for each in wanted.runs))
        if wanted.superseded is not None:
            mask &= matrix.rows["superseded"] == wanted.superseded
        return mask
