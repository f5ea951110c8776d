"""What was changed on a platform before it is taken in here: deleted, edited, or said before it was to be forgotten.

A message may wait between its delivery and its admission (names are looked up, a backlog goes first), and may be
delivered again after it was deleted or edited. A deletion that comes first leaves a record of the message, without a
conversation, so that it counts as seen; an edit leaves that too, and the new text, which is what the admission takes.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from bot.events import MessageEvent
from bot.journal import inbox
from bot.journal.columns import home, to_json
from bot.journal.tables import forgettings, messages
from bot.journal.tables import inbox as events

#: For so long (seconds) it is known that a message was deleted: longer than any platform delivers one again.
DELETED_TTL = 24 * 3600.0
#: For so long an edited text waits for the admission of its message, and so young must the message be.
AHEAD_TTL = 3600.0

_FORGOTTEN = sa.select(sa.literal(1)).where(
    forgettings.c.person_key == sa.bindparam("key"),
    forgettings.c.began <= sa.bindparam("said"),
    forgettings.c.ended > sa.bindparam("said"),
)


def withdraw(conn: sa.Connection, message_ids: Sequence[str], now: float) -> None:
    """Note that messages are deleted: those that were never seen may not be taken in any more."""
    for message_id in sorted(set(message_ids)):
        inbox.record(conn, message_id, "", "", "", now)


def keep_ahead(conn: sa.Connection, event: MessageEvent, now: float) -> bool:
    """Keep an edited message for its own admission, which is still to come.

    False where nothing is kept: it is known (admitted, perhaps at this very moment, or deleted), or too old to come.
    """
    if now - event.at.timestamp() > AHEAD_TTL or not inbox.record(conn, event.id, "", "", "", now):
        return False
    values = {
        "event_id": event.id,
        "person_key": event.person.key,
        "conversation": inbox.conversation_of(conn, event),
        "payload": to_json(event),
        "ahead": 1,
        "at": now,
    }
    conn.execute(sa.insert(events), values)
    return True


def release_ahead(conn: sa.Connection, event: MessageEvent, conversation: str, now: float) -> None:
    """The message whose edit came first is admitted: with the newest text, to be answered by whoever looks next."""
    waiting = sa.and_(events.c.event_id == event.id, events.c.ahead == 1)
    changed = sa.update(events).where(waiting).values(ahead=0, unkept=0, at=now, conversation=conversation)
    if conn.execute(changed).rowcount:
        seen = {"event_id": event.id, "conversation": conversation, "place": home(event.place), "at": now}
        conn.execute(sa.update(messages).where(messages.c.message_id == event.id).values(seen))


def note_forgotten(conn: sa.Connection, person_keys: Sequence[str], began: float, ended: float, now: float) -> None:
    """What these accounts said from `began` to before `ended` may be kept no more, however late it is taken in."""
    for key in person_keys:
        within = (forgettings.c.began >= began, forgettings.c.ended <= ended)
        conn.execute(sa.delete(forgettings).where(forgettings.c.person_key == key, *within))
        conn.execute(sa.insert(forgettings), {"person_key": key, "began": began, "ended": ended, "at": now})


def was_forgotten(conn: sa.Connection, person_key: str, said: float) -> bool:
    """Whether what an account said at that time was to be forgotten."""
    return conn.execute(_FORGOTTEN, {"key": person_key, "said": said}).first() is not None


def prune(conn: sa.Connection, now: float, seen_since: float) -> int:
    """Drop what no message can come for any more; return how many rows went."""
    doomed = (
        sa.delete(messages).where(messages.c.event_id == "", messages.c.at < max(now - DELETED_TTL, seen_since)),
        sa.delete(events).where(events.c.ahead == 1, events.c.at < now - AHEAD_TTL),
        sa.delete(forgettings).where(forgettings.c.at < seen_since),
    )
    return sum(conn.execute(statement).rowcount for statement in doomed)
