"""What was deleted on PostgreSQL also leaves the pages: the part of the table that held it is rewritten."""

import logging
import re

import psycopg

from bot.memory.postgres_pool import Connection
from bot.memory.postgres_schema import table
from bot.postgres import LOCK_WAIT_MS

log = logging.getLogger(__name__)

#: How long the rewriting of a part waits for those who read it, in milliseconds.
REWRITE_WAIT_MS = 5000
_STILL_SEEN = re.compile(r"(\d+) dead row versions cannot be removed")


def note(conn: Connection, part: int) -> None:
    """Note, in the transaction that deletes, that a part holds rows whose bytes must go."""
    conn.execute("INSERT INTO memory_erasures (part) VALUES (%s)", (part,))


def scrub(conn: Connection) -> None:
    """Rewrite the parts that are noted. What can't be done now stays noted for the next erasure or start."""
    due: dict[int, list[int]] = {}
    for number, part in conn.execute("SELECT id, part FROM memory_erasures"):
        due.setdefault(part, []).append(number)
    for part, notes in due.items():
        if _rewritten(conn, part):
            conn.execute("DELETE FROM memory_erasures WHERE id = ANY(%s)", (notes,))


def _rewritten(conn: Connection, part: int) -> bool:
    """Rewrite a part without its deleted rows; False where an older snapshot (a backup, say) still sees some."""
    said: list[str] = []

    def listen(notice: psycopg.errors.Diagnostic) -> None:
        said.append(notice.message_detail or "")

    conn.add_notice_handler(listen)
    try:
        conn.execute(f"SET lock_timeout = {REWRITE_WAIT_MS}")
        conn.execute(f"VACUUM (FULL, VERBOSE) {table(part)}")
    finally:
        conn.remove_notice_handler(listen)
        if not conn.closed:
            conn.execute(f"SET lock_timeout = {LOCK_WAIT_MS}")
    kept = sum(int(found) for text in said for found in _STILL_SEEN.findall(text))
    if kept:
        log.warning("%d deleted rows are still seen by an older transaction; they are vacuumed later", kept)
    return not kept
