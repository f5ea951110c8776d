"""What changed on a platform before it was admitted here: deleted, edited, or said in a time that was forgotten.

A message may wait between its delivery and its admission (names are looked up, a backlog goes first), and may be
delivered again after it was deleted or edited. A deletion that comes first leaves a record of the message, without a
conversation, so that it counts as seen; an edit leaves that too, and the new text, which is what is then admitted.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from bot.events import MessageEvent
from bot.journal import messages
from bot.journal.columns import conversation_key, to_json
from bot.journal.tables import forgettings, inbox
from bot.journal.tables import messages as messages_table

#: For how long (seconds) a deletion is remembered: longer than any platform takes to redeliver a message.
DELETED_TTL = 24 * 3600.0
#: For how long an edited text waits for the admission of its message, and how young that must be.
AHEAD_TTL = 3600.0

_FORGOTTEN = sa.select(sa.literal(1)).where(
    forgettings.c.person_key == sa.bindparam("key"),
    forgettings.c.began <= sa.bindparam("said"),
    forgettings.c.ended > sa.bindparam("said"),
)


def withdraw(conn: sa.Connection, message_ids: Sequence[str], now: float) -> None:
    """Record that messages are deleted: those that were never seen can't be admitted any more."""
    for message_id in sorted(set(message_ids)):
        messages.record(conn, message_id, "", "", "", now)


def keep_ahead(conn: sa.Connection, event: MessageEvent, now: float) -> bool:
    """Store an edited message until its own admission, which is still to come.

    False if nothing is stored: it was seen (admitted, perhaps just now, or deleted), or is too old to still come.
    """
    if now - event.at.timestamp() > AHEAD_TTL or not messages.record(conn, event.id, "", "", "", now):
        return False
    values = {
        "event_id": event.id,
        "person_key": event.person.key,
        "conversation": messages.conversation_of(conn, event),
        "payload": to_json(event),
        "ahead": 1,
        "at": now,
    }
    conn.execute(sa.insert(inbox), values)
    return True


def release_ahead(conn: sa.Connection, event: MessageEvent, conversation: str, now: float) -> None:
    """Admit the message whose edit came first: with the newest text, to be answered by whichever worker looks next."""
    waiting = sa.and_(inbox.c.event_id == event.id, inbox.c.ahead == 1)
    changed = sa.update(inbox).where(waiting).values(ahead=0, unkept=0, at=now, conversation=conversation)
    if conn.execute(changed).rowcount:
        place = conversation_key(event.place)
        seen = {"event_id": event.id, "conversation": conversation, "place": place, "at": now}
        conn.execute(sa.update(messages_table).where(messages_table.c.message_id == event.id).values(seen))


def note_forgotten(conn: sa.Connection, person_keys: Sequence[str], began: float, ended: float, now: float) -> None:
    """What these accounts said from `began` to before `ended` may not be kept, however late it is admitted."""
    for key in person_keys:
        within = (forgettings.c.began >= began, forgettings.c.ended <= ended)
        conn.execute(sa.delete(forgettings).where(forgettings.c.person_key == key, *within))
        conn.execute(sa.insert(forgettings), {"person_key": key, "began": began, "ended": ended, "at": now})


def note_places(conn: sa.Connection, event_ids: sa.ScalarSelect[str] | Sequence[str], now: float) -> None:
    """Where these messages were written, the bot's words so far may repeat what is gone: they aren't read any more."""
    seen = messages_table.c.message_id.in_(event_ids)
    places = conn.scalars(sa.select(messages_table.c.place).where(seen, messages_table.c.place != "").distinct())
    note_forgotten(conn, sorted(places), now, now, now)


def last_forgotten(conn: sa.Connection, keys: Sequence[str]) -> dict[str, float]:
    """When an account, or in a place somebody, last had something forgotten, by the key of either."""
    latest = sa.select(forgettings.c.person_key, sa.func.max(forgettings.c.at)).group_by(forgettings.c.person_key)
    return {key: at for key, at in conn.execute(latest.where(forgettings.c.person_key.in_(list(keys))))}  # noqa: C416


def was_forgotten(conn: sa.Connection, person_key: str, said: float) -> bool:
    """Whether what an account said at that time was to be forgotten."""
    return conn.execute(_FORGOTTEN, {"key": person_key, "said": said}).first() is not None


def prune(conn: sa.Connection, now: float, seen_since: float) -> int:
    """Delete what no message can come for any more; return how many rows went."""
    stale = (
        sa.delete(messages_table).where(
            messages_table.c.event_id == "", messages_table.c.at < max(now - DELETED_TTL, seen_since)
        ),
        sa.delete(inbox).where(inbox.c.ahead == 1, inbox.c.at < now - AHEAD_TTL),
        sa.delete(forgettings).where(forgettings.c.at < seen_since),
    )
    return sum(conn.execute(statement).rowcount for statement in stale)
