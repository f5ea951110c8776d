"""The memory store's first tables. A store that is older than its revisions has them, and is adopted as it is.

The vectors are not among them: their table or column bears the embedder's number (`schema`, `postgres_schema`).
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQLITE = (
    "CREATE TABLE IF NOT EXISTS memory_meta (key TEXT PRIMARY KEY, value BLOB NOT NULL)",
    """CREATE TABLE IF NOT EXISTS memory_people (
        id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, salt BLOB NOT NULL,
        next_seq INTEGER NOT NULL DEFAULT 0, count INTEGER NOT NULL DEFAULT 0,
        version INTEGER NOT NULL DEFAULT 0, edits INTEGER NOT NULL DEFAULT 0, revectored INTEGER NOT NULL DEFAULT 0
    )""",
    """CREATE TABLE IF NOT EXISTS memories (
        id INTEGER PRIMARY KEY, memory_id TEXT NOT NULL UNIQUE, text INTEGER NOT NULL,
        created_at REAL NOT NULL, seen_at REAL NOT NULL, length INTEGER NOT NULL,
        audience INTEGER NOT NULL, run INTEGER NOT NULL, conversation INTEGER NOT NULL, signature INTEGER NOT NULL,
        superseded_by TEXT
    )""",
    "CREATE TABLE IF NOT EXISTS memory_texts (id INTEGER PRIMARY KEY, payload BLOB)",
    "CREATE TABLE IF NOT EXISTS memory_postings (id INTEGER PRIMARY KEY, postings BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS memory_sources (event INTEGER NOT NULL, memory INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS memory_sources_event ON memory_sources (event, memory)",
    "CREATE INDEX IF NOT EXISTS memory_sources_memory ON memory_sources (memory)",
    """CREATE TABLE IF NOT EXISTS memory_reembedded (
        person INTEGER PRIMARY KEY, embedded INTEGER NOT NULL, done INTEGER NOT NULL
    )""",
)

_PARTS = 64
_POSTGRES = (
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
    *(f"CREATE TABLE memories_{part:02} PARTITION OF memories FOR VALUES IN ({part})" for part in range(_PARTS)),
    "CREATE INDEX memories_person ON memories (person, seq)",
    "CREATE INDEX memories_memory_id ON memories (memory_id)",
    "CREATE INDEX memories_sources ON memories USING gin (sources) WITH (fastupdate = off)",
)


def upgrade() -> None:
    """Make the tables that are missing."""
    conn = op.get_bind()
    if conn.dialect.name == "sqlite":
        statements: tuple[str, ...] = _SQLITE
    else:
        statements = () if sa.inspect(conn).has_table("memory_meta") else _POSTGRES
    for statement in statements:
        conn.exec_driver_sql(statement)
