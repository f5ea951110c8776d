"""mem0's vector store on PostgreSQL: the contract of `SqliteStore`, for many processes and hosts with no lasting disk.

Exact, and per person, whatever the others have stored: PostgreSQL finds the person's rows by their key and computes
each one's cosine; keywords are scored by BM25 over that person's memories alone.
"""

import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.memory.embedded import mem0_env
from bot.memory.vectors import person_cache
from bot.memory.vectors.filters import Query, compile_filters
from bot.memory.vectors.lesson import Lesson, current
from bot.memory.vectors.postgres import erasure, lessons, rows, schema
from bot.memory.vectors.postgres.rights import PostgresRights
from bot.memory.vectors.postgres.rows import STORED, Found, Stored, fetch, to_row
from bot.memory.vectors.postgres.schema import person_key
from bot.memory.vectors.sqlite.rows import Record, decode, unit
from bot.memory.vectors.sqlite.store import Candidates, Listing, Names, Numbers, Row, Rows
from bot.ports import MemoryUnavailable
from bot.storage import postgres_pool
from bot.storage.postgres_pool import Connection, Pool
from bot.text import keywords

mem0_env.prepare()

from mem0.vector_stores.base import VectorStoreBase  # noqa: E402 - mem0 decides on import what it writes and sends

log = logging.getLogger(__name__)


class PostgresStore(PostgresRights, VectorStoreBase):  # type: ignore[misc]
    """mem0's vector store in the database at `url`, for vectors of `dims` dimensions by the embedder called `model`.

    Beyond mem0's interface it has what `SqliteStore` has. All methods may be called from any thread, and any number of
    processes may share the database. Raises SettingsError where the database can't be reached or has no pgvector,
    schema.EmbedderChanged where another embedder's vectors are stored, MemoryUnavailable where PostgreSQL fails later,
    and ValueError for filters that don't name one person.
    """

    def __init__(self, url: str, dims: int, model: str, *, connections: int = 8) -> None:
        postgres_pool.check(url)
        self._dims = dims
        self._pool = Pool(url, connections)
        try:
            with self._pool.connection() as conn:
                self._meta = schema.create(conn, url, model, dims)
        except BaseException:
            self._pool.close()
            raise
        self.scrub()

    def close(self) -> None:
        """Close the connections; the store can't be used afterwards."""
        self._pool.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._pool.connection() as conn:
            yield conn

    @contextmanager
    def _writing(self, *, erases: bool = False) -> Iterator[Connection]:
        """A connection inside a transaction; with `erases`, what it deleted is scrubbed from its pages afterwards."""
        with self._pool.connection() as conn, conn.transaction():
            yield conn
        if erases:
            self.scrub()

    def scrub(self) -> None:
        """Rewrite what holds erased rows, in whatever process they were erased, and was in use until now."""
        try:
            with self._pool.connection() as conn:
                erasure.scrub(conn)
        except MemoryUnavailable as exc:
            log.warning("deleted memories are not yet vacuumed: %s", exc)

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
            raise MemoryUnavailable("the lesson's transaction has failed; its facts are not stored one by one")
        payloads = payloads if payloads is not None else [{}] * len(vectors)
        ids = ids if ids is not None else [str(uuid.uuid4()) for _ in vectors]
        if not len(vectors) == len(payloads) == len(ids):
            raise ValueError("vectors, payloads and ids differ in number")
        records = {
            str(memory_id): Record(str(memory_id), unit(vector, self._dims), _storable(payload))
            for vector, payload, memory_id in zip(vectors, payloads, ids, strict=True)
        }
        if lesson is not None:
            self._learn(lesson, [*records.values()])
            return
        owners = {memory_id: _owner(record.payload) for memory_id, record in records.items()}
        with self._writing() as conn:
            people_of = {owner: person_key(self._meta, owner) for owner in owners.values()}
            # In one order, so that two processes wait for each other and never cross.
            for person in sorted(people_of.values()):
                rows.lock(conn, person)
            there = conn.execute(
                "SELECT memory_id, person FROM memories WHERE memory_id = ANY(%s)", ([*records],)
            ).fetchall()
            for memory_id, person in there:
                if person != people_of[owners[memory_id]]:
                    raise ValueError("the id is another person's memory")
                rows.erase(conn, person, "memory_id = %s", [memory_id])
            for memory_id, record in records.items():
                rows.add(conn, self._meta, people_of[owners[memory_id]], record)
        if there:
            self.scrub()

    def _learn(self, lesson: Lesson, records: Sequence[Record]) -> None:
        lesson.attempted = True
        try:
            with self._writing() as conn:
                added = lessons.write(conn, self._meta, lesson, records)
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
        wanted = None if vector is None else unit(vector, self._dims)
        with self._writing(erases=payload is not None) as conn:
            found = self._located(conn, vector_id)
            if found is None:
                return
            seq, former = found
            person = person_key(self._meta, _owner(former))
            if payload is not None:
                new = {"user_id": former["user_id"], **_storable(payload)}
                if new["user_id"] != former["user_id"]:
                    raise ValueError("a memory doesn't change its person")
                rows.replace(conn, self._meta, person, seq, new)
                erasure.note(conn, schema.part_of(person))
            if wanted is not None:
                rows.revector(conn, self._meta, person, seq, wanted)

    @staticmethod
    def _located(conn: Connection, memory_id: str) -> tuple[int, dict[str, Any]] | None:
        """A memory's number and payload, held against other writers until the transaction ends."""
        found = conn.execute(f"{STORED} memories WHERE memory_id = %s FOR UPDATE", (str(memory_id),)).fetchone()
        return (found[0], decode(bytes(found[3]))) if found else None

    def delete(self, vector_id: str) -> None:
        """Erase a memory; nothing happens where it is gone."""
        with self._writing(erases=True) as conn:
            found = self._located(conn, vector_id)
            if found is not None:
                person = person_key(self._meta, _owner(found[1]))
                rows.erase(conn, person, "seq = %s", [found[0]])

    # Erasure

    def forget(self, user_id: str, ids: Sequence[str]) -> int:
        """Erase memories of that person, and nobody else's; return how many there were."""
        person = self._person(user_id)
        with self._writing(erases=True) as conn:
            rows.lock(conn, person)
            return rows.erase(conn, person, "memory_id = ANY(%s)", [[str(each) for each in ids]])

    def forget_source(self, user_id: str, event_id: str) -> int:
        """Forget that an event taught that person anything; erase and count the memories with no source left."""
        person = self._person(user_id)
        with self._writing(erases=True) as conn:
            rows.lock(conn, person)
            orphans: Numbers = []
            for seq, _, _, stored in self._taught(conn, event_id, person):
                payload = decode(bytes(stored))
                sources = [source for source in payload["sources"] if source["event_id"] != event_id]
                if not sources:
                    orphans.append(seq)
                    continue
                payload["sources"] = sources
                payload["created_at"] = min(source["at"] for source in sources)
                rows.replace(conn, self._meta, person, seq, payload)
            return rows.erase(conn, person, "seq = ANY(%s)", [orphans])

    def forget_user(self, user_id: str) -> int:
        """Erase everything about that person; return how many memories there were."""
        person = self._person(user_id)
        with self._writing(erases=True) as conn:
            rows.lock(conn, person)
            return rows.erase(conn, person)

    def _person(self, user_id: str) -> uuid.UUID:
        if not user_id:
            raise ValueError("no person is named")
        return person_key(self._meta, user_id)

    # mem0's interface: reading

    def get(self, vector_id: str) -> Row | None:
        """The memory with that id, None where there is none."""
        with self._reading() as conn:
            found = conn.execute(f"{STORED} memories WHERE memory_id = %s", (str(vector_id),)).fetchone()
        return to_row(found) if found else None

    def search(
        self, query: str, vectors: Sequence[float], top_k: int = 5, filters: Mapping[str, Any] | None = None
    ) -> Rows:
        """The person's memories nearest to the query by meaning and keywords together, best first, scored 0 to 1.

        Replaced memories are left out unless `filters` say `{"superseded": True}` (those alone) or `"*"` (both). Inside
        a lesson, the ids found are written into it. Raises ValueError for filters that don't name one person.
        """
        wanted = compile_filters(filters, superseded=False)
        with self._reading() as conn:
            read = rows.read(conn, self._meta, wanted, unit(vectors, self._dims), query)
            found = self._top(conn, read, person_cache.hybrid(read.cosine, read.bm25), top_k, wanted)
        lesson = current.get()
        if lesson is not None:
            lesson.existing[:] = [row.id for row in found]
        return found

    def keyword_search(self, query: str, top_k: int = 5, filters: Mapping[str, Any] | None = None) -> Rows:
        """The person's memories that hold words of the query, best first, scored by BM25 over that person's alone."""
        wanted = compile_filters(filters, superseded=False)
        with self._reading() as conn:
            read = rows.read(conn, self._meta, wanted, None, query)
            held = read.bm25 > 0
            return self._top(conn, Found(read.rows[held], read.cosine, read.bm25), read.bm25[held], top_k, wanted)

    def list(self, filters: Mapping[str, Any] | None = None, top_k: int | None = None) -> Listing:
        """The person's memories, newest first, replaced ones included, as the one item of a list (mem0's form).

        Without filters, everybody's: for operators. Raises ValueError for filters that don't name one person.
        """
        wanted = compile_filters(filters, superseded=None, everybody=True)
        with self._reading() as conn:
            if wanted.user_id is None:
                everybody = f"{STORED} memories ORDER BY created_at DESC, seq DESC LIMIT %s"
                return [[to_row(row) for row in conn.execute(everybody, (top_k,))]]
            read = rows.read(conn, self._meta, wanted)
            limit = len(read.rows) if top_k is None else top_k
            found = self._top(conn, read, read.rows["created_at"], limit, wanted, later_first=True)
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
            counted = conn.execute("SELECT count(*), count(DISTINCT person) FROM memories").fetchone()
        assert counted is not None
        named = {"name": "memories", "count": counted[0], "people": counted[1]}
        return {**named, "model": self._meta.model, "dims": self._meta.dims}

    def delete_col(self) -> None:
        """Erase everybody's memories."""
        with self._writing() as conn:
            conn.execute("TRUNCATE memories")

    def reset(self) -> None:
        """Erase everybody's memories and start anew."""
        self.delete_col()

    # Beyond mem0: recall, listing, counting

    def candidates(
        self, user_id: str, scopes: frozenset[str] | None, query: str, vector: Sequence[float]
    ) -> Candidates:
        """A person's live memories whose audience is in `scopes` (None: all), scored for a query and its vector."""
        wanted = Query(user_id, audiences=scopes, superseded=False)
        with self._reading() as conn:
            read = rows.read(conn, self._meta, wanted, unit(vector, self._dims), query)
        names = ("created_at", "seen_at", "signature", "audience", "conversation", "length")
        columns = (np.ascontiguousarray(read.rows[name]) for name in names)
        return Candidates(np.ascontiguousarray(read.rows["id"]), read.cosine, read.bm25, *columns)

    def fetch(self, wanted: Sequence[int] | npt.NDArray[np.int64]) -> Rows:
        """The memories with these row numbers, in that order; those erased meanwhile are left out."""
        seqs = [int(row) for row in wanted]
        with self._reading() as conn:
            found = fetch(conn, seqs)
        return [found[seq] for seq in seqs if seq in found]

    def find(self, user_id: str, words: str) -> Rows:
        """The person's memories that hold all the words literally, case and word endings aside, newest first."""
        sought = keywords.Words(words)
        person = self._person(user_id)
        held = [*rows.term_keys(person, dict.fromkeys(sought.indexed(), 1))]
        with self._reading() as conn:
            found = conn.execute(
                f"{STORED} {rows.table_of(person)} WHERE person = %s AND terms @> %s::integer[]"
                " ORDER BY created_at DESC, seq DESC",
                (person, held),
            ).fetchall()
        memories = map(to_row, found)
        return [memory for memory in memories if sought.match(rows.text_of(memory.payload))]

    def by_source(self, event_id: str) -> Rows:
        """The memories that an event taught."""
        with self._reading() as conn:
            return [to_row(row) for row in self._taught(conn, event_id)]

    def count(self, user_id: str) -> int:
        """How many memories of that person are stored, replaced ones included."""
        person = self._person(user_id)
        with self._reading() as conn:
            counted = conn.execute(
                f"SELECT count(*) FROM {rows.table_of(person)} WHERE person = %s", (person,)
            ).fetchone()
        return int(counted[0]) if counted else 0

    # Helpers

    def _taught(self, conn: Connection, event_id: str, person: uuid.UUID | None = None) -> Sequence[Stored]:
        event = [self._meta.digest("event", event_id)]
        if person is None:
            return conn.execute(f"{STORED} memories WHERE sources @> %s::bigint[] ORDER BY seq", (event,)).fetchall()
        own = f"{rows.table_of(person)} WHERE person = %s AND sources @> %s::bigint[] ORDER BY seq"
        return conn.execute(f"{STORED} {own}", (person, event)).fetchall()

    @staticmethod
    def _top(
        conn: Connection,
        read: Found,
        scores: npt.NDArray[Any],
        limit: int,
        wanted: Query,
        *,
        later_first: bool = False,
    ) -> Rows:
        """The best rows that satisfy the whole filter, with their payloads."""
        most = limit if wanted.rest is None else len(scores)
        everywhere = np.ones(len(scores), dtype=np.bool_)
        places = person_cache.best(scores, everywhere, most, later_first=later_first)
        found: Rows = []
        for start in range(0, len(places), 500):
            batch = places[start : start + 500]
            ids = read.rows["id"][batch].tolist()
            stored = fetch(conn, ids)
            for place, seq in zip(batch, ids, strict=True):
                memory = stored.get(seq)
                if memory is None or (wanted.rest is not None and not wanted.rest(memory.payload)):
                    continue
                memory.score = float(scores[place])
                found.append(memory)
                if len(found) == limit:
                    return found
        return found


def _storable(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A payload without what is derived: mem0's lemmas (keywords are made here), and a mark that the row itself has."""
    return {key: value for key, value in payload.items() if key not in ("text_lemmatized", "superseded_by")}


def _owner(payload: Mapping[str, Any]) -> str:
    user_id = payload.get("user_id")
    if not isinstance(user_id, str) or not user_id:
        raise ValueError("the payload holds no user_id: a memory belongs to a person")
    return user_id
