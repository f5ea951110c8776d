"""Keywords of every script: memories whose terms have changed with the rules (`bot.memory.keywords`) are reindexed."""

import sqlite3
from typing import Any

from alembic import op

from bot.memory.vectors.sqlite import rows

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index what is stored by today's rules: the index has to agree with the code that searches it."""
    conn: Any = op.get_bind().connection.dbapi_connection
    if isinstance(conn, sqlite3.Connection):
        for person, salt in conn.execute("SELECT id, salt FROM memory_people").fetchall():
            rows.reindex(conn, person, salt)
    else:
        from bot.memory.vectors.postgres import (
            rows as postgres_rows,  # psycopg takes 10 MB, which SQLite has no use for
        )

        postgres_rows.reindex(conn)
