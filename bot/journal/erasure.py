"""Erasing raw text: a person's, or that of single messages.

What is in flight doesn't bring it back: an answer whose event is no longer in the inbox keeps no text, and a lesson
whose exchanges are gone may not be committed.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from bot.journal import people
from bot.journal.tables import exchanges, inbox, intents, turns


def forget_raw(conn: sa.Connection, user_id: str, person_keys: Sequence[str]) -> int:
    """Erase a person's turns, the answers to them, exchanges, open events and intents; return how many rows went."""
    keys = list(person_keys)
    people.bump_epoch(conn, user_id)
    count = 0
    for table in (turns, exchanges):
        theirs = sa.or_(table.c.user_id == user_id, table.c.person_key.in_(keys))
        count += conn.execute(sa.delete(table).where(theirs)).rowcount
    for kept in (inbox, intents):
        count += conn.execute(sa.delete(kept).where(kept.c.person_key.in_(keys))).rowcount
    return count


def forget_events(conn: sa.Connection, user_id: str, event_ids: Sequence[str]) -> int:
    """Erase that person's turns, their answers and exchanges of these events; return how many rows went."""
    count = 0
    for table in (turns, exchanges):
        theirs = sa.and_(table.c.user_id == user_id, table.c.event_id.in_(list(event_ids)))
        count += conn.execute(sa.delete(table).where(theirs)).rowcount
    return count


def forget_messages(conn: sa.Connection, event_ids: Sequence[str]) -> int:
    """Erase all that is kept of messages deleted on the platform; return how many rows went."""
    ids = list(event_ids)
    return sum(
        conn.execute(sa.delete(table).where(table.c.event_id.in_(ids))).rowcount for table in (turns, exchanges, inbox)
    )
