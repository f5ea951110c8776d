"""Which messages of others an answer was given with: ids, no text."""

from collections.abc import Sequence

import sqlalchemy as sa

from bot.journal.tables import readings, turns

_NOTE = sa.text(
    "INSERT INTO readings (event_id, message_id) VALUES (:event_id, :message_id)"
    " ON CONFLICT (event_id, message_id) DO NOTHING"
)


def note(conn: sa.Connection, event_id: str, message_ids: Sequence[str]) -> None:
    """Record what the answer to an event was given with."""
    if message_ids:
        conn.execute(_NOTE, [{"event_id": event_id, "message_id": message_id} for message_id in message_ids])


def any_read(message_ids: Sequence[str]) -> sa.ColumnElement[bool]:
    """The condition, on `readings`, that any of these messages was read."""
    return readings.c.message_id.in_(list(message_ids))


def drop_turns(conn: sa.Connection, message_ids: Sequence[str]) -> int:
    """Delete the turns of answers that were given with any of these messages; return how many there were."""
    read = list(conn.scalars(sa.select(readings.c.event_id).where(any_read(message_ids)).distinct()))
    return conn.execute(sa.delete(turns).where(turns.c.event_id.in_(read))).rowcount if read else 0


def prune(conn: sa.Connection) -> int:
    """Delete what belongs to no turn any more; return how many rows there were."""
    kept = sa.select(turns.c.event_id).where(turns.c.event_id == readings.c.event_id)
    return conn.execute(sa.delete(readings).where(~kept.exists())).rowcount
