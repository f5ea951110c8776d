"""Messages that were deleted on their platform: everything that is stored of them goes."""

from collections.abc import Sequence

import sqlalchemy as sa

from bot.events import Signal
from bot.journal import outbox, readings, repeated_answers, signals, thoughts, withdrawn
from bot.journal.forgetting import close_events
from bot.journal.tables import exchanges, inbox, messages, turns


def any_stored(conn: sa.Connection, message_ids: Sequence[str]) -> bool:
    """Whether anything may be stored here of any of these messages."""
    ids = list(message_ids)
    seen = sa.and_(messages.c.message_id.in_(ids), messages.c.event_id != "")
    ahead = sa.and_(inbox.c.event_id.in_(ids), inbox.c.ahead == 1)
    found = (seen, ahead, turns.c.event_id.in_(ids), exchanges.c.event_id.in_(ids), readings.any_read(ids))
    return any(conn.execute(sa.select(sa.literal(1)).where(which).limit(1)).first() for which in found)


def forget(conn: sa.Connection, message_ids: Sequence[str], now: float = 0.0, worker: str = "") -> int:
    """Erase everything stored of deleted messages, and the answers that may repeat it; return the rows deleted.

    For an answer of the bot's own, that answer alone goes: what its person said stays. Other workers than `worker` are
    told of what they are answering.
    """
    ids = list(message_ids)
    withdrawn.withdraw(conn, ids, now)
    withdrawn.note_places(conn, ids, now)
    signals.note(conn, inbox.c.event_id.in_(ids), Signal.DELETED, worker)
    count = close_events(conn, inbox.c.event_id.in_(ids))
    said, waiting = turns.c.event_id.in_(ids), exchanges.c.event_id.in_(ids)
    gone: dict[tuple[str, str], list[str]] = {}
    for table, which in ((turns, sa.and_(said, turns.c.author == "user")), (exchanges, waiting)):
        for row in conn.execute(sa.select(table.c.user_id, table.c.conversation, table.c.text).where(which)):
            gone.setdefault((row.user_id, row.conversation), []).append(row.text)
    answers = sa.and_(
        messages.c.message_id.in_(ids), messages.c.message_id != messages.c.event_id, messages.c.event_id != ""
    )
    answered = list(conn.scalars(sa.select(messages.c.event_id).where(answers).distinct()))
    count += outbox.erase(conn, waiting, now)
    count += conn.execute(sa.delete(turns).where(said)).rowcount
    count += readings.drop_turns(conn, ids)
    count += thoughts.forget_answers(conn, [*answered, *ids])
    # For each person and conversation once, however many messages: it scans all answers there.
    for (user, conversation), texts in sorted(gone.items()):
        count += repeated_answers.forget(conn, repeated_answers.Erased(texts, [conversation]), [user], now)
    readings.prune(conn)
    return count
