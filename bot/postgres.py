"""How every connection to PostgreSQL is made: none waits for ever, and none makes others wait for ever."""

from typing import Any

#: For libpq. Seconds for a connection to be made; a server that vanished is noticed within 25 s, whether something was
#: sent to it (milliseconds) or is waited for.
CONNECT: dict[str, Any] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
#: How long a statement waits for a lock, in milliseconds.
LOCK_WAIT_MS = 8000
#: For each session, first of all. A process that stands still amid a transaction holds its locks until the server ends
#: it: well before others take it for dead and want its rows.
LIMITS = (
    f"SET statement_timeout = '60s'; SET lock_timeout = {LOCK_WAIT_MS}; SET idle_in_transaction_session_timeout = '5s'"
)
#: For a transaction that may take as long as it does: a migration.
UNLIMITED = (
    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
)
