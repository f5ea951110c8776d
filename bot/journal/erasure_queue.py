"""What is still to be erased from the memory store: written down first, so that it is done though a part fails."""

import json
from collections.abc import Sequence

import sqlalchemy as sa

from bot.journal.tables import erasures
from bot.model import Erasure

#: Seconds that whoever wrote an erasure down has for it before anybody takes it up.
LEASE = 60.0
#: Back-off after a failed attempt: seconds, doubled each time.
RETRY_FIRST = 15.0
RETRY_MOST = 1800.0


def owe(conn: sa.Connection, wanted: Sequence[Erasure], now: float, delay: float = LEASE) -> list[Erasure]:
    """Write erasures down, to be taken up in `delay` seconds, and return them with their ids."""
    return [_write(conn, each, now, now + delay) for each in wanted]


def owe_once(conn: sa.Connection, wanted: Erasure, now: float, delay: float) -> bool:
    """Write an erasure down unless the same is owed already: told again, it isn't put off. False where it was."""
    same = sa.and_(erasures.c.kind == wanted.kind, erasures.c.what == _json(wanted))
    if conn.execute(sa.select(erasures.c.id).where(same)).first() is not None:
        return False
    _write(conn, wanted, now, now + delay)
    return True


def _write(conn: sa.Connection, wanted: Erasure, now: float, due: float) -> Erasure:
    values = {"kind": wanted.kind, "user_id": wanted.user_id, "what": _json(wanted), "due": due, "at": now}
    key = conn.execute(sa.insert(erasures), values).inserted_primary_key
    return Erasure(wanted.kind, wanted.what, wanted.user_id, int(key[0]) if key else 0)


def _json(wanted: Erasure) -> str:
    return json.dumps(wanted.what, sort_keys=True, separators=(",", ":"))


def due(conn: sa.Connection, now: float, most: int = 20) -> list[Erasure]:
    """Take up what is due, oldest first; it is due again later unless it is settled."""
    chosen = (
        sa.select(erasures.c.id)
        .where(erasures.c.due <= now)
        .order_by(erasures.c.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    ids = list(conn.scalars(chosen))
    if not ids:
        return []
    rows = conn.execute(
        sa.update(erasures)
        .where(erasures.c.id.in_(ids))
        .values(due=now + LEASE, attempts=erasures.c.attempts + 1)
        .returning(erasures.c.id, erasures.c.kind, erasures.c.what, erasures.c.user_id)
    ).all()
    return [
        Erasure(row.kind, json.loads(row.what), row.user_id, row.id) for row in sorted(rows, key=lambda row: row.id)
    ]


def settle(conn: sa.Connection, erasure_id: int) -> None:
    """An erasure is done."""
    conn.execute(sa.delete(erasures).where(erasures.c.id == erasure_id))


def put_off(conn: sa.Connection, erasure_id: int, now: float) -> None:
    """An erasure failed: it is due again later."""
    attempts = conn.execute(sa.select(erasures.c.attempts).where(erasures.c.id == erasure_id)).scalar() or 0
    pause = min(RETRY_FIRST * 2 ** min(attempts, 20), RETRY_MOST)
    conn.execute(sa.update(erasures).where(erasures.c.id == erasure_id).values(due=now + pause))


def excuse(conn: sa.Connection, wanted: Erasure) -> int:
    """Let an erasure that was written down be; return how many there were."""
    same = sa.and_(erasures.c.kind == wanted.kind, erasures.c.what == _json(wanted))
    return conn.execute(sa.delete(erasures).where(same)).rowcount
