"""The commit of an answer: turns, message ids, the exchange to learn, and the event's end, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from bot.events import MessageEvent
from bot.journal import introductions, links, messages, off_record, pauses, readings, thoughts, withdrawn
from bot.journal.claims import CLAIMED
from bot.journal.columns import conversation_key, from_json, kept, storable, to_json, utc_offset
from bot.journal.tables import exchanges, inbox, turns
from bot.journal.tables import links as links_table
from bot.text import secrets

_CLOSE = sa.delete(inbox).where(CLAIMED).returning(inbox.c.payload, inbox.c.unkept)
#: Whose it is is decided here, and not when the message came: accounts may have been linked meanwhile.
_OWNER = sa.func.coalesce(
    sa.select(links_table.c.user_id).where(links_table.c.person_key == sa.bindparam("account")).scalar_subquery(),
    sa.bindparam("owner", type_=sa.Text),
)
_BEFORE = (
    sa.select(turns.c.number)
    .where(turns.c.conversation == sa.bindparam("said_in", type_=sa.Text))
    .order_by(turns.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_KEEP_TURN = sa.insert(turns).values(user_id=_OWNER, number=sa.func.coalesce(_BEFORE, 0) + 1)
_KEEP_EXCHANGE = sa.insert(exchanges).values(user_id=_OWNER)


@dataclass(frozen=True, slots=True)
class Answered:
    """An event, with what has joined it, and the answer.

    `keep_turns` is off where no turns are kept at all, and `keep` where nothing of this one may be. `read` are the
    messages of others that the answer was given with: then its text is kept nowhere. If it `quotes` what is public,
    nothing is learned from its text. `introduced`: it told its person that they are remembered. `off_record`: they want
    nothing of it learned.
    """

    event: MessageEvent
    user_id: str
    conversation: str
    answer: str
    message_ids: Sequence[str]
    learn: bool
    keep_turns: bool
    worker: str
    keep: bool = True
    read: Sequence[str] = ()
    introduced: bool = False
    quotes: bool = False
    off_record: bool = False


def commit(conn: sa.Connection, done: Answered, now: float) -> bool:
    """Commit an answer.

    Returns False, and keeps no text, if the event is no longer the worker's: its person has had everything forgotten
    in the meantime, or another worker has taken it over. If something else was forgotten, the answer isn't kept.
    """
    event = done.event
    place = conversation_key(event.place)
    for message_id in done.message_ids:
        messages.record(conn, message_id, event.id, done.conversation, place, now)
    closed = conn.execute(_CLOSE, {"event": event.id, "worker": done.worker}).first()
    if closed is None:
        return False
    if done.introduced:
        introductions.told(conn, event.id)
    # What has joined it in the meantime isn't among these: it is still open, and answered by itself.
    others = thoughts.close(conn, event.id, [each.id for each in event.joined])
    if not done.keep:
        return True
    rows = {event.id: (closed.payload, closed.unkept), **others}
    asked = [
        _current(each, rows[each.id][0], event)
        for each in event.thought
        # A message may be admitted after its time was forgotten.
        if each.id in rows and not withdrawn.was_forgotten(conn, each.person.key, each.at.timestamp())
    ]
    if not asked:
        return True
    # An answer to what is gone meanwhile may repeat it.
    unkept = done.read or len(asked) < len(event.thought) or any(row_unkept for _, row_unkept in rows.values())
    told = tuple(secret for each in asked for secret in secrets.found(each.said))
    done = replace(done, answer="" if unkept else secrets.mask(storable(done.answer), told))
    if done.keep_turns:
        _keep_turns(conn, done, asked, now)
        readings.note(conn, event.id, done.read)
    # Marked even if nothing is to be learned now: the messages may be edited.
    kept_out = {each.id for each in asked if off_record.keeps_out(conn, each, asked=done.off_record)}
    if done.learn:
        # The answer is learned once, with the last.
        repeats = bool(kept_out) or _may_repeat(conn, done, asked)
        for each in asked:
            if each.id not in kept_out:
                _keep_exchange(conn, done, each, "" if repeats or each is not asked[-1] else done.answer)
    return True


def _current(event: MessageEvent, payload: str, first: MessageEvent) -> MessageEvent:
    """One message of a thought as it reads now: it may have been edited while it was being answered."""
    event = replace(event, given=first.given, joined=())
    if payload == to_json(event):
        return event
    edited = from_json(payload)
    return replace(event, text=edited.text, attachments=edited.attachments)


def _keep_turns(conn: sa.Connection, done: Answered, asked: Sequence[MessageEvent], now: float) -> None:
    """A turn for each message, and one for the answer, which is the first's."""
    rows = [
        {
            "conversation": done.conversation,
            "said_in": done.conversation,
            "event_id": event.id,
            "author": "user",
            "name": storable(event.name),
            "person_key": event.person.key,
            "account": event.person.key,
            "owner": done.user_id,
            "text": kept(event.said),
            "at": event.at.timestamp(),
            "kept_at": now,
        }
        for event in asked
    ]
    answer = {"event_id": done.event.id, "author": "assistant", "name": "", "text": done.answer, "at": now}
    conn.execute(_KEEP_TURN, [*rows, {**rows[0], **answer}] if done.answer else rows)


def _keep_exchange(conn: sa.Connection, done: Answered, event: MessageEvent, answer: str) -> None:
    text, said_at = kept(event.said), event.at.timestamp()
    # From forwarded texts nothing is learned, nor from an answer that may repeat one. From a file, what was said of it.
    if not text.strip() and event.forwarded:
        return
    # It may have been said while memory was paused, and be answered late, when it is on again.
    if pauses.was_paused(conn, links.user_id(conn, event.person.key), said_at):
        return
    conn.execute(
        _KEEP_EXCHANGE,
        {
            "event_id": event.id,
            "person_key": event.person.key,
            "account": event.person.key,
            "owner": done.user_id,
            "scope": event.scope,
            "name": storable(event.name),
            "text": text,
            "answer": answer,
            "at": said_at,
            "utc_offset": utc_offset(event.at),
            "link": event.link,
            "place": storable(event.place.name),
            "conversation": done.conversation,
        },
    )


def _may_repeat(conn: sa.Connection, done: Answered, asked: Sequence[MessageEvent]) -> bool:
    """Whether an answer may repeat what isn't learned: others' words, what is public, what was said off the record."""
    if done.quotes or any(each.forwarded or each.quoted for each in asked):
        return True
    return any(off_record.in_view(conn, done.conversation, each.reply_to) for each in asked)
