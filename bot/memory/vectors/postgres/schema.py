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
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from bot.config import SettingsError
from bot.memory.vectors.meta import FORMAT, HEAD, VERSION_TABLE, EmbedderChanged, Meta
from bot.storage.postgres import UNLIMITED
from bot.storage.postgres_pool import Connection

#: At a million memories a part has 30 MB, which is rewritten in well under a second.
PARTS = 64
#: PostgreSQL's advisory lock for making the tables: any number, but always the same.
_LOCK = 0x6D656D6F7279
#: A vector of more dimensions doesn't fit a page beside its row, and is stored out of line.
_IN_LINE_DIMS = 1000


def create(conn: Connection, url: str, model: str, dims: int) -> Meta:
    """Bring the tables to their newest revision and return the meta; any number of processes may do so at once.

    An empty store takes the embedder given. Raises EmbedderChanged where memories of another one are there, and
    SettingsError where the server has no pgvector.
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
        _take_no_samples(conn)
        if (meta.model, meta.dims) != (model, dims):
            if conn.execute("SELECT 1 FROM memories LIMIT 1").fetchone():
                raise EmbedderChanged(f"{meta.model} ({meta.dims})", f"{model} ({dims})")
            add_vectors(conn, meta.number + 1, dims)
            meta = switch(conn, meta, model, dims)
        return meta


@contextmanager
def _locked(conn: Connection) -> Iterator[None]:
    """A transaction in which no other process is at the tables."""
    with conn.transaction():
        conn.execute(UNLIMITED)
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        yield


def _revision(conn: Connection) -> str | None:
    """The revision of the store's tables, None where it has none yet."""
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
    """Make room for an embedder's vectors; zero until they are written."""
    zero = f"'[{','.join('0' * dims)}]'"
    conn.execute(
        f"ALTER TABLE memories ADD COLUMN IF NOT EXISTS vector_{number} vector({dims}) NOT NULL DEFAULT {zero}"
    )
    if dims <= _IN_LINE_DIMS:
        conn.execute(f"ALTER TABLE memories ALTER COLUMN vector_{number} SET STORAGE PLAIN")
    conn.execute(f"ALTER TABLE memories ALTER COLUMN vector_{number} SET STATISTICS 0")


def _take_no_samples(conn: Connection) -> None:
    """Keep memories out of PostgreSQL's statistics, which outlive an erasure; stores of earlier versions had them."""
    untouched = conn.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'memories'::regclass AND coalesce(attstattarget, -1) <> 0"
        " AND (attname = 'payload' OR attname LIKE 'vector\\_%') AND NOT attisdropped"
    ).fetchall()
    for (column,) in untouched:
        conn.execute(f"ALTER TABLE memories ALTER COLUMN {column} SET STATISTICS 0")
        if column == "payload":
            # The same type again: nothing is rewritten, and the samples go.
            conn.execute("ALTER TABLE memories ALTER COLUMN payload TYPE bytea")


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
