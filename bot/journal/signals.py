"""What one worker tells another of the events that it answers: edited, deleted, to be stopped.

A row waits for the worker that had claimed the event when it was written, which looks for its rows every second while
it is answering (`bot.core.elsewhere`). Ids alone, no text.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from bot.events import Signal
from bot.journal.columns import from_json
from bot.journal.runner import Runner
from bot.journal.tables import inbox, signals

_NOTE = sa.text(
    "INSERT INTO signals (worker, event_id, signal) VALUES (:worker, :event_id, :signal)"
    " ON CONFLICT (worker, event_id, signal) DO NOTHING"
)
_WAITING = (
    sa.select(signals.c.event_id, signals.c.signal, inbox.c.payload)
    .outerjoin(inbox, inbox.c.event_id == signals.c.event_id)
    .where(signals.c.worker == sa.bindparam("worker"))
)

#: An event, what is to become of its answer, and what its message says now (nothing, where it is gone).
Told = tuple[str, Signal, str]


class SqlSignals:
    """`bot.ports.Signals`."""

    def __init__(self, runner: Runner, worker: str) -> None:
        self._runner = runner
        self._worker = worker

    async def take(self) -> list[Told]:
        """What other workers tell of the events that this one answers, once."""
        told = await self._runner.read(waiting, self._worker)
        if told:
            await self._runner.write(drop, self._worker, told)
        return told

    async def stop(self, person_key: str, conversation: str) -> bool:
        """Have the answers stopped that somebody is getting in a conversation; False if no other worker gives any."""
        theirs = sa.and_(inbox.c.person_key == person_key, inbox.c.conversation == conversation)
        return await self._runner.write(note, theirs, Signal.STOP, self._worker) > 0

    async def stop_one(self, event_id: str, person_key: str) -> bool:
        """Have the answer to a message stopped for whoever wrote it; False if no other worker gives it."""
        theirs = sa.and_(inbox.c.event_id == event_id, inbox.c.person_key == person_key)
        return await self._runner.write(note, theirs, Signal.STOP, self._worker) > 0


def note(conn: sa.Connection, which: sa.ColumnElement[bool], signal: Signal, worker: str) -> int:
    """Tell those who answer these events, but for `worker` itself; return how many events that are."""
    others = sa.and_(which, inbox.c.claimed_by.is_not(None), inbox.c.claimed_by != worker)
    found = conn.execute(sa.select(inbox.c.event_id, inbox.c.claimed_by).where(others)).all()
    for row in found:
        conn.execute(_NOTE, {"worker": row.claimed_by, "event_id": row.event_id, "signal": int(signal)})
    return len(found)


def waiting(conn: sa.Connection, worker: str) -> list[Told]:
    """What waits for a worker."""
    rows = conn.execute(_WAITING, {"worker": worker})
    return [(row.event_id, Signal(row.signal), from_json(row.payload).said if row.payload else "") for row in rows]


def drop(conn: sa.Connection, worker: str, told: Sequence[Told]) -> None:
    """Delete what a worker has been told."""
    for event_id, signal, _ in told:
        which = (signals.c.worker == worker, signals.c.event_id == event_id, signals.c.signal == int(signal))
        conn.execute(sa.delete(signals).where(*which))
