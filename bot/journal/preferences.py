"""What people have chosen for themselves, beside pausing their memory."""

from collections.abc import Callable

import sqlalchemy as sa

from bot.journal.runner import Runner
from bot.journal.tables import unnoticed

_KEEP = sa.text("INSERT INTO unnoticed (user_id, at) VALUES (:user_id, :at) ON CONFLICT (user_id) DO NOTHING")


class SqlPreferences:
    """`bot.ports.Preferences`."""

    def __init__(self, runner: Runner, clock: Callable[[], float]) -> None:
        self._runner = runner
        self._clock = clock

    async def noticed(self, user_id: str) -> bool:
        """Whether a person wants to be told, below an answer, that it has taught something."""
        return await self._runner.read(noticed, user_id)

    async def set_noticed(self, user_id: str, wanted: bool) -> None:
        """Switch that on or off for a person."""
        await self._runner.write(set_noticed, user_id, wanted, self._clock())


def noticed(conn: sa.Connection, user_id: str) -> bool:
    """Whether a person wants that line."""
    return since(conn, user_id) is None


def since(conn: sa.Connection, user_id: str) -> float | None:
    """Since when a person doesn't want it."""
    found: float | None = conn.execute(sa.select(unnoticed.c.at).where(unnoticed.c.user_id == user_id)).scalar()
    return found


def set_noticed(conn: sa.Connection, user_id: str, wanted: bool, now: float) -> None:
    """Switch it on or off; switching it off twice keeps the first time."""
    if wanted:
        conn.execute(sa.delete(unnoticed).where(unnoticed.c.user_id == user_id))
    else:
        conn.execute(_KEEP, {"user_id": user_id, "at": now})


def move(conn: sa.Connection, user_id: str, to: str, *, keep: bool) -> None:
    """Give another mem0 user the same choice; without `keep`, in place of the first."""
    found = since(conn, user_id)
    if found is not None:
        set_noticed(conn, to, False, found)
        if not keep:
            set_noticed(conn, user_id, True, found)
