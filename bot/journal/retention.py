"""What keeps the journal bounded, and how much waits in it."""

from typing import NamedTuple

import sqlalchemy as sa

from bot.journal import withdrawn
from bot.journal.accounts import INTENT_TTL
from bot.journal.linking import CODE_TTL
from bot.journal.tables import adds, codes, exchanges, guesses, inbox, intents, messages, tombstones, turns

#: Messages told of by `recently_seen` at most, the newest before the others.
RECENT_MOST = 50_000


def _event(table: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether a record is of somebody's message, not of the bot's own."""
    return table.c.message_id == table.c.event_id


def prune(conn: sa.Connection, now: float, turns_since: float, most: int, seen_since: float) -> int:
    """Drop turns that are too old or too many, records of messages before `seen_since`, and stale intents.

    The newest record of each place stays, so that a place is known for as long as it likes to be silent. Returns how
    many rows went.
    """
    ranked = sa.select(
        turns.c.id,
        sa.func.row_number().over(partition_by=turns.c.conversation, order_by=turns.c.id.desc()).label("rank"),
    ).subquery()
    newer = messages.alias("newer")
    doomed = (
        sa.delete(turns).where(turns.c.kept_at < turns_since),
        sa.delete(turns).where(turns.c.id.in_(sa.select(ranked.c.id).where(ranked.c.rank > most))),
        sa.delete(messages).where(
            messages.c.at < seen_since,
            sa.exists().where(newer.c.place == messages.c.place, newer.c.at > messages.c.at, _event(newer)),
        ),
        # Nobody waits for such an answer any more; the rule when to close it with a sentence is the core's.
        sa.delete(inbox).where(inbox.c.at < seen_since),
        sa.delete(intents).where(intents.c.at < now - INTENT_TTL),
        sa.delete(codes).where(codes.c.at < now - CODE_TTL),
        sa.delete(guesses).where(guesses.c.at < now - CODE_TTL),
        sa.delete(tombstones).where(tombstones.c.at < seen_since),
        sa.delete(adds).where(adds.c.at < seen_since),
    )
    return withdrawn.prune(conn, now, seen_since) + sum(conn.execute(statement).rowcount for statement in doomed)


def last_seen(conn: sa.Connection, platform: str) -> list[tuple[str, str, float]]:
    """Each known place of a platform, its newest message of a person there, and when that came (seconds since 1970)."""
    newest = (
        sa.select(messages.c.place, sa.func.max(messages.c.at).label("at"))
        .where(messages.c.place.startswith(f"{platform}:", autoescape=True), _event(messages))
        .group_by(messages.c.place)
        .subquery()
    )
    found = (
        sa.select(messages.c.place, sa.func.max(messages.c.message_id), newest.c.at)
        .join(newest, sa.and_(newest.c.place == messages.c.place, newest.c.at == messages.c.at))
        .where(_event(messages))
        .group_by(messages.c.place, newest.c.at)
    )
    return [(place, message_id, at) for place, message_id, at in conn.execute(found)]


def recently_seen(conn: sa.Connection, platform: str, span: float, seen_since: float) -> list[tuple[str, str, float]]:
    """Each message, and each answer of the bot's, of a platform's last `span` seconds: place, id, when; oldest first.

    They are counted back from the newest: the last moment at which the platform is known to have been heard.
    """
    there = messages.c.place.startswith(f"{platform}:", autoescape=True)
    newest: float | None = conn.execute(sa.select(sa.func.max(messages.c.at)).where(there)).scalar()
    if newest is None:
        return []
    recent = (
        sa.select(messages.c.place, messages.c.message_id, messages.c.at)
        .where(there, messages.c.at >= max(newest - span, seen_since))
        .order_by(messages.c.at.desc())
        .limit(RECENT_MOST)
    )
    return [(place, message_id, at) for place, message_id, at in reversed(conn.execute(recent).all())]


class Backlog(NamedTuple):
    """How much waits: events without an answer, exchanges to be learned, and exchanges given up."""

    unanswered: int
    waiting: int
    failed: int


def backlog(conn: sa.Connection) -> Backlog:
    """Count what waits, for the operator."""
    counted = sa.select(exchanges.c.state, sa.func.count()).group_by(exchanges.c.state)
    states: dict[str, int] = {state: count for state, count in conn.execute(counted)}  # noqa: C416 - rows, not pairs
    unanswered = conn.execute(sa.select(sa.func.count()).select_from(inbox).where(inbox.c.ahead == 0)).scalar_one()
    return Backlog(unanswered, states.get("waiting", 0), states.get("failed", 0))
