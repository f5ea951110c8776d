"""A message whose text was changed on the platform: what is kept of it follows, and it is learned anew."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from bot.events import Edit, Edited, MessageEvent
from bot.journal import repeated_answers
from bot.journal.columns import from_json, storable, to_json
from bot.journal.erasure import drop_exchanges
from bot.journal.linking import renew
from bot.journal.settings import was_paused
from bot.journal.tables import exchanges, inbox, messages, taught, turns
from bot.journal.withdrawn import was_forgotten

_ASKED = sa.select(turns).where(turns.c.event_id == sa.bindparam("event"), turns.c.author == "user")
_RECORD = sa.select(messages.c.event_id).where(messages.c.message_id == sa.bindparam("event"))
_WAITING = sa.select(exchanges).where(exchanges.c.event_id == sa.bindparam("event"))
# Texts are bound, never written into a statement: the first statement of its kind is kept to be used again.
_REOPEN = (
    sa.update(inbox)
    .where(inbox.c.event_id == sa.bindparam("event"))
    # The answer under way is one to the former text.
    .values(payload=sa.bindparam("changed"), unkept=1)
)
_RETELL = sa.update(turns).where(turns.c.id == sa.bindparam("turn")).values(text=sa.bindparam("changed"))


def compare(conn: sa.Connection, event: MessageEvent) -> Edit:
    """What an edit is to us."""
    asked = {"event": event.id}
    payload = conn.execute(sa.select(inbox.c.payload).where(inbox.c.event_id == event.id)).scalar()
    if payload is not None:
        return Edit.SAME if from_json(payload).text == event.text else Edit.OPEN
    found = conn.execute(_WAITING, asked).first() or conn.execute(_ASKED, asked).first()
    if found is not None:
        return Edit.SAME if found.text == storable(event.text) else Edit.CHANGED
    seen = sa.select(messages.c.event_id).where(messages.c.message_id == event.id, messages.c.event_id == event.id)
    return Edit.UNKNOWN if conn.execute(seen).first() is None else Edit.CHANGED


#: Words that are gone, by the mem0 user whose they were and the conversation, "" where nothing of the former text is
#: kept: lessons that may have been shown what that taught are void all the same.
_Gone = dict[tuple[str, str], set[str]]


def edited(conn: sa.Connection, wanted: Sequence[Edited], now: float) -> int:
    """Let the kept texts follow edits, each of another message; return how many rows changed.

    A new text that may be learned is held until `release`, when what the old one taught is forgotten. What was said,
    or is said now, while memory is paused is not.
    """
    gone: _Gone = {}
    count = sum([_edited(conn, each, gone, now) for each in sorted(wanted, key=lambda each: each.event.id)])
    # For each person and conversation once, however many edits: it looks through all answers there.
    for (user_id, conversation), words in sorted(gone.items()):
        count += repeated_answers.forget_words(
            conn, frozenset(words), [conversation] if conversation else [], [user_id], now
        )
    return count


def _edited(conn: sa.Connection, wanted: Edited, gone: _Gone, now: float) -> int:
    event, user_id, learn = wanted.event, wanted.user_id, wanted.learn
    text = storable(event.text)
    # Two processes are told of it at once: the second then finds what the first has written (PostgreSQL).
    conn.execute(_RECORD.with_for_update(), {"event": event.id})
    open_ = conn.execute(sa.select(inbox.c.payload).where(inbox.c.event_id == event.id)).scalar()
    if open_ is not None:
        changed = to_json(replace(from_json(open_), text=event.text))
        reopened = conn.execute(_REOPEN, {"event": event.id, "changed": changed}).rowcount
        if reopened:
            return reopened
        # Answered at this very moment (PostgreSQL): what that has kept is found below.
    said = conn.execute(_ASKED, {"event": event.id}).mappings().first()
    count = 0
    if said is not None:
        count = conn.execute(_RETELL, {"turn": said["id"], "changed": text}).rowcount
    waiting = conn.execute(_WAITING.with_for_update(), {"event": event.id}).mappings().one_or_none()
    if waiting is not None:
        if not text.strip() or not learn:
            count += drop_exchanges(conn, exchanges.c.id == waiting["id"], now)
        else:
            renew(conn, waiting, now, text=text, state="held", attempts=0, next_try=0.0)
            count += 1
    former = [row for row in (said, waiting) if row is not None]
    for row in former:
        gone.setdefault((user_id, row["conversation"]), set()).update(repeated_answers.words(row["text"], text))
    if not former:
        gone.setdefault((user_id, ""), set())
    said_at = event.at.timestamp()
    teaches = learn and text.strip() and not was_paused(conn, user_id, said_at)
    teaches = teaches and not was_forgotten(conn, event.person.key, said_at)
    if waiting is None and teaches:
        conn.execute(sa.insert(exchanges), _exchange(conn, event, user_id, said))
        count += 1
    return count


def _exchange(conn: sa.Connection, event: MessageEvent, user_id: str, said: sa.RowMapping | None) -> dict[str, Any]:
    # As when it was answered: the answer to a forwarded text may repeat that.
    answer = sa.select(turns.c.text).where(turns.c.event_id == event.id, turns.c.author == "assistant")
    told = not (event.forwarded or event.quoted)
    return {
        "event_id": event.id,
        "person_key": event.person.key,
        "user_id": user_id,
        "scope": event.scope,
        "name": storable(event.name),
        "text": storable(event.text),
        "answer": (conn.execute(answer).scalar() or "") if told else "",
        "at": event.at.timestamp(),
        "link": event.link,
        "place": storable(event.place.name),
        "conversation": said["conversation"] if said is not None else event.id,
        "state": "held",
    }


def release(conn: sa.Connection, event_ids: list[str]) -> int:
    """What these events taught before is forgotten: their new texts may be learned. Returns how many wait now."""
    conn.execute(sa.delete(taught).where(taught.c.event_id.in_(event_ids)))
    held = sa.and_(exchanges.c.event_id.in_(event_ids), exchanges.c.state == "held")
    return conn.execute(sa.update(exchanges).where(held).values(state="waiting")).rowcount
