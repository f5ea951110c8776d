"""What is still to be erased from the memory store: recorded first, so that it is done though a part fails."""

import json
from collections.abc import Callable, Sequence

import sqlalchemy as sa

from bot.journal.runner import Runner
from bot.journal.tables import erasures
from bot.model import Erasure

#: For how many seconds an erasure belongs to whoever has recorded or claimed it.
HOLD = 60.0
#: Back-off after a failed attempt: seconds, doubled each time.
FIRST_PAUSE = 15.0
MAX_PAUSE = 1800.0


class SqlErasureQueue:
    """`bot.ports.ErasureQueue`."""

    def __init__(self, runner: Runner, clock: Callable[[], float]) -> None:
        self._runner = runner
        self._clock = clock

    async def add(self, wanted: Sequence[Erasure], delay: float | None = None) -> list[Erasure]:
        """Record erasures, due in `delay` seconds (one minute), and return them with their ids."""
        return await self._runner.write(add, wanted, self._clock(), HOLD if delay is None else delay)

    async def add_once(self, erasure: Erasure, delay: float) -> bool:
        """Record an erasure that is due in `delay` seconds; False if the same is queued already."""
        return await self._runner.write(add_once, erasure, self._clock(), delay)

    async def due(self) -> list[Erasure]:
        """The erasures that are due, oldest first; nobody else gets them for a minute."""
        return await self._runner.write(due, self._clock())

    async def done(self, erasure_id: int) -> None:
        """An erasure has succeeded."""
        await self._runner.write(done, erasure_id)

    async def retry_later(self, erasure_id: int) -> None:
        """An erasure has failed: it is due again after a back-off."""
        await self._runner.write(retry_later, erasure_id, self._clock())

    async def cancel(self, erasure: Erasure) -> int:
        """Remove a queued erasure; return how many there were."""
        return await self._runner.write(cancel, erasure)


def add(conn: sa.Connection, wanted: Sequence[Erasure], now: float, delay: float = HOLD) -> list[Erasure]:
    """Record erasures, due in `delay` seconds, and return them with their ids."""
    return [_insert(conn, erasure, now, now + delay) for erasure in wanted]


def add_once(conn: sa.Connection, erasure: Erasure, now: float, delay: float) -> bool:
    """Record an erasure unless the same is queued already, whose time doesn't change then. False if it was."""
    if conn.execute(sa.select(erasures.c.id).where(_same(erasure))).first() is not None:
        return False
    _insert(conn, erasure, now, now + delay)
    return True


def due(conn: sa.Connection, now: float, limit: int = 20) -> list[Erasure]:
    """What is due, oldest first; it is due again later unless it is done by then."""
    chosen = (
        sa.select(erasures.c.id)
        .where(erasures.c.due <= now)
        .order_by(erasures.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(conn.scalars(chosen))
    if not ids:
        return []
    rows = conn.execute(
        sa.update(erasures)
        .where(erasures.c.id.in_(ids))
        .values(due=now + HOLD, attempts=erasures.c.attempts + 1)
        .returning(erasures.c.id, erasures.c.kind, erasures.c.what, erasures.c.user_id)
    ).all()
    return [
        Erasure(row.kind, json.loads(row.what), row.user_id, row.id) for row in sorted(rows, key=lambda row: row.id)
    ]


def done(conn: sa.Connection, erasure_id: int) -> None:
    """An erasure has succeeded."""
    conn.execute(sa.delete(erasures).where(erasures.c.id == erasure_id))


def retry_later(conn: sa.Connection, erasure_id: int, now: float) -> None:
    """An erasure has failed: it is due again after a back-off."""
    attempts = conn.execute(sa.select(erasures.c.attempts).where(erasures.c.id == erasure_id)).scalar() or 0
    pause = min(FIRST_PAUSE * 2 ** min(attempts, 20), MAX_PAUSE)
    conn.execute(sa.update(erasures).where(erasures.c.id == erasure_id).values(due=now + pause))


def cancel(conn: sa.Connection, erasure: Erasure) -> int:
    """Remove a queued erasure; return how many there were."""
    return conn.execute(sa.delete(erasures).where(_same(erasure))).rowcount


def _insert(conn: sa.Connection, erasure: Erasure, now: float, due: float) -> Erasure:
    values = {"kind": erasure.kind, "user_id": erasure.user_id, "what": _json(erasure), "due": due, "at": now}
    key = conn.execute(sa.insert(erasures), values).inserted_primary_key
    return Erasure(erasure.kind, erasure.what, erasure.user_id, int(key[0]) if key else 0)


def _same(erasure: Erasure) -> sa.ColumnElement[bool]:
    return sa.and_(erasures.c.kind == erasure.kind, erasures.c.what == _json(erasure))


def _json(erasure: Erasure) -> str:
    return json.dumps(erasure.what, sort_keys=True, separators=(",", ":"))
