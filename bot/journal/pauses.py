"""Memory that people have switched off, and when."""

from collections.abc import Callable

import sqlalchemy as sa

from bot.journal.runner import Runner
from bot.journal.tables import pauses, settings

_KEEP_PAUSE = sa.text(
    "INSERT INTO pauses (user_id, began, ended) VALUES (:user_id, :began, :ended)"
    " ON CONFLICT (user_id, began) DO NOTHING"
)
_WAS_PAUSED = sa.text(
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM pauses WHERE user_id = :user_id AND began <= :at AND ended > :at)"
    " OR EXISTS (SELECT 1 FROM settings WHERE user_id = :user_id AND paused_at <= :at)"
)


class SqlPauses:
    """`bot.ports.Pauses`."""

    def __init__(self, runner: Runner, clock: Callable[[], float]) -> None:
        self._runner = runner
        self._clock = clock

    async def set(self, user_id: str, paused: bool) -> None:
        """Switch a person's memory off or on."""
        await self._runner.write(set_paused, user_id, paused, self._clock())

    async def announce(self, user_id: str) -> bool:
        """Whether this answer is the one that says so: True once after each pausing, in whichever process."""
        return await self._runner.write(announce, user_id)


def set_paused(conn: sa.Connection, user_id: str, paused: bool, now: float) -> None:
    """Switch a person's memory off or on; switching it off twice keeps the first time.

    When it was off is recorded: what was said then may be answered, or edited, after it is on again.
    """
    if not paused:
        over = sa.delete(settings).where(settings.c.user_id == user_id).returning(settings.c.paused_at)
        began = conn.execute(over).scalar()
        if began is not None:
            conn.execute(_KEEP_PAUSE, {"user_id": user_id, "began": began, "ended": now})
        return
    conn.execute(
        sa.text(
            "INSERT INTO settings (user_id, paused_at, told) VALUES (:user_id, :now, 0)"
            " ON CONFLICT (user_id) DO NOTHING"
        ),
        {"user_id": user_id, "now": now},
    )


def announce(conn: sa.Connection, user_id: str) -> bool:
    """Whether this answer is the one that says so: True once after each pausing."""
    unannounced = sa.and_(settings.c.user_id == user_id, settings.c.told == 0)
    return bool(conn.execute(sa.update(settings).where(unannounced).values(told=1)).rowcount)


def was_paused(conn: sa.Connection, user_id: str, at: float) -> bool:
    """Whether that person's memory was paused at a moment: what was said then may never be learned."""
    return conn.execute(_WAS_PAUSED, {"user_id": user_id, "at": at}).first() is not None


def move(conn: sa.Connection, user_id: str, to: str, *, keep: bool) -> None:
    """Give another mem0 user the same pauses; without `keep`, in place of the first."""
    found = conn.execute(sa.select(settings.c.paused_at).where(settings.c.user_id == user_id)).scalar()
    if found is not None:
        set_paused(conn, to, True, found)
    for row in conn.execute(sa.select(pauses).where(pauses.c.user_id == user_id)).all():
        conn.execute(_KEEP_PAUSE, {"user_id": to, "began": row.began, "ended": row.ended})
    if not keep:
        for table in (settings, pauses):
            conn.execute(sa.delete(table).where(table.c.user_id == user_id))
