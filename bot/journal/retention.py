"""Keeps the journal bounded, and counts what waits in it."""

from typing import NamedTuple

import sqlalchemy as sa

from bot.journal import introductions, notices, off_record, outbox, readings, usage, withdrawn
from bot.journal.codes import CODE_TTL
from bot.journal.history import by_person
from bot.journal.intents import INTENT_TTL
from bot.journal.tables import adds, codes, exchanges, guesses, inbox, intents, messages, tombstones, turns


def prune(
    conn: sa.Connection,
    now: float,
    *,
    turns_since: float,
    turns_limit: int,
    seen_since: float,
    usage_since: float,
) -> int:
    """Delete turns that are too old or too many, records of messages before `seen_since`, and stale intents.

    The newest record of each place stays, so that a place is known however long it has been silent. Returns the
    number of rows deleted.
    """
    ranked = sa.select(
        turns.c.id,
        sa.func.row_number().over(partition_by=turns.c.conversation, order_by=turns.c.id.desc()).label("rank"),
    ).subquery()
    newer = messages.alias("newer")
    stale = (
        sa.delete(turns).where(turns.c.kept_at < turns_since),
        sa.delete(turns).where(turns.c.id.in_(sa.select(ranked.c.id).where(ranked.c.rank > turns_limit))),
        sa.delete(messages).where(
            messages.c.at < seen_since,
            sa.exists().where(newer.c.place == messages.c.place, newer.c.at > messages.c.at, by_person(newer)),
        ),
        # Nobody waits for an answer that old. Telling the person is up to the core.
        sa.delete(inbox).where(inbox.c.at < seen_since),
        sa.delete(intents).where(intents.c.at < now - INTENT_TTL),
        sa.delete(codes).where(codes.c.at < now - CODE_TTL),
        sa.delete(guesses).where(guesses.c.at < now - CODE_TTL),
        sa.delete(tombstones).where(tombstones.c.at < seen_since),
        sa.delete(adds).where(adds.c.at < seen_since),
    )
    return (
        sum(conn.execute(statement).rowcount for statement in stale)
        + withdrawn.prune(conn, now, seen_since)
        + outbox.drop_stale(conn, turns_since, now)
        + notices.prune(conn, now)
        + introductions.prune(conn, now)
        + off_record.prune(conn, seen_since)
        + readings.prune(conn)
        + usage.prune(conn, usage_since, now)
    )


class Backlog(NamedTuple):
    """How much waits: events without an answer, exchanges to be learned, and exchanges set aside."""

    unanswered: int
    waiting: int
    failed: int


def backlog(conn: sa.Connection) -> Backlog:
    """Count what waits, for the operator."""
    counted = sa.select(exchanges.c.state, sa.func.count()).group_by(exchanges.c.state)
    states: dict[str, int] = {state: count for state, count in conn.execute(counted)}  # noqa: C416 - rows, not pairs
    unanswered = conn.execute(sa.select(sa.func.count()).select_from(inbox).where(inbox.c.ahead == 0)).scalar_one()
    return Backlog(unanswered, states.get("waiting", 0), states.get("failed", 0))
