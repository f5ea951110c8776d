"""Messages edited on their platform: stored texts follow, and the new text is learned."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from bot.events import Edit, Edited, MessageEvent, Signal
from bot.journal import off_record, outbox, repeated_answers, signals
from bot.journal.columns import from_json, kept, storable, to_json, utc_offset
from bot.journal.pauses import was_paused
from bot.journal.tables import exchanges, inbox, messages, turns
from bot.journal.withdrawn import note_places, was_forgotten

_ASKED = sa.select(turns).where(turns.c.event_id == sa.bindparam("event"), turns.c.author == "user")
_RECORD = sa.select(messages.c.event_id).where(messages.c.message_id == sa.bindparam("event"))
_WAITING = sa.select(exchanges).where(exchanges.c.event_id == sa.bindparam("event"))
# Texts are bound, never written into a statement: statements are cached for reuse.
_REOPEN = (
    sa.update(inbox)
    .where(inbox.c.event_id == sa.bindparam("event"))
    # The answer in progress is to the former text.
    .values(payload=sa.bindparam("changed"), unkept=1)
)
_RETELL = sa.update(turns).where(turns.c.id == sa.bindparam("turn")).values(text=sa.bindparam("changed"))


def compare(conn: sa.Connection, event: MessageEvent) -> Edit:
    """What an edit means here."""
    asked = {"event": event.id}
    payload = conn.execute(sa.select(inbox.c.payload).where(inbox.c.event_id == event.id)).scalar()
    if payload is not None:
        return Edit.SAME if from_json(payload).said == event.said else Edit.OPEN
    found = conn.execute(_WAITING, asked).first() or conn.execute(_ASKED, asked).first()
    if found is not None:
        # Earlier versions kept no line that names the files.
        return Edit.SAME if kept(found.text) in (kept(event.said), kept(event.text)) else Edit.CHANGED
    seen = sa.select(messages.c.event_id).where(messages.c.message_id == event.id, messages.c.event_id == event.id)
    return Edit.UNKNOWN if conn.execute(seen).first() is None else Edit.CHANGED


#: Words that are gone, by mem0 user and conversation. The latter is "" if nothing of the former text is stored: lessons
#: that may have been shown what that taught are still void.
_Gone = dict[tuple[str, str], set[str]]


def edit(conn: sa.Connection, edits: Sequence[Edited], now: float, worker: str = "") -> int:
    """Apply edits, each of a different message, to stored texts; return how many rows changed.

    A new text that may be learned is held until it is released, once what the old one taught is forgotten. Nothing
    said or edited while memory is paused is learned. Other workers than `worker` are told of what they are answering.
    """
    gone: _Gone = {}
    count = sum(
        [_edit(conn, edited, gone, now, worker) for edited in sorted(edits, key=lambda edited: edited.event.id)]
    )
    # Once per person and conversation, however many edits: it scans all answers there.
    for (user_id, conversation), words in sorted(gone.items()):
        conversations = [conversation] if conversation else []
        count += repeated_answers.forget_words(conn, frozenset(words), conversations, [user_id], now)
    return count


def _edit(conn: sa.Connection, edited: Edited, gone: _Gone, now: float, worker: str) -> int:
    event, user_id = edited.event, edited.user_id
    text = kept(event.said)
    note_places(conn, [event.id], now)
    # Two processes may be notified of it concurrently: the second then finds what the first wrote (PostgreSQL).
    conn.execute(_RECORD.with_for_update(), {"event": event.id})
    open_ = conn.execute(sa.select(inbox.c.payload).where(inbox.c.event_id == event.id)).scalar()
    if open_ is not None:
        changed = to_json(replace(from_json(open_), text=event.text, attachments=event.attachments))
        reopened = conn.execute(_REOPEN, {"event": event.id, "changed": changed}).rowcount
        if reopened:
            signals.note(conn, inbox.c.event_id == event.id, Signal.EDITED, worker)
            return reopened
        # Just answered in a concurrent transaction (PostgreSQL): what that kept is found below.
    learn = not off_record.keeps_out(conn, event) and edited.learn
    said = conn.execute(_ASKED, {"event": event.id}).mappings().first()
    count = 0
    if said is not None:
        count = conn.execute(_RETELL, {"turn": said["id"], "changed": text}).rowcount
    waiting = conn.execute(_WAITING.with_for_update(), {"event": event.id}).mappings().one_or_none()
    if waiting is not None:
        if not text.strip() or not learn:
            count += outbox.erase(conn, exchanges.c.id == waiting["id"], now)
        else:
            outbox.renew(conn, waiting, now, text=text, state="held", attempts=0, next_try=0.0)
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
    # As when it was answered: the answer to a forwarded text may repeat it.
    answer = sa.select(turns.c.text).where(turns.c.event_id == event.id, turns.c.author == "assistant")
    conversation = said["conversation"] if said is not None else event.id
    own = not (event.forwarded or event.quoted or off_record.in_view(conn, conversation, event.reply_to))
    return {
        "event_id": event.id,
        "person_key": event.person.key,
        "user_id": user_id,
        "scope": event.scope,
        "name": storable(event.name),
        "text": kept(event.said),
        "answer": (conn.execute(answer).scalar() or "") if own else "",
        "at": event.at.timestamp(),
        "utc_offset": utc_offset(event.at),
        "link": event.link,
        "place": storable(event.place.name),
        "conversation": conversation,
        "state": "held",
    }
