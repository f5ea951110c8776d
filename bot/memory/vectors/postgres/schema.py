"""The memory store's tables on PostgreSQL.

One row holds a whole memory: its payload, filter columns (keyed hashes), its keywords and its vector. A person's rows
are found by their key and scored exactly; there is no index over everybody's vectors.

The table is partitioned by person into parts small enough to be rewritten: a plain VACUUM leaves a deleted row's bytes
in its page until another row happens to overwrite them, so erased data is gone only after a `VACUUM FULL` of its part.
`memory_erasures` lists the parts that still need one. A row's number `seq` increases across all parts in steps of their
number, so that it identifies its part.
"""

import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from bot.config import SettingsError
from bot.memory.vectors.meta import FORMAT, HEAD, VERSION_TABLE, EmbedderChanged, Meta
from bot.storage.postgres import UNLIMITED
from bot.storage.postgres_pool import Connection

#: With a million memories, a part has 30 MB, which is rewritten in well under a second.
PARTS = 64
#: PostgreSQL's advisory lock for creating the tables: an arbitrary constant.
_LOCK = 0x6D656D6F7279
#: A vector with more dimensions doesn't fit into a page with its row, and is stored out of line.
_IN_LINE_DIMS = 1000


def create(conn: Connection, url: str, model: str, dims: int) -> Meta:
    """Migrate the tables to their newest revision and return the meta; processes may do so concurrently.

    An empty store switches to the given embedder. Raises EmbedderChanged if there are memories of another one, and
    SettingsError if the server has no pgvector.
    """
    if _revision(conn) != HEAD:
        from bot.memory.vectors.revision import migrate_database

        with _locked(conn):
            _extension(conn)
        migrate_database(url)
    with _locked(conn):
        if conn.execute("SELECT 1 FROM memory_meta").fetchone() is None:
            values = {"schema": str(FORMAT), "model": model, "dims": str(dims), "number": "1"}
            rows = [(key, value.encode()) for key, value in values.items()] + [("secret", secrets.token_bytes(32))]
            for row in rows:
                conn.execute("INSERT INTO memory_meta VALUES (%s, %s)", row)
            add_vectors(conn, 1, dims)
        meta = read_meta(conn)
        _disable_statistics(conn)
        if (meta.model, meta.dims) != (model, dims):
            if conn.execute("SELECT 1 FROM memories LIMIT 1").fetchone():
                raise EmbedderChanged(f"{meta.model} ({meta.dims})", f"{model} ({dims})")
            add_vectors(conn, meta.number + 1, dims)
            meta = switch(conn, meta, model, dims)
        return meta


@contextmanager
def _locked(conn: Connection) -> Iterator[None]:
    """A transaction that excludes other processes from creating or changing the tables."""
    with conn.transaction():
        conn.execute(UNLIMITED)
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        yield


def _revision(conn: Connection) -> str | None:
    """The revision of the store's tables; None if it has none yet."""
    there = conn.execute("SELECT to_regclass(%s) IS NOT NULL", (VERSION_TABLE,)).fetchone()
    if not there or not there[0]:
        return None
    found = conn.execute(f"SELECT version_num FROM {VERSION_TABLE}".encode()).fetchone()
    return None if found is None else str(found[0])


def read_meta(conn: Connection) -> Meta:
    """The store's keys and embedder."""
    found = {key: bytes(value) for key, value in conn.execute("SELECT key, value FROM memory_meta")}
    return Meta(found["secret"], found["model"].decode(), int(found["dims"]), int(found["number"]))


def add_vectors(conn: Connection, number: int, dims: int) -> None:
    """Add the column of an embedder's vectors; zero until they are written."""
    zero = f"'[{','.join('0' * dims)}]'"
    conn.execute(
        f"ALTER TABLE memories ADD COLUMN IF NOT EXISTS vector_{number} vector({dims}) NOT NULL DEFAULT {zero}"
    )
    if dims <= _IN_LINE_DIMS:
        conn.execute(f"ALTER TABLE memories ALTER COLUMN vector_{number} SET STORAGE PLAIN")
    conn.execute(f"ALTER TABLE memories ALTER COLUMN vector_{number} SET STATISTICS 0")


def _disable_statistics(conn: Connection) -> None:
    """Keep memories out of PostgreSQL's statistics, which outlive an erasure. Earlier versions didn't."""
    untouched = conn.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'memories'::regclass AND coalesce(attstattarget, -1) <> 0"
        " AND (attname = 'payload' OR attname LIKE 'vector\\_%') AND NOT attisdropped"
    ).fetchall()
    for (column,) in untouched:
        conn.execute(f"ALTER TABLE memories ALTER COLUMN {column} SET STATISTICS 0")
        if column == "payload":
            # Setting the same type rewrites nothing, but drops the samples.
            conn.execute("ALTER TABLE memories ALTER COLUMN payload TYPE bytea")


def switch(conn: Connection, meta: Meta, model: str, dims: int) -> Meta:
    """Use the next embedder's vectors from now on, and drop the former one's."""
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
        # The lock excludes other processes that create the extension, so this is the server's refusal.
        allowed = exc.sqlstate != "42501"
        what = "the server has no pgvector extension" if allowed else "this user may not CREATE EXTENSION vector"
        raise SettingsError(f"DATABASE_URL: {what}") from None
