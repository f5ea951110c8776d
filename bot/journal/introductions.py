"""Who has been told that they are remembered, in which workspace, and with which answer."""

from collections.abc import Callable

import sqlalchemy as sa

from bot.journal.runner import Runner
from bot.journal.tables import inbox, introductions

#: Seconds after which people are told again.
AGAIN = 365 * 24 * 3600.0

#: An answer that was to say it and never came leaves that to the next. Nothing is recorded for an event that has ended
#: meanwhile: its person may have had everything forgotten.
_DUE = sa.text(
    "INSERT INTO introductions (person_key, workspace, event_id, told, at)"
    " SELECT CAST(:person AS TEXT), CAST(:workspace AS TEXT), inbox.event_id, 0, CAST(:now AS DOUBLE PRECISION)"
    " FROM inbox WHERE inbox.event_id = :event"
    " ON CONFLICT (person_key, workspace) DO UPDATE SET event_id = excluded.event_id, at = excluded.at"
    " WHERE introductions.told = 0 AND (introductions.event_id = excluded.event_id"
    " OR NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.event_id = introductions.event_id))"
)


class SqlIntroductions:
    """`bot.ports.Introductions`."""

    def __init__(self, runner: Runner, clock: Callable[[], float]) -> None:
        self._runner = runner
        self._clock = clock

    async def due(self, person_key: str, workspace: str, event_id: str) -> bool:
        """Whether the answer to this event is the one that tells its person, over all processes."""
        return await self._runner.write(due, person_key, workspace, event_id, self._clock())


def due(conn: sa.Connection, person_key: str, workspace: str, event_id: str, now: float) -> bool:
    """Whether an answer is the one that tells its person; if so, no other is until it is known not to have come."""
    given = {"person": person_key, "workspace": workspace, "event": event_id, "now": now}
    return bool(conn.execute(_DUE, given).rowcount)


def told(conn: sa.Connection, event_id: str) -> None:
    """Record that the answer to this event has told its person."""
    conn.execute(sa.update(introductions).where(introductions.c.event_id == event_id).values(told=1))


def prune(conn: sa.Connection, now: float) -> int:
    """Delete what is so long ago that people are told again, and what never was told; return how many rows."""
    never = sa.and_(introductions.c.told == 0, ~sa.exists().where(inbox.c.event_id == introductions.c.event_id))
    return conn.execute(sa.delete(introductions).where(sa.or_(introductions.c.at < now - AGAIN, never))).rowcount
