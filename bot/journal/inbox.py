"""Events: written down before anything else, open until answered, claimed by one worker at a time."""

from collections.abc import Collection
from typing import NamedTuple

import sqlalchemy as sa

from bot.events import MessageEvent
from bot.journal import withdrawn
from bot.journal.columns import due, from_json, home, to_json
from bot.journal.tables import inbox, messages
from bot.model import Audience

#: Seconds that an event is put off at most, well above the core's longest pause.
PAUSE_MOST = 300.0


class Unanswered(NamedTuple):
    """An event whose worker died or put it off. `attempts` is how often it was taken up again, this time included."""

    event: MessageEvent
    conversation: str
    attempts: int


_SEEN = sa.text(
    "INSERT INTO messages (message_id, event_id, conversation, place, at)"
    " VALUES (:message_id, :event_id, :conversation, :place, :at) ON CONFLICT (message_id) DO NOTHING"
)
_OPEN = sa.insert(inbox)
_CONVERSATION = sa.select(messages.c.conversation).where(
    messages.c.message_id == sa.bindparam("message_id"), messages.c.place == sa.bindparam("place")
)


def admit(conn: sa.Connection, event: MessageEvent, worker: str, now: float) -> str | None:
    """Write an event down, claimed by `worker`; return its conversation, None where it was seen before."""
    conversation = conversation_of(conn, event)
    if not record(conn, event.id, event.id, conversation, home(event.place), now):
        withdrawn.release_ahead(conn, event, conversation, now)
        return None
    conn.execute(
        _OPEN,
        {
            "event_id": event.id,
            "person_key": event.person.key,
            "conversation": conversation,
            "payload": to_json(event),
            "claimed_by": worker,
            "at": now,
        },
    )
    return conversation


def record(conn: sa.Connection, message_id: str, event_id: str, conversation: str, place: str, now: float) -> bool:
    """Note that a message was seen or sent; False where it is already noted."""
    values = {
        "message_id": message_id,
        "event_id": event_id,
        "conversation": conversation,
        "place": place,
        "at": now,
    }
    return bool(conn.execute(_SEEN, values).rowcount)


def conversation_of(conn: sa.Connection, event: MessageEvent) -> str:
    """The key of the conversation that a message is part of."""
    place = event.place
    if place.audience is Audience.PRIVATE or place.thread is not None:
        return home(place)
    if event.reply_to is not None:
        # Only within the place: a reply can't carry one place's turns into another.
        asked = {"message_id": event.reply_to, "place": home(place)}
        found: str | None = conn.execute(_CONVERSATION, asked).scalar()
        if found is not None:
            return found
    return event.id


#: An event is ended and put off by the worker that claims it alone: one that stood still may have lost it.
_CLAIMED = sa.and_(inbox.c.event_id == sa.bindparam("event"), inbox.c.claimed_by == sa.bindparam("worker"))
_DONE = sa.delete(inbox).where(_CLAIMED)
_TAKE = _DONE.returning(inbox.c.payload, inbox.c.unkept)


def take(conn: sa.Connection, event_id: str, worker: str) -> tuple[str, bool] | None:
    """Drop an event's payload and return it, and whether its answer may be kept.

    None where it isn't that worker's, see `finish`.
    """
    found = conn.execute(_TAKE, {"event": event_id, "worker": worker}).first()
    return (found.payload, not found.unkept) if found is not None else None


def finish(conn: sa.Connection, event_id: str, worker: str) -> bool:
    """Drop an event's payload: it is answered, or there is nothing to answer. False where it isn't that worker's.

    It isn't any more where another worker has taken it over, or its person has had everything forgotten meanwhile.
    """
    return bool(conn.execute(_DONE, {"event": event_id, "worker": worker}).rowcount)


def postpone(conn: sa.Connection, event_id: str, worker: str, until: float) -> None:
    """Give an event back, to be taken up from `until` on; nothing happens where it isn't that worker's."""
    given = {"event": event_id, "worker": worker}
    conn.execute(sa.update(inbox).where(_CLAIMED).values(claimed_by=None, next_try=until), given)


def claimed(conn: sa.Connection, worker: str) -> set[str]:
    """The events that a worker has in hand."""
    return set(conn.scalars(sa.select(inbox.c.event_id).where(inbox.c.claimed_by == worker)))


def unanswered(
    conn: sa.Connection,
    worker: str,
    busy: list[str],
    now: float,
    most: int,
    platforms: Collection[str] | None = None,
) -> list[Unanswered]:
    """Claim up to `most` events that no living worker answers, oldest first; of these platforms (None: of all).

    `busy` are the events that `worker` is answering; others under its name were admitted by a call that failed.
    """
    free = sa.or_(inbox.c.claimed_by.is_(None), sa.and_(inbox.c.claimed_by == worker, inbox.c.event_id.not_in(busy)))
    theirs = [inbox.c.person_key.startswith(f"{name}:", autoescape=True) for name in platforms or ()]
    chosen = (
        sa.select(inbox.c.event_id)
        .where(
            free,
            inbox.c.ahead == 0,
            due(inbox.c.next_try, now, PAUSE_MOST),
            sa.true() if platforms is None else sa.or_(sa.false(), *theirs),
        )
        .order_by(inbox.c.at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    ids = conn.scalars(chosen).all()
    if not ids:
        return []
    rows = conn.execute(
        sa.update(inbox)
        .where(inbox.c.event_id.in_(ids))
        .values(claimed_by=worker, attempts=inbox.c.attempts + 1)
        .returning(inbox.c.payload, inbox.c.conversation, inbox.c.attempts, inbox.c.at)
    ).all()
    return [
        Unanswered(from_json(row.payload), row.conversation, row.attempts)
        for row in sorted(rows, key=lambda row: row.at)
    ]
