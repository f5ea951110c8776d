"""When a person last got a notice that is given only now and then."""

from collections.abc import Callable

import sqlalchemy as sa

from bot.journal.runner import Runner
from bot.journal.tables import notices

#: Seconds after which any notice is due again at the latest, so that its row can go.
LONGEST = 24 * 3600.0

_FIRST = sa.text(
    "INSERT INTO notices (kind, key, at) VALUES (:kind, :key, :now) ON CONFLICT (kind, key) DO UPDATE SET at = :now"
    # A time in the future was noted before the clock was set back.
    " WHERE notices.at <= :now - :seconds OR notices.at > :now"
)


class SqlNotices:
    """`bot.ports.Notices`."""

    def __init__(self, runner: Runner, clock: Callable[[], float]) -> None:
        self._runner = runner
        self._clock = clock

    async def first(self, kind: str, key: str, seconds: float) -> bool:
        """Whether a notice of that kind is due for `key`: True once in so many seconds (a day at most)."""
        return await self._runner.write(first, kind, key, seconds, self._clock())


def first(conn: sa.Connection, kind: str, key: str, seconds: float, now: float) -> bool:
    """Whether a notice is due; if so, it counts as given."""
    return bool(conn.execute(_FIRST, {"kind": kind, "key": key, "seconds": seconds, "now": now}).rowcount)


def prune(conn: sa.Connection, now: float) -> int:
    """Delete notices that are due again anyway; return how many."""
    return conn.execute(sa.delete(notices).where(notices.c.at < now - LONGEST)).rowcount
