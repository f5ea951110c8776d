"""Scrubs deleted rows from PostgreSQL's pages by rewriting the part of the table that held them."""

from bot.memory.vectors.postgres.schema import table
from bot.storage.postgres import rewrite
from bot.storage.postgres_pool import Connection


def note(conn: Connection, part: int) -> None:
    """Record, in the transaction that deletes, that a part holds rows whose bytes must go."""
    conn.execute("INSERT INTO memory_erasures (part) VALUES (%s)", (part,))


def scrub(conn: Connection) -> None:
    """Rewrite the parts on record. What can't be done now stays on record for the next time."""
    due: dict[int, list[int]] = {}
    for number, part in conn.execute("SELECT id, part FROM memory_erasures"):
        due.setdefault(part, []).append(number)
    for part, notes in due.items():
        if rewrite(conn, table(part)):
            conn.execute("DELETE FROM memory_erasures WHERE id = ANY(%s)", (notes,))
