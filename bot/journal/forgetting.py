"""What is stored verbatim of people and workspaces, and how it is erased.

What is in flight doesn't bring it back: an answer whose event is no longer in the inbox keeps no text, a lesson whose
exchanges are gone can't be committed, and for stores that can't share that transaction there are tombstones. Open
events go first: on PostgreSQL that waits for an answer that is about to be committed, whose turns are then seen and go
too.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.journal import accounts, outbox, readings, repeated_answers, thoughts, usage, withdrawn
from bot.journal import links as links_of
from bot.journal.export import export
from bot.journal.intents import forget_wishes
from bot.journal.runner import Runner
from bot.journal.stored_messages import stored_messages
from bot.journal.tables import (
    codes,
    exchanges,
    guesses,
    inbox,
    intents,
    introductions,
    links,
    messages,
    notices,
    off_record,
    pauses,
    settings,
    taught,
    turns,
    unnoticed,
)
from bot.model import StoredMessage


class SqlTexts:
    """`bot.ports.Texts`."""

    def __init__(self, runner: Runner, clock: Callable[[], float]) -> None:
        self._runner = runner
        self._clock = clock

    async def export(self, user_id: str, person_keys: Sequence[str]) -> dict[str, Any]:
        """Everything stored here about a person, ready for JSON."""
        return await self._runner.read(export, user_id, person_keys)

    async def stored_messages(self, user_id: str, person_keys: Sequence[str]) -> list[StoredMessage]:
        """A person's messages that are stored verbatim, each with its answer."""
        return await self._runner.read(stored_messages, user_id, person_keys)

    async def forget_events(self, user_id: str, event_ids: Sequence[str], texts: Sequence[str] = ()) -> int:
        """Erase what is stored of these events of a person, and answers that may repeat it or `texts`; return the rows
        deleted."""
        return await self._runner.erase(forget_events, user_id, event_ids, texts, self._clock())

    async def forget_since(self, user_id: str, person_keys: Sequence[str], start: datetime, end: datetime) -> int:
        """Erase what a person said from `start` to before `end`, with its answers; return the rows deleted."""
        span = start.timestamp(), end.timestamp()
        return await self._runner.erase(forget_since, user_id, person_keys, *span, self._clock())

    async def forget_person(self, user_id: str, person_keys: Sequence[str]) -> int:
        """Erase a person's turns (and the answers to them), exchanges, open events and intents; return the rows
        deleted.

        Links, settings and codes go too. To be called before the memories are erased: after it, a lesson in flight
        can't be committed any more.
        """
        return await self._runner.erase(forget_person, user_id, person_keys, self._clock())

    async def forget_workspace(self, platform: str, workspace: str) -> int:
        """Erase what belongs to a workspace alone; return the rows deleted. Raises ValueError without an id."""
        return await self._runner.erase(forget_workspace, platform, workspace, self._clock())


def close_events(conn: sa.Connection, which: sa.ColumnElement[bool]) -> int:
    """Delete open events; return how many there were.

    To be called before anything else is looked at: on PostgreSQL this waits for an answer that is about to be
    committed, and what that has kept is found afterwards; one that comes later finds its event gone.
    """
    return conn.execute(sa.delete(inbox).where(which)).rowcount


def _events(user_id: str, keys: Sequence[str]) -> sa.ScalarSelect[str]:
    """The messages of a person of which anything is stored."""
    return sa.union(
        sa.select(turns.c.event_id).where(sa.or_(turns.c.user_id == user_id, turns.c.person_key.in_(keys))),
        sa.select(exchanges.c.event_id).where(sa.or_(exchanges.c.user_id == user_id, exchanges.c.person_key.in_(keys))),
        sa.select(inbox.c.event_id).where(inbox.c.person_key.in_(keys)),
    ).scalar_subquery()


def forget_person(conn: sa.Connection, user_id: str, person_keys: Sequence[str], now: float = 0.0) -> int:
    """Erase everything about a person; return how many rows of turns, exchanges, open events and intents went.

    Their links, settings and codes go too.
    """
    keys = list(person_keys)
    accounts.bump_epoch(conn, user_id)
    withdrawn.note_forgotten(conn, keys, 0.0, now, now)
    withdrawn.note_places(conn, _events(user_id, keys), now)
    waiting = sa.or_(exchanges.c.user_id == user_id, exchanges.c.person_key.in_(keys))
    theirs = sa.or_(turns.c.user_id == user_id, turns.c.person_key.in_(keys))
    count = close_events(conn, inbox.c.person_key.in_(keys))
    gone = repeated_answers.erased(conn, theirs, waiting, answers=True)
    count += outbox.erase(conn, waiting, now)
    for table, which in ((turns, theirs), (intents, intents.c.person_key.in_(keys))):
        count += conn.execute(sa.delete(table).where(which)).rowcount
    count += repeated_answers.forget(conn, gone, [user_id], now)
    # Not the count of wrong codes: nobody gets new guesses by having everything forgotten.
    for by_account in (links, codes):
        conn.execute(sa.delete(by_account).where(by_account.c.person_key.in_(keys)))
    conn.execute(sa.delete(notices).where(notices.c.key.in_(keys)))
    for table in (introductions, off_record):
        conn.execute(sa.delete(table).where(table.c.person_key.in_(keys)))
    usage.anonymise(conn, lambda table: table.c.person_key.in_(keys))
    for by_user in (settings, pauses, unnoticed, links):
        conn.execute(sa.delete(by_user).where(by_user.c.user_id == user_id))
    conn.execute(sa.delete(taught).where(taught.c.user_id.in_([user_id, *keys])))
    readings.prune(conn)
    readings.prune(conn)
    return count


def forget_since(
    conn: sa.Connection, user_id: str, person_keys: Sequence[str], start: float, end: float, now: float
) -> int:
    """Erase what a person said from `start` to before `end`, with its answers; return the rows deleted."""
    keys = list(person_keys)
    withdrawn.note_forgotten(conn, keys, start, end, now)
    withdrawn.note_places(conn, _events(user_id, keys), now)
    count = close_events(conn, sa.and_(inbox.c.person_key.in_(keys), inbox.c.at >= start, inbox.c.at < end))
    forget_wishes(conn, keys)
    theirs = sa.or_(turns.c.user_id == user_id, turns.c.person_key.in_(keys))
    within = sa.select(turns.c.event_id).where(theirs, turns.c.author == "user", turns.c.at >= start, turns.c.at < end)
    ids = list(conn.scalars(within))
    said = turns.c.event_id.in_(ids)
    owned = sa.or_(exchanges.c.user_id == user_id, exchanges.c.person_key.in_(keys))
    waiting = sa.and_(owned, exchanges.c.at >= start, exchanges.c.at < end)
    gone = repeated_answers.erased(conn, said, waiting)
    count += conn.execute(sa.delete(turns).where(said)).rowcount + outbox.erase(conn, waiting, now)
    count += thoughts.forget_answers(conn, ids, user_id)
    count += repeated_answers.forget(conn, gone, [user_id], now)
    readings.prune(conn)
    return count


def forget_events(
    conn: sa.Connection, user_id: str, event_ids: Sequence[str], texts: Sequence[str] = (), now: float = 0.0
) -> int:
    """Erase what is stored of these events of a person, and answers that may repeat it; return the rows deleted.

    `texts` are those of memories that are forgotten along with them, which answers may repeat as well.
    """
    ids, keys = list(event_ids), [user_id, *links_of.linked_to(conn, user_id)]
    withdrawn.note_forgotten(conn, keys, now, now, now)
    forget_wishes(conn, keys)
    withdrawn.note_places(conn, ids, now)
    theirs = repeated_answers.owned(inbox.c.person_key, user_id)
    count = close_events(conn, sa.and_(theirs, inbox.c.event_id.in_(ids)))
    said = sa.and_(turns.c.user_id == user_id, turns.c.event_id.in_(ids))
    waiting = sa.and_(exchanges.c.user_id == user_id, exchanges.c.event_id.in_(ids))
    gone = repeated_answers.erased(conn, said, waiting)
    gone.texts.extend(texts)
    count += conn.execute(sa.delete(turns).where(said)).rowcount + outbox.erase(conn, waiting, now)
    count += thoughts.forget_answers(conn, ids, user_id)
    count += repeated_answers.forget(conn, gone, [user_id], now)
    readings.prune(conn)
    return count


def forget_workspace(conn: sa.Connection, platform: str, workspace: str, now: float) -> int:
    """Erase everything that belongs to a workspace alone; return the rows deleted.

    Where the platform's accounts are the workspace's own (Slack), they go with their links and settings.
    """
    if not workspace:
        raise ValueError("a workspace has an id: without one, direct messages would be meant")
    prefix = f"{platform}:{workspace}:"
    there = sa.select(messages.c.event_id).where(messages.c.place.startswith(prefix, autoescape=True))
    count = 0
    for table in (inbox, turns):  # in this order, see `close_events`
        own = sa.or_(table.c.event_id.in_(there), table.c.person_key.startswith(prefix, autoescape=True))
        count += conn.execute(sa.delete(table).where(own)).rowcount
    said = sa.or_(exchanges.c.event_id.in_(there), exchanges.c.person_key.startswith(prefix, autoescape=True))
    count += outbox.erase(conn, said, now)
    count += conn.execute(sa.delete(messages).where(messages.c.place.startswith(prefix, autoescape=True))).rowcount
    former = accounts.former_keys(conn, platform, workspace)
    conn.execute(sa.delete(links).where(links.c.person_key.in_(former)))
    for by_account in (intents, links, codes, guesses):
        conn.execute(sa.delete(by_account).where(by_account.c.person_key.startswith(prefix, autoescape=True)))
    conn.execute(sa.delete(notices).where(notices.c.key.startswith(prefix, autoescape=True)))
    workspace_id = prefix.removesuffix(":")
    for table in (introductions, off_record):
        theirs = table.c.person_key.startswith(prefix, autoescape=True)
        conn.execute(sa.delete(table).where(sa.or_(table.c.workspace == workspace_id, theirs)))
    usage.anonymise(
        conn,
        lambda table: sa.or_(table.c.workspace == workspace_id, table.c.person_key.startswith(prefix, autoescape=True)),
    )
    # Accounts elsewhere may still share the memories under such an id.
    shared = sa.select(links.c.user_id)
    for by_user in (settings, pauses, unnoticed):
        own = by_user.c.user_id.startswith(prefix, autoescape=True)
        conn.execute(sa.delete(by_user).where(own, by_user.c.user_id.not_in(shared)))
    return count
