"""Processes at work: who is alive, and whose claims are void.

On PostgreSQL a worker is alive while its heartbeat is recent, by the database's own clock. On SQLite all workers are on
one machine, so a lock on a file shows it at once, whatever the clock does (`bot.journal.lockfile`).
"""

from collections.abc import Callable

import sqlalchemy as sa

from bot.journal.ledger import settle_orphans
from bot.journal.tables import exchanges, inbox, signals, workers

#: A worker without a heartbeat for so many seconds is dead (PostgreSQL).
LEASE = 9.0
#: Seconds between heartbeats; a dead worker's events are free again LEASE + BEAT after its death at the latest.
BEAT = 2.0

_OTHERS = sa.select(workers.c.id).where(workers.c.id != sa.bindparam("worker"))


def _now(conn: sa.Connection) -> float:
    if conn.dialect.name == "postgresql":
        return float(conn.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
    return 0.0


def renew(conn: sa.Connection, worker: str) -> bool:
    """Record a heartbeat; False if the worker wasn't registered: newly started, or its lease had expired."""
    seen = _now(conn)
    if conn.execute(sa.update(workers).where(workers.c.id == worker).values(seen=seen)).rowcount:
        return True
    conn.execute(sa.insert(workers), {"id": worker, "seen": seen})
    return False


def reap_silent(conn: sa.Connection, worker: str) -> int:
    """Void the claims of workers whose lease has expired; return how many were released (PostgreSQL)."""
    silent = sa.and_(workers.c.id != worker, workers.c.seen < _now(conn) - LEASE)
    # Another process that is reaping just now does it for us: no waiting for each other.
    dead = conn.scalars(sa.select(workers.c.id).where(silent).with_for_update(skip_locked=True)).all()
    if dead:
        conn.execute(sa.delete(workers).where(workers.c.id.in_(dead)))
    return _void(conn)


def others(conn: sa.Connection, worker: str) -> list[str]:
    """The workers besides this one."""
    return list(conn.scalars(_OTHERS, {"worker": worker}))


def reap_dead(conn: sa.Connection, worker: str, dead: Callable[[str], bool]) -> int:
    """Void the claims of workers that are `dead`; return how many were released (SQLite)."""
    for other in others(conn, worker):
        if dead(other):
            conn.execute(sa.delete(workers).where(workers.c.id == other))
    return _void(conn)


def sign_off(conn: sa.Connection, worker: str) -> None:
    """Remove a worker; its claims are released at once."""
    conn.execute(sa.delete(workers).where(workers.c.id == worker))
    for table in (inbox, exchanges):
        conn.execute(sa.update(table).where(table.c.claimed_by == worker).values(claimed_by=None))
    conn.execute(sa.delete(signals).where(signals.c.worker == worker))
    settle_orphans(conn)


def _void(conn: sa.Connection) -> int:
    living = sa.select(workers.c.id)
    count = 0
    for table in (inbox, exchanges):
        orphaned = sa.and_(table.c.claimed_by.is_not(None), table.c.claimed_by.not_in(living))
        count += conn.execute(sa.update(table).where(orphaned).values(claimed_by=None)).rowcount
    conn.execute(sa.delete(signals).where(signals.c.worker.not_in(living)))
    settle_orphans(conn)
    return count
