"""Erasing raw text: a person's, or that of single messages.

What is in flight doesn't bring it back: an answer whose event is no longer in the inbox keeps no text, a lesson whose
exchanges are gone may not be committed, and where a store can't share that transaction, tombstones tell it. Open events
go first: on PostgreSQL that waits for an answer which is just being committed, whose turns are then seen and go too.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from bot.journal import accounts, repeated_answers, withdrawn
from bot.journal.tables import (
    codes,
    exchanges,
    guesses,
    inbox,
    intents,
    links,
    messages,
    pauses,
    settings,
    taught,
    turns,
)

_BURY = (
    "INSERT INTO tombstones (exchange_id, at) SELECT id, :now FROM exchanges WHERE id = :id"
    " ON CONFLICT (exchange_id) DO NOTHING"
)


def _close(conn: sa.Connection, which: sa.ColumnElement[bool]) -> int:
    """Drop open events; return how many there were.

    To be called before anything else is looked at: on PostgreSQL this waits for an answer that is about to be
    committed, and what that has kept is found afterwards; one that comes later finds its event gone.
    """
    return conn.execute(sa.delete(inbox).where(which)).rowcount


def drop_exchanges(conn: sa.Connection, which: sa.ColumnElement[bool], now: float) -> int:
    """Erase exchanges and note that what is being learned of them is void; return how many there were."""
    ids = list(conn.scalars(sa.select(exchanges.c.id).where(which)))
    if ids:
        conn.execute(sa.text(_BURY), [{"id": exchange_id, "now": now} for exchange_id in ids])
    return conn.execute(sa.delete(exchanges).where(which)).rowcount


def forget_raw(conn: sa.Connection, user_id: str, person_keys: Sequence[str], now: float = 0.0) -> int:
    """Erase all that is here about a person; return how many rows of turns, exchanges, open events and intents went.

    Their links, settings and codes go too.
    """
    keys = list(person_keys)
    accounts.bump_epoch(conn, user_id)
    withdrawn.note_forgotten(conn, keys, 0.0, now, now)
    waiting = sa.or_(exchanges.c.user_id == user_id, exchanges.c.person_key.in_(keys))
    theirs = sa.or_(turns.c.user_id == user_id, turns.c.person_key.in_(keys))
    count = _close(conn, inbox.c.person_key.in_(keys))
    gone = repeated_answers.erased(conn, theirs, waiting, answers=True)
    count += drop_exchanges(conn, waiting, now)
    for kept, which in ((turns, theirs), (intents, intents.c.person_key.in_(keys))):
        count += conn.execute(sa.delete(kept).where(which)).rowcount
    count += repeated_answers.forget(conn, gone, [user_id], now)
    # Not the count of wrong codes: who has all forgotten may not guess on.
    for named in (links, codes):
        conn.execute(sa.delete(named).where(named.c.person_key.in_(keys)))
    for owned in (settings, pauses, links):
        conn.execute(sa.delete(owned).where(owned.c.user_id == user_id))
    conn.execute(sa.delete(taught).where(taught.c.user_id.in_([user_id, *keys])))
    return count


def forget_since(
    conn: sa.Connection, user_id: str, person_keys: Sequence[str], start: float, end: float, now: float
) -> int:
    """Erase what a person said from `start` to before `end`, with its answers; return how many rows went."""
    keys = list(person_keys)
    withdrawn.note_forgotten(conn, keys, start, end, now)
    count = _close(conn, sa.and_(inbox.c.person_key.in_(keys), inbox.c.at >= start, inbox.c.at < end))
    theirs = sa.or_(turns.c.user_id == user_id, turns.c.person_key.in_(keys))
    told = sa.select(turns.c.event_id).where(theirs, turns.c.author == "user", turns.c.at >= start, turns.c.at < end)
    said = turns.c.event_id.in_(list(conn.scalars(told)))
    owned = sa.or_(exchanges.c.user_id == user_id, exchanges.c.person_key.in_(keys))
    waiting = sa.and_(owned, exchanges.c.at >= start, exchanges.c.at < end)
    gone = repeated_answers.erased(conn, said, waiting)
    count += conn.execute(sa.delete(turns).where(said)).rowcount + drop_exchanges(conn, waiting, now)
    return count + repeated_answers.forget(conn, gone, [user_id], now)


def forget_events(
    conn: sa.Connection, user_id: str, event_ids: Sequence[str], texts: Sequence[str] = (), now: float = 0.0
) -> int:
    """Erase what is here of these events of a person, and the answers that may repeat it; return how many rows went.

    `texts` are those of memories that are forgotten along with them, which answers may repeat as well.
    """
    ids = list(event_ids)
    count = _close(conn, sa.and_(repeated_answers.owned(inbox.c.person_key, user_id), inbox.c.event_id.in_(ids)))
    said = sa.and_(turns.c.user_id == user_id, turns.c.event_id.in_(ids))
    waiting = sa.and_(exchanges.c.user_id == user_id, exchanges.c.event_id.in_(ids))
    gone = repeated_answers.erased(conn, said, waiting)
    gone.texts.extend(texts)
    count += conn.execute(sa.delete(turns).where(said)).rowcount + drop_exchanges(conn, waiting, now)
    return count + repeated_answers.forget(conn, gone, [user_id], now)


def known(conn: sa.Connection, message_ids: Sequence[str]) -> bool:
    """Whether anything may be kept here of any of these messages."""
    ids = list(message_ids)
    seen = sa.and_(messages.c.message_id.in_(ids), messages.c.event_id != "")
    ahead = sa.and_(inbox.c.event_id.in_(ids), inbox.c.ahead == 1)
    found = (seen, ahead, turns.c.event_id.in_(ids), exchanges.c.event_id.in_(ids))
    return any(conn.execute(sa.select(sa.literal(1)).where(which).limit(1)).first() for which in found)


def forget_messages(conn: sa.Connection, message_ids: Sequence[str], now: float = 0.0) -> int:
    """Erase all that is kept of messages deleted on the platform, and the answers that may repeat it.

    Of an answer of the bot's own, that answer alone goes: what its person said stays. Returns how many rows went.
    """
    ids = list(message_ids)
    withdrawn.withdraw(conn, ids, now)
    count = _close(conn, inbox.c.event_id.in_(ids))
    said, waiting = turns.c.event_id.in_(ids), exchanges.c.event_id.in_(ids)
    gone: dict[tuple[str, str], list[str]] = {}
    for table, which in ((turns, sa.and_(said, turns.c.author == "user")), (exchanges, waiting)):
        for row in conn.execute(sa.select(table.c.user_id, table.c.conversation, table.c.text).where(which)):
            gone.setdefault((row.user_id, row.conversation), []).append(row.text)
    answers = sa.and_(
        messages.c.message_id.in_(ids), messages.c.message_id != messages.c.event_id, messages.c.event_id != ""
    )
    answered = list(conn.scalars(sa.select(messages.c.event_id).where(answers).distinct()))
    count += drop_exchanges(conn, waiting, now)
    count += conn.execute(sa.delete(turns).where(said)).rowcount
    if answered:
        replies = sa.and_(turns.c.event_id.in_(answered), turns.c.author == "assistant")
        count += conn.execute(sa.delete(turns).where(replies)).rowcount
        told = sa.and_(exchanges.c.event_id.in_(answered), exchanges.c.answer != "")
        count += conn.execute(sa.update(exchanges).where(told).values(answer="")).rowcount
    # For each person and conversation once, however many messages: it looks through all answers there.
    for (user, conversation), texts in sorted(gone.items()):
        count += repeated_answers.forget(conn, repeated_answers.Erased(texts, [conversation]), [user], now)
    return count


def forget_workspace(conn: sa.Connection, platform: str, workspace: str, now: float) -> int:
    """Erase all that belongs to a workspace alone; return how many rows went.

    Where the platform's accounts are the workspace's own (Slack), they go with their links and settings.
    """
    if not workspace:
        raise ValueError("a workspace has an id: without one, direct messages would be meant")
    prefix = f"{platform}:{workspace}:"
    there = sa.select(messages.c.event_id).where(messages.c.place.startswith(prefix, autoescape=True))
    count = 0
    for table in (inbox, turns):  # in this order, see `_close`
        own = sa.or_(table.c.event_id.in_(there), table.c.person_key.startswith(prefix, autoescape=True))
        count += conn.execute(sa.delete(table).where(own)).rowcount
    said = sa.or_(exchanges.c.event_id.in_(there), exchanges.c.person_key.startswith(prefix, autoescape=True))
    count += drop_exchanges(conn, said, now)
    count += conn.execute(sa.delete(messages).where(messages.c.place.startswith(prefix, autoescape=True))).rowcount
    conn.execute(sa.delete(links).where(links.c.person_key.in_(accounts.spelled(conn, platform, workspace))))
    for named in (intents, links, codes, guesses):
        conn.execute(sa.delete(named).where(named.c.person_key.startswith(prefix, autoescape=True)))
    # Accounts elsewhere may still share the memories under such an id.
    shared = sa.select(links.c.user_id)
    for owned in (settings, pauses):
        own = owned.c.user_id.startswith(prefix, autoescape=True)
        conn.execute(sa.delete(owned).where(own, owned.c.user_id.not_in(shared)))
    return count


def taught_whom(conn: sa.Connection, event_ids: Sequence[str]) -> dict[str, str]:
    """Event: the account that it taught something, where that was noted."""
    rows = conn.execute(sa.select(taught.c.event_id, taught.c.user_id).where(taught.c.event_id.in_(list(event_ids))))
    return {event_id: user_id for event_id, user_id in rows}  # noqa: C416 - rows, not pairs


def learners(conn: sa.Connection) -> list[str]:
    """Every account of which it was noted that an event taught it something."""
    return list(conn.scalars(sa.select(taught.c.user_id).distinct().order_by(taught.c.user_id)))
