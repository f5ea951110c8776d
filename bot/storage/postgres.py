"""The limits of every connection to PostgreSQL: none waits forever, none makes others wait forever.

Also removes deleted texts from the disk: a plain VACUUM leaves a deleted row's bytes in its page until another row
happens to overwrite them; VACUUM FULL rewrites the table.
"""

import logging
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg  # 10 MB, of no use to a bot on SQLite

log = logging.getLogger(__name__)

#: For libpq. A connection attempt takes at most 5 s; a server that vanished is noticed within 25 s, both while sending
#: (`tcp_user_timeout`, in milliseconds) and while waiting (keepalives).
CONNECT: dict[str, Any] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
#: How long a statement waits for a lock, in milliseconds.
LOCK_WAIT_MS = 8000
#: The first statement of each session. A process that is suspended during a transaction keeps its locks until the
#: server ends that, well before others treat the process as dead and need its rows.
LIMITS = (
    f"SET statement_timeout = '60s'; SET lock_timeout = {LOCK_WAIT_MS}; SET idle_in_transaction_session_timeout = '5s'"
)
#: For a transaction that may take any amount of time: a migration.
UNLIMITED = (
    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
)
#: How long the rewrite of a table waits for its users, in milliseconds; all others queue behind it.
REWRITE_WAIT_MS = 5000
_STILL_SEEN = re.compile(r"(\d{1,20}) dead row versions cannot be removed")


def rewrite(conn: "psycopg.Connection[Any]", table: str) -> bool:
    """Rewrite a table without its deleted rows, over a connection in autocommit mode.

    False if some of them stay because an older transaction (another process's, or a backup's) still sees them. Raises
    psycopg.Error, also if the table is in use for too long.
    """
    details: list[str] = []

    def listen(notice: "psycopg.errors.Diagnostic") -> None:
        details.append(notice.message_detail or "")

    conn.add_notice_handler(listen)
    try:
        conn.execute(f"SET lock_timeout = {REWRITE_WAIT_MS}".encode())
        conn.execute(f"VACUUM (FULL, VERBOSE) {table}".encode())
    finally:
        conn.remove_notice_handler(listen)
        if not conn.closed:
            conn.execute(f"SET lock_timeout = {LOCK_WAIT_MS}".encode())
    kept = sum(int(count) for detail in details for count in _STILL_SEEN.findall(detail))
    if kept:
        log.warning("%d deleted rows are still seen by an older transaction, %s will be rewritten again", kept, table)
    return not kept
