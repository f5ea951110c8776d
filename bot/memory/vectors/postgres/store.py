"""The memory store on PostgreSQL, for many processes and for hosts without a persistent disk.

A person's rows are found by their key, and cached as arrays as long as `memory_people` says that none has changed.
"""

import logging
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from bot.memory.vectors.base import VectorStore
from bot.memory.vectors.matrix import scored
from bot.memory.vectors.payloads import decode, owner
from bot.memory.vectors.person_cache import CACHE_BYTES, Cache
from bot.memory.vectors.postgres import erasure, rows, schema
from bot.memory.vectors.postgres.memories import PostgresMemories
from bot.memory.vectors.postgres.reader import PostgresReader
from bot.memory.vectors.postgres.rows import STORED, table_of, to_row
from bot.memory.vectors.postgres.schema import PARTS, person_key, table
from bot.memory.vectors.values import Query, Row, Scored, Vector
from bot.ports import MemoryUnavailable
from bot.storage import postgres_pool
from bot.storage.postgres_pool import Connection, Pool
from bot.text.keywords import Words

log = logging.getLogger(__name__)

_OWNERS = """
WITH RECURSIVE people AS (
    (SELECT person FROM {table} ORDER BY person LIMIT 1)
    UNION ALL
    SELECT (SELECT person FROM {table} WHERE person > people.person ORDER BY person LIMIT 1)
    FROM people WHERE people.person IS NOT NULL
)
SELECT (SELECT payload FROM {table} WHERE person = people.person ORDER BY seq LIMIT 1)
FROM people WHERE people.person IS NOT NULL
"""


class PostgresStore(VectorStore):
    """mem0's vector store in the database at `url`, for vectors of `dims` dimensions by the embedder called `model`.

    Any number of processes may share the database. Raises SettingsError if it can't be reached or has no pgvector,
    EmbedderChanged if another embedder's vectors are stored, and MemoryUnavailable if PostgreSQL fails later.
    """

    def __init__(
        self, url: str, dims: int, model: str, *, connections: int = 8, cache_bytes: int = CACHE_BYTES
    ) -> None:
        postgres_pool.check(url)
        self._dims = dims
        self._cache = Cache(cache_bytes, dims)
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
        self._cache.clear()

    def scrub(self) -> None:
        """Rewrite parts that hold erased rows, whichever process erased them, and that were in use until now."""
        try:
            with self._pool.connection() as conn:
                erasure.scrub(conn)
        except MemoryUnavailable as exc:
            log.warning("deleted memories are not yet vacuumed: %s", exc)

    def owners(self) -> Sequence[str]:
        """Everybody who has memories, read from one memory each, stepping through the index of people."""
        owners = []
        with self._reading() as conn:
            for part in range(PARTS):
                found = conn.execute(_OWNERS.format(table=table(part)))
                owners += [owner(decode(bytes(payload))) for (payload,) in found]
        return owners

    def get(self, vector_id: str) -> Row | None:
        """The memory with that id; None if there is none."""
        with self._reading() as conn:
            found = conn.execute(f"{STORED} memories WHERE memory_id = %s", (str(vector_id),)).fetchone()
        return to_row(found) if found else None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._pool.connection() as conn:
            yield conn

    @contextmanager
    def _writing(self, *, erases: bool = False) -> Iterator[Connection]:
        # `memory_erasures` records erasures, for whichever process scrubs next.
        with self._pool.connection() as conn, conn.transaction():
            yield conn

    @contextmanager
    def _person(self, conn: Connection, user_id: str, *, create: bool = False) -> Iterator[PostgresMemories]:
        memories = PostgresMemories(conn, self._meta, self._key(user_id))
        yield memories
        memories.finish()
        if memories.erased:
            self._cache.drop(memories.person)

    def _key(self, user_id: str) -> uuid.UUID:
        if not user_id:
            raise ValueError("no person is named")
        return person_key(self._meta, user_id)

    def _is_anothers(self, conn: Connection, user_id: str, memory_ids: Sequence[str]) -> bool:
        found = conn.execute("SELECT person FROM memories WHERE memory_id = ANY(%s)", ([*memory_ids],)).fetchall()
        own = self._key(user_id)
        return any(person != own for (person,) in found)

    def _scored(self, conn: Connection, query: Query, vector: Vector | None, text: str) -> Scored:
        reader = PostgresReader(conn, self._meta, self._key(query.user_id))
        return scored(self._meta, reader, self._cache.matrix(reader), query, vector, text)

    def _fetched(self, conn: Connection, numbers: Sequence[int]) -> dict[int, Row]:
        return rows.fetch(conn, numbers)

    def _holding(self, conn: Connection, user_id: str, words: Words) -> list[int]:
        person = self._key(user_id)
        held = [*rows.term_keys(person, dict.fromkeys(words.indexed(), 1))]
        found = conn.execute(
            f"SELECT seq FROM {table_of(person)} WHERE person = %s AND terms @> %s::integer[]"
            " ORDER BY created_at DESC, seq DESC",
            (person, held),
        ).fetchall()
        return [seq for (seq,) in found]

    def _taught(self, conn: Connection, event_ids: Sequence[str], user_id: str | None) -> Iterable[bytes]:
        events = [self._meta.digest("event", event_id) for event_id in event_ids]
        if user_id is None:
            found = conn.execute("SELECT payload FROM memories WHERE sources && %s::bigint[]", (events,))
        else:
            person = self._key(user_id)
            own = f"SELECT payload FROM {table_of(person)} WHERE person = %s AND sources && %s::bigint[]"
            found = conn.execute(own, (person, events))
        return [bytes(payload) for (payload,) in found.fetchall()]

    def _page(self, conn: Connection, after: int, limit: int) -> Sequence[tuple[int, bytes]]:
        found = conn.execute("SELECT seq, payload FROM memories WHERE seq > %s ORDER BY seq LIMIT %s", (after, limit))
        return [(seq, bytes(payload)) for seq, payload in found.fetchall()]
