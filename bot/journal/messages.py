"""The record of messages seen and sent, and the conversations that they are part of."""

import sqlalchemy as sa

from bot.events import MessageEvent
from bot.journal.columns import conversation_key
from bot.journal.tables import messages
from bot.model import Audience

_SEEN = sa.text(
    "INSERT INTO messages (message_id, event_id, conversation, place, at)"
    " VALUES (:message_id, :event_id, :conversation, :place, :at) ON CONFLICT (message_id) DO NOTHING"
)
_CONVERSATION = sa.select(messages.c.conversation).where(
    messages.c.message_id == sa.bindparam("message_id"), messages.c.place == sa.bindparam("place")
)


def record(conn: sa.Connection, message_id: str, event_id: str, conversation: str, place: str, now: float) -> bool:
    """Record that a message was seen or sent; False if it is recorded already."""
    values = {
        "message_id": message_id,
        "event_id": event_id,
        "conversation": conversation,
        "place": place,
        "at": now,
    }
    return bool(conn.execute(_SEEN, values).rowcount)


def move(conn: sa.Connection, message_id: str, conversation: str) -> str:
    """Let a message be part of another conversation, and return that."""
    conn.execute(sa.update(messages).where(messages.c.message_id == message_id).values(conversation=conversation))
    return conversation


def conversation_of(conn: sa.Connection, event: MessageEvent) -> str:
    """The key of the conversation that a message is part of."""
    place = event.place
    if place.audience is Audience.PRIVATE or place.thread is not None:
        return conversation_key(place)
    if event.reply_to is not None:
        # Only within the place: a reply can't carry one place's turns into another.
        replied = {"message_id": event.reply_to, "place": conversation_key(place)}
        found: str | None = conn.execute(_CONVERSATION, replied).scalar()
        if found is not None:
            return found
    return event.id
