"""Recent turns of a conversation, and the commit of an answer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import sqlalchemy as sa

from bot.events import MessageEvent
from bot.journal import accounts, inbox, settings, withdrawn
from bot.journal.columns import from_json, home, storable, to_json, when
from bot.journal.tables import exchanges, links, messages, turns
from bot.model import Place, Replied, Turn

_COLUMNS = (turns.c.author, turns.c.name, turns.c.text, turns.c.at, turns.c.person_key)
_REPLIED = (
    sa.select(*_COLUMNS)
    .where(turns.c.event_id == sa.bindparam("event"), turns.c.kept_at >= sa.bindparam("since"))
    .order_by(turns.c.id)
)
_RECENT = (
    sa.select(*_COLUMNS)
    .where(turns.c.conversation == sa.bindparam("conversation"), turns.c.kept_at >= sa.bindparam("since"))
    .order_by(turns.c.id.desc())
    .limit(sa.bindparam("most"))
)
#: Whose it is is decided here, and not when the message came: accounts may have been linked meanwhile.
_OWNER = sa.func.coalesce(
    sa.select(links.c.user_id).where(links.c.person_key == sa.bindparam("account")).scalar_subquery(),
    sa.bindparam("owner", type_=sa.Text),
)
_KEEP_TURN = sa.insert(turns).values(user_id=_OWNER)
_KEEP_EXCHANGE = sa.insert(exchanges).values(user_id=_OWNER)


def recent(conn: sa.Connection, conversation: str, since: float, most: int) -> list[Turn]:
    """The last `most` turns kept since then, oldest first, beginning with a person's."""
    rows = conn.execute(_RECENT, {"conversation": conversation, "since": since, "most": most}).all()
    found = [_turn(row) for row in reversed(rows)]
    # An odd number cuts an exchange in two: an answer without its question is of no use.
    return found[1:] if found and found[0].author == "assistant" else found


def replied(conn: sa.Connection, message_id: str, place: Place, since: float) -> Replied | None:
    """The exchange that a message of a place, or the one above its thread, belongs to; None where it is too long ago.

    Where it isn't, and none of its turns is kept, they were forgotten: the exchange is empty.

    A platform lets nobody reply across channels. But where a place was opened to more people since, what was said
    before stays behind.
    """
    asked = messages.c.message_id == message_id
    found = conn.execute(sa.select(messages.c.event_id, messages.c.place, messages.c.at).where(asked)).first()
    if found is None or found.at < since:
        return None
    where, _, audience = found.place.rpartition("#")
    if audience != home(place).rpartition("#")[2] or not where.startswith(f"{place.platform}:{place.workspace}:"):
        return None
    rows = map(_turn, conn.execute(_REPLIED, {"event": found.event_id, "since": since}))
    kept = {turn.author: turn for turn in rows}
    return Replied(kept.get("user"), kept.get("assistant"), to_answer=found.event_id != message_id)


def _turn(row: sa.Row[Any, Any, Any, Any, Any]) -> Turn:
    author, name, text, at, person_key = row
    return Turn(author, name, text, when(at), person_key if author == "user" else "")


def drop(conn: sa.Connection, conversation: str) -> int:
    """Drop the turns of a conversation; return how many there were."""
    return conn.execute(sa.delete(turns).where(turns.c.conversation == conversation)).rowcount


class Answered(NamedTuple):
    """An event and its answer: what `answered` commits.

    `keep_turns` is off where no turns are kept at all, and `keep` where nothing of this one may be.
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


def answered(conn: sa.Connection, done: Answered, now: float) -> bool:
    """Commit an answer: both turns, its messages, the exchange to be learned, and the event's end.

    Returns False, and keeps no text, where the event is no longer the worker's: its person has had everything forgotten
    in the meantime, or another worker has taken it over. Where something else was forgotten, the answer isn't kept.
    """
    event = done.event
    place = home(event.place)
    for message_id in done.message_ids:
        inbox.record(conn, message_id, event.id, done.conversation, place, now)
    taken = inbox.take(conn, event.id, done.worker)
    if taken is None:
        return False
    if not done.keep:
        return True
    payload, kept = taken
    if payload != to_json(event):  # edited on its platform while it was being answered
        event = replace(event, text=from_json(payload).text)
    said_at = event.at.timestamp()
    if withdrawn.was_forgotten(conn, event.person.key, said_at):  # it came in after that
        return True
    text, name, answer = storable(event.text), storable(event.name), storable(done.answer) if kept else ""
    if done.keep_turns:
        said = {
            "conversation": done.conversation,
            "event_id": event.id,
            "author": "user",
            "name": name,
            "person_key": event.person.key,
            "account": event.person.key,
            "owner": done.user_id,
            "text": text,
            "at": said_at,
            "kept_at": now,
        }
        replied = {**said, "author": "assistant", "name": "", "text": answer, "at": now}
        conn.execute(_KEEP_TURN, [said, replied] if answer else [said])
    # It may have been said while memory was paused, and be answered late, when it is on again.
    # From forwarded texts and files nothing is learned, nor from an answer that may repeat a forwarded text.
    wordless = not text.strip() and (event.forwarded or event.attachments)
    if done.learn and not wordless and not settings.was_paused(conn, accounts.user_id(conn, event.person.key), said_at):
        conn.execute(
            _KEEP_EXCHANGE,
            {
                "event_id": event.id,
                "person_key": event.person.key,
                "account": event.person.key,
                "owner": done.user_id,
                "scope": event.scope,
                "name": name,
                "text": text,
                "answer": "" if event.forwarded or event.quoted else answer,
                "at": said_at,
                "link": event.link,
                "place": storable(event.place.name),
                "conversation": done.conversation,
            },
        )
    return True
