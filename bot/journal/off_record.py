"""What people keep off the record: conversations, from one moment to another, and messages by themselves.

Nothing said off the record is ever learned. A message that was is marked in the record of messages, so that it stays
so however late it is answered, and when it is edited.
"""

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from bot.events import MessageEvent
from bot.journal.runner import Runner
from bot.journal.tables import messages, off_record, turns
from bot.model import Place


class SqlOffRecord:
    """`bot.ports.OffRecord`."""

    def __init__(self, runner: Runner, clock: Callable[[], float]) -> None:
        self._runner = runner
        self._clock = clock

    async def begin(self, person_key: str, place: Place) -> None:
        """Keep off the record what a person says in a place from now on."""
        await self._runner.write(begin, person_key, place, self._clock())

    async def end(self, person_key: str, place: Place) -> None:
        """Let what a person says there be learned again from now on."""
        await self._runner.write(end, person_key, place, self._clock())


def begin(conn: sa.Connection, person_key: str, place: Place, now: float) -> None:
    """Begin it, unless it is so already."""
    if not _lasts(conn, person_key, place):
        where = {"workspace": place.workspace_key, "channel": place.channel_key, "thread": place.thread or ""}
        conn.execute(sa.insert(off_record), {"person_key": person_key, **where, "began": now})


def end(conn: sa.Connection, person_key: str, place: Place, now: float) -> None:
    """End it: for a thread the whole channel's too, and for a channel that of all its threads."""
    there = sa.and_(off_record.c.person_key == person_key, off_record.c.channel == place.channel_key)
    if place.thread:
        there = sa.and_(there, _within(place))
    conn.execute(sa.update(off_record).where(there, off_record.c.ended.is_(None)).values(ended=now))


def _within(place: Place) -> sa.ColumnElement[bool]:
    """Whether a row covers a place: its channel's, or its thread's."""
    return sa.and_(off_record.c.channel == place.channel_key, off_record.c.thread.in_(["", place.thread or ""]))


def _lasts(conn: sa.Connection, person_key: str, place: Place) -> bool:
    """Whether a conversation is off the record now."""
    now_on = sa.and_(off_record.c.person_key == person_key, _within(place), off_record.c.ended.is_(None))
    return conn.execute(sa.select(off_record.c.id).where(now_on)).first() is not None


def note_admitted(conn: sa.Connection, event: MessageEvent) -> None:
    """Mark a message that is off the record as it is admitted: by its words, or by its conversation now or then.

    By both, since the clocks of a platform and of a process differ.
    """
    if event.asks_off_record or _lasts(conn, event.person.key, event.place) or _was_said(conn, event):
        mark(conn, event.id)


def keeps_out(conn: sa.Connection, event: MessageEvent, *, asked: bool = False) -> bool:
    """Whether nothing of a message may be learned; it is marked as such. `asked`: its person wants it so."""
    marked = sa.select(messages.c.off_record).where(messages.c.message_id == event.id)
    if conn.execute(marked).scalar():
        return True
    if asked or event.asks_off_record or _was_said(conn, event):
        mark(conn, event.id)
        return True
    return False


def mark(conn: sa.Connection, event_id: str) -> None:
    """Mark a message as said off the record."""
    conn.execute(sa.update(messages).where(messages.c.message_id == event_id).values(off_record=1))


def _was_said(conn: sa.Connection, event: MessageEvent) -> bool:
    """Whether a message was written while its conversation was off the record."""
    at = event.at.timestamp()
    then = sa.and_(
        off_record.c.person_key == event.person.key,
        _within(event.place),
        off_record.c.began <= at,
        sa.or_(off_record.c.ended.is_(None), off_record.c.ended > at),
    )
    return conn.execute(sa.select(off_record.c.id).where(then)).first() is not None


def in_view(conn: sa.Connection, conversation: str, reply_to: str | None) -> bool:
    """Whether an answer may repeat what was said off the record: it is among the turns, or is what is replied to."""
    among = (
        sa.select(turns.c.id)
        .join(messages, messages.c.message_id == turns.c.event_id)
        .where(turns.c.conversation == conversation, messages.c.off_record == 1)
        .limit(1)
    )
    if conn.execute(among).first() is not None:
        return True
    return bool(reply_to) and bool(marked_among(conn, [reply_to or ""]))


def marked_among(conn: sa.Connection, message_ids: Sequence[str]) -> set[str]:
    """Those of these messages that were said off the record, or answer one that was."""
    said = messages.alias("said")
    found = (
        sa.select(messages.c.message_id)
        .join(said, said.c.message_id == messages.c.event_id)
        .where(messages.c.message_id.in_(list(message_ids)), said.c.off_record == 1)
    )
    return set(conn.scalars(found))


def prune(conn: sa.Connection, seen_since: float) -> int:
    """Delete what ended so long ago that no message from then can come any more; return how many rows."""
    return conn.execute(sa.delete(off_record).where(off_record.c.ended < seen_since)).rowcount
