"""The memory store's tables on PostgreSQL.

One row holds all of a memory: its payload, what is filtered by (as keyed hashes), its keywords and its vector. A
person's rows are found by their key alone and scored exactly; there is no index over everybody's vectors.

The table is cut by person into parts small enough to be rewritten: a plain VACUUM leaves a deleted row's bytes in its
page until another row happens to be written over them, so what was erased is gone only after `VACUUM FULL` of its part.
`memory_erasures` says which parts still wait for theirs. A row's number `seq` counts up over all of them, in steps of
their number, so that it tells its part.
"""

import secrets
import uuid

import psycopg

from bot.config import SettingsError
from bot.memory.postgres_pool import Connection
from bot.memory.schema import EmbedderChanged, Meta
from bot.postgres import UNLIMITED

SCHEMA_VERSION = 1
#: At a million memories a part has 30 MB, which is rewritten in well under a second.
PARTS = 64
#: PostgreSQL's advisory lock for making the tables: any number, but always the same.
_LOCK = 0x6D656D6F7279
#: A vector of more dimensions doesn't fit a page beside its row, and is stored out of line.
_IN_LINE_DIMS = 1000

_TABLES = (
    "CREATE TABLE memory_meta (key text PRIMARY KEY, value bytea NOT NULL)",
    "CREATE TABLE memory_erasures (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, part smallint NOT NULL)",
    "CREATE SEQUENCE memories_seq",
    """CREATE TABLE memories (
        part smallint NOT NULL, seq bigint NOT NULL, person uuid NOT NULL, memory_id text NOT NULL,
        created_at float8 NOT NULL, seen_at float8 NOT NULL, length integer NOT NULL,
        audience bigint NOT NULL, run bigint NOT NULL, conversation bigint NOT NULL, signature bigint NOT NULL,
        superseded_by text, sources bigint[] NOT NULL, terms integer[] NOT NULL, payload bytea NOT NULL,
        PRIMARY KEY (part, seq)
    ) PARTITION BY LIST (part)""",
    *(f"CREATE TABLE memories_{part:02} PARTITION OF memories FOR VALUES IN ({part})" for part in range(PARTS)),
    "CREATE INDEX memories_person ON memories (person, seq)",
    "CREATE INDEX memories_memory_id ON memories (memory_id)",
    "CREATE INDEX memories_sources ON memories USING gin (sources) WITH (fastupdate = off)",
)


def create(conn: Connection, model: str, dims: int) -> Meta:
    """Make the tables where they are missing and return the meta; any number of processes may do so at once.

    An empty store takes the embedder given. Raises EmbedderChanged where memories of another one are there, and
    SettingsError where the server has no pgvector.
    """
    with conn.transaction():
        conn.execute(UNLIMITED)
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        if not exists(conn):
            _extension(conn)
            for statement in _TABLES:
                conn.execute(statement)
            values = {"schema": str(SCHEMA_VERSION), "model": model, "dims": str(dims), "number": "1"}
            rows = [(key, value.encode()) for key, value in values.items()] + [("secret", secrets.token_bytes(32))]
            for row in rows:
                conn.execute("INSERT INTO memory_meta VALUES (%s, %s)", row)
            add_vectors(conn, 1, dims)
        meta = read_meta(conn)
        if (meta.model, meta.dims) != (model, dims):
            if conn.execute("SELECT 1 FROM memories LIMIT 1").fetchone():
                raise EmbedderChanged(f"{meta.model} ({meta.dims})", f"{model} ({dims})")
            add_vectors(conn, meta.number + 1, dims)
            meta = switch(conn, meta, model, dims)
        return meta


def exists(conn: Connection) -> bool:
    """Whether the tables are there."""
    found = conn.execute("SELECT to_regclass('memory_meta') IS NOT NULL").fetchone()
    return bool(found and found[0])


def read_meta(conn: Connection) -> Meta:
    """The store's keys and embedder. Raises RuntimeError for a format of another version."""
    found = {key: bytes(value) for key, value in conn.execute("SELECT key, value FROM memory_meta")}
    version = found["schema"].decode()
    if version != str(SCHEMA_VERSION):
        raise RuntimeError(f"the memory store has format {version}; this version reads {SCHEMA_VERSION}")
    return Meta(found["secret"], found["model"].decode(), int(found["dims"]), int(found["number"]))


def add_vectors(conn: Connection, number: int, dims: int) -> None:
    """Make room for an embedder's vectors; zero until they are written."""
    zero = f"'[{','.join('0' * dims)}]'"
    conn.execute(
        f"ALTER TABLE memories ADD COLUMN IF NOT EXISTS vector_{number} vector({dims}) NOT NULL DEFAULT {zero}"
    )
    if dims <= _IN_LINE_DIMS:
        conn.execute(f"ALTER TABLE memories ALTER COLUMN vector_{number} SET STORAGE PLAIN")


def switch(conn: Connection, meta: Meta, model: str, dims: int) -> Meta:
    """Serve the next embedder's vectors from now on, and drop the former one's."""
    new = Meta(meta.secret, model, dims, meta.number + 1)
    for key, value in (("model", model), ("dims", str(dims)), ("number", str(new.number))):
        conn.execute("UPDATE memory_meta SET value = %s WHERE key = %s", (value.encode(), key))
    conn.execute(f"ALTER TABLE memories DROP COLUMN vector_{meta.number}")
    return new


def person_key(meta: Meta, user_id: str) -> uuid.UUID:
    """A person's key, the same 128 bits as in the SQLite store."""
    return uuid.UUID(bytes=meta.person_key(user_id))


def part_of(person: uuid.UUID) -> int:
    """The part of the table that holds a person's rows."""
    return person.bytes[0] % PARTS


def table(part: int) -> str:
    """The table of a part."""
    return f"memories_{part:02}"


def _extension(conn: Connection) -> None:
    try:
        with conn.transaction():
            conn.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except psycopg.Error as exc:
        # Another process at work on the same extension is waited for by the lock; what is left is the server's answer.
        allowed = exc.sqlstate != "42501"
        what = "the server has no pgvector extension" if allowed else "this user may not CREATE EXTENSION vector"
        raise SettingsError(f"DATABASE_URL: {what}") from None
