"""The commit of an answer: turns, message ids, the exchange to learn, and the event's end, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from bot.events import MessageEvent
from bot.journal import introductions, links, messages, off_record, pauses, readings, withdrawn
from bot.journal.claims import CLAIMED
from bot.journal.columns import conversation_key, from_json, storable, to_json, utc_offset
from bot.journal.tables import exchanges, inbox, turns
from bot.journal.tables import links as links_table

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
    """An event and its answer.

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
    if not done.keep:
        return True
    if closed.payload != to_json(event):  # edited on its platform while it was being answered
        edited = from_json(closed.payload)
        event = replace(event, text=edited.text, attachments=edited.attachments)
    if withdrawn.was_forgotten(conn, event.person.key, event.at.timestamp()):  # it was admitted after that
        return True
    done = replace(done, event=event, answer="" if closed.unkept or done.read else storable(done.answer))
    if done.keep_turns:
        _keep_turns(conn, done, now)
        readings.note(conn, event.id, done.read)
    # Marked even if nothing is to be learned now: the message may be edited.
    if not off_record.keeps_out(conn, event, asked=done.off_record) and done.learn:
        _keep_exchange(conn, done)
    return True


def _keep_turns(conn: sa.Connection, done: Answered, now: float) -> None:
    event = done.event
    asked = {
        "conversation": done.conversation,
        "said_in": done.conversation,
        "event_id": event.id,
        "author": "user",
        "name": storable(event.name),
        "person_key": event.person.key,
        "account": event.person.key,
        "owner": done.user_id,
        "text": storable(event.said),
        "at": event.at.timestamp(),
        "kept_at": now,
    }
    answer = {**asked, "author": "assistant", "name": "", "text": done.answer, "at": now}
    conn.execute(_KEEP_TURN, [asked, answer] if done.answer else [asked])


def _keep_exchange(conn: sa.Connection, done: Answered) -> None:
    event, text, said_at = done.event, storable(done.event.said), done.event.at.timestamp()
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
            "answer": "" if _may_repeat(conn, done) else done.answer,
            "at": said_at,
            "utc_offset": utc_offset(event.at),
            "link": event.link,
            "place": storable(event.place.name),
            "conversation": done.conversation,
        },
    )


def _may_repeat(conn: sa.Connection, done: Answered) -> bool:
    """Whether an answer may repeat what isn't learned: others' words, what is public, what was said off the record."""
    event = done.event
    if event.forwarded or event.quoted or done.quotes:
        return True
    return off_record.in_view(conn, done.conversation, event.reply_to)
