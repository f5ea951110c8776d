"""Thoughts: messages of one person that get one answer.

The first is answered, and has the claim; the others have joined it, and share its claim for as long as it is open. Once
it is gone without them, the first of them takes its place.
"""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from bot.events import MessageEvent, Signal
from bot.journal import signals
from bot.journal.columns import conversation_key, from_json
from bot.journal.tables import exchanges, inbox, messages, turns
from bot.model import Audience

#: Messages that are answered together at most, and their characters.
TOGETHER = 10
LENGTH = 20_000
#: Seconds between two messages at a channel's top level, each a conversation of its own, that are one thought.
APART = 5.0
#: Open events of a person that are looked at, newest first.
_LOOKED_AT = 100

_first = inbox.alias("first")
#: Whether an event has joined another that is still open.
WAITS_FOR_ANOTHER = sa.exists().where(_first.c.event_id == inbox.c.joined_to)


def join(conn: sa.Connection, event: MessageEvent, conversation: str) -> sa.Row[Any, Any, Any] | None:
    """The open event (id, conversation, claim) that a new one joins; None if that is answered by itself."""
    if event.alone:
        return None
    if conn.dialect.name == "postgresql":  # of two messages that come at once, one is the first
        conn.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(event.person.key))))
    theirs = sa.select(inbox.c.event_id, inbox.c.conversation, inbox.c.payload, inbox.c.joined_to)
    theirs = theirs.where(inbox.c.person_key == event.person.key, inbox.c.ahead == 0)
    rows = conn.execute(theirs.order_by(inbox.c.at.desc(), inbox.c.event_id.desc()).limit(_LOOKED_AT)).all()
    open_ = {row.event_id for row in rows}
    for row in rows:
        first = row.joined_to if row.joined_to in open_ else row.event_id
        thought = [from_json(each.payload) for each in rows if first in (each.event_id, each.joined_to)]
        head = next(each for each in thought if each.id == first)
        if not _one_thought(event, conversation, row.conversation, head, thought):
            continue
        if len(thought) >= TOGETHER or sum(len(each.said) for each in (event, *thought)) > LENGTH:
            return None
        # On PostgreSQL this waits for an answer that is about to be committed: then there is nothing to join any more.
        taken = sa.select(inbox.c.event_id, inbox.c.conversation, inbox.c.claimed_by).where(inbox.c.event_id == first)
        return conn.execute(taken.with_for_update()).first()
    return None


def _one_thought(
    event: MessageEvent, conversation: str, other: str, first: MessageEvent, thought: Sequence[MessageEvent]
) -> bool:
    """Whether a new message belongs to those of a thought, whose conversation is `other`."""
    if any(each.alone for each in thought):
        return False
    if conversation == other:
        # What it replies to is read only for the first.
        known = (None, first.reply_to, *(each.id for each in thought))
        return bool(event.quoted) or event.reply_to in known
    where = event.place
    at_top = where.thread is None and where.audience is not Audience.PRIVATE and event.reply_to is None
    if not at_top or conversation != event.id or other != first.id:
        return False
    same_place = conversation_key(first.place) == conversation_key(where)
    return same_place and any(abs((event.at - each.at).total_seconds()) <= APART for each in thought)


def tell(conn: sa.Connection, first: str, worker: str) -> None:
    """Tell the worker that answers the first, if that is another, that something has joined it."""
    signals.note(conn, inbox.c.event_id == first, Signal.JOINED, worker)


def include(conn: sa.Connection, first: str, *, joining: bool) -> list[str]:
    """The payloads of what has joined an event whose answer starts now; without `joining`, of what had before."""
    which = sa.and_(inbox.c.joined_to == first, sa.true() if joining else inbox.c.included == 1)
    # An answer that starts now can't repeat what was forgotten or edited before.
    return list(
        conn.scalars(sa.update(inbox).where(which).values(unkept=0, included=1).returning(inbox.c.payload)).all()
    )


def included(conn: sa.Connection, firsts: Collection[str]) -> dict[str, list[str]]:
    """The payloads of what the answers to these events, as far as they are shown, are to as well."""
    found: dict[str, list[str]] = {}
    which = sa.and_(inbox.c.joined_to.in_(list(firsts)), inbox.c.included == 1)
    for first, payload in conn.execute(sa.select(inbox.c.joined_to, inbox.c.payload).where(which)):
        found.setdefault(first, []).append(payload)
    return found


def close(conn: sa.Connection, first: str, joined: Sequence[str]) -> dict[str, tuple[str, int]]:
    """End what was answered with the first; return payload and `unkept` of each that was still open."""
    if not joined:
        return {}
    which = sa.and_(inbox.c.joined_to == first, inbox.c.event_id.in_(list(joined)))
    rows = conn.execute(sa.delete(inbox).where(which).returning(inbox.c.event_id, inbox.c.payload, inbox.c.unkept))
    closed = {row.event_id: (row.payload, row.unkept) for row in rows}
    if closed:
        conn.execute(sa.update(messages).where(messages.c.message_id.in_(list(closed))).values(joined_to=first))
    return closed


def dismiss(conn: sa.Connection, first: str) -> None:
    """End what the answer to an event, which is gone, would have been to as well."""
    conn.execute(sa.delete(inbox).where(inbox.c.joined_to == first, inbox.c.included == 1))


def claim(conn: sa.Connection, firsts: Collection[str], worker: str | None) -> None:
    """Give a worker, or nobody, what has joined these events: they were claimed, or given back."""
    conn.execute(sa.update(inbox).where(inbox.c.joined_to.in_(list(firsts))).values(claimed_by=worker))


def release(conn: sa.Connection, event_id: str, worker: str) -> bool:
    """Whether an event that had joined another is this worker's to answer by itself; then the others left join it.

    False if it was answered with the other, will be, or is gone.
    """
    own = sa.select(inbox.c.joined_to, inbox.c.claimed_by).where(inbox.c.event_id == event_id)
    row = conn.execute(own.with_for_update()).first()
    if row is None or row.claimed_by not in (None, worker):
        return False
    if row.joined_to is not None:
        if conn.execute(sa.select(inbox.c.event_id).where(inbox.c.event_id == row.joined_to)).first() is not None:
            return False
        _begin(conn, event_id, row.joined_to)
    conn.execute(sa.update(inbox).where(inbox.c.event_id == event_id).values(claimed_by=worker))
    claim(conn, [event_id], worker)
    return True


def succeed(conn: sa.Connection) -> None:
    """Where the first of a thought is gone, let the earliest of the others take its place."""
    orphaned = sa.and_(inbox.c.joined_to.is_not(None), ~WAITS_FOR_ANOTHER)
    rows = conn.execute(
        sa.select(inbox.c.event_id, inbox.c.joined_to).where(orphaned).order_by(inbox.c.at, inbox.c.event_id)
    ).all()
    for former in {row.joined_to for row in rows}:
        _begin(conn, next(row.event_id for row in rows if row.joined_to == former), former)


def _begin(conn: sa.Connection, event_id: str, former: str) -> None:
    """Put an event in the place of the first, which is gone."""
    together = sa.and_(inbox.c.joined_to == former, inbox.c.event_id != event_id)
    conn.execute(sa.update(inbox).where(together).values(joined_to=event_id, included=0))
    own = sa.and_(inbox.c.event_id == event_id, inbox.c.joined_to == former)
    conn.execute(sa.update(inbox).where(own).values(joined_to=None, included=0))


def first_of(conn: sa.Connection, event_id: str) -> str:
    """The event with which another was answered: mostly itself."""
    found = sa.select(messages.c.joined_to).where(messages.c.message_id == event_id, messages.c.joined_to.is_not(None))
    return conn.execute(found).scalar() or event_id


def answered_with(conn: sa.Connection, event_ids: Collection[str]) -> set[str]:
    """The events whose answers were to any of these too, and what else was answered with them."""
    ids = list(event_ids)
    joined = messages.c.joined_to.is_not(None)
    firsts = {*ids, *conn.scalars(sa.select(messages.c.joined_to).where(messages.c.message_id.in_(ids), joined))}
    others = sa.select(messages.c.message_id).where(messages.c.joined_to.in_(list(firsts)))
    return firsts | set(conn.scalars(others))


def forget_answers(conn: sa.Connection, event_ids: Collection[str], user_id: str | None = None) -> int:
    """Erase the answers that were to any of these events (of that person); what else was asked with them stays.

    Returns the number of rows touched.
    """
    together = answered_with(conn, event_ids)
    replies = sa.and_(turns.c.event_id.in_(together), turns.c.author == "assistant")
    with_answer = sa.and_(exchanges.c.event_id.in_(together), exchanges.c.answer != "")
    if user_id is not None:
        replies, with_answer = replies & (turns.c.user_id == user_id), with_answer & (exchanges.c.user_id == user_id)
    count = conn.execute(sa.delete(turns).where(replies)).rowcount
    return count + conn.execute(sa.update(exchanges).where(with_answer).values(answer="")).rowcount
