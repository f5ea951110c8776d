"""A person's messages, with their answers, as far as they are stored verbatim."""

from collections.abc import Sequence

import sqlalchemy as sa

from bot.journal.columns import from_json
from bot.journal.tables import exchanges, inbox, turns
from bot.model import StoredMessage


def stored_messages(conn: sa.Connection, user_id: str, person_keys: Sequence[str]) -> list[StoredMessage]:
    """Each message of that person, with its answer as one text; those that something may yet be learned from last."""
    keys = list(person_keys)
    texts: dict[str, list[str]] = {}
    theirs = sa.or_(turns.c.user_id == user_id, turns.c.person_key.in_(keys))
    for row in conn.execute(sa.select(turns.c.event_id, turns.c.text).where(theirs).order_by(turns.c.id)):
        texts.setdefault(row.event_id, []).append(row.text)
    learned = [StoredMessage(event_id, "\n".join(parts)) for event_id, parts in texts.items()]
    owned = sa.or_(exchanges.c.user_id == user_id, exchanges.c.person_key.in_(keys))
    waiting = [
        StoredMessage(row.event_id, f"{row.text}\n{row.answer}", waiting=True)
        for row in conn.execute(sa.select(exchanges).where(owned).order_by(exchanges.c.id))
    ]
    payloads = conn.scalars(sa.select(inbox.c.payload).where(inbox.c.person_key.in_(keys)).order_by(inbox.c.at))
    waiting += [
        StoredMessage(event.id, "\n".join((event.said, event.quoted, *event.forwarded)), waiting=True)
        for event in map(from_json, payloads)
    ]
    unlearned = {message.event_id for message in waiting}
    return [message for message in learned if message.event_id not in unlearned] + waiting
