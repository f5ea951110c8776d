"""Exchanges that wait to be learned. Their raw text goes with the row, once learned."""

from collections.abc import Sequence

import sqlalchemy as sa

from bot.journal.columns import due, when
from bot.journal.tables import erasures, exchanges, taught
from bot.model import Exchange

#: Back-off after a failed attempt: seconds, doubled each time.
RETRY_FIRST = 5.0
RETRY_MOST = 600.0

_waiting = exchanges.c.state == "waiting"
_older = exchanges.alias("older")
#: While all of a person's is still being erased, nothing is learned: what waits is to go, and the erasure of memories
#: would take along what is new, or be over before what waits has gone.
_settled = ~sa.exists().where(erasures.c.user_id == exchanges.c.user_id, erasures.c.kind.in_(("raw", "everything")))


def waiting(conn: sa.Connection, worker: str, now: float) -> list[tuple[str, str]]:
    """Each (user_id, scope) whose oldest exchange is due, and which no other worker is learning."""
    others = sa.select(_older.c.id).where(
        _older.c.user_id == exchanges.c.user_id,
        _older.c.scope == exchanges.c.scope,
        _older.c.state == "waiting",
        sa.or_(_older.c.id < exchanges.c.id, _older.c.claimed_by != worker),
    )
    ready = (
        sa.select(exchanges.c.user_id, exchanges.c.scope)
        .where(
            _waiting,
            _settled,
            due(exchanges.c.next_try, now, 2 * RETRY_MOST),
            sa.or_(exchanges.c.claimed_by.is_(None), exchanges.c.claimed_by == worker),
            sa.not_(others.exists()),
        )
        .order_by(exchanges.c.id)
    )
    return [(user_id, scope) for user_id, scope in conn.execute(ready)]


def take(conn: sa.Connection, user_id: str, scope: str, worker: str) -> list[Exchange]:
    """Claim and return all that waits for a person in a scope, oldest first; [] where another worker has it."""
    elsewhere = sa.select(_older.c.id).where(
        _older.c.user_id == user_id,
        _older.c.scope == scope,
        _older.c.state == "waiting",
        _older.c.claimed_by != worker,
    )
    rows = conn.execute(
        sa.update(exchanges)
        .where(
            exchanges.c.user_id == user_id,
            exchanges.c.scope == scope,
            _waiting,
            _settled,
            # Said twice on purpose: PostgreSQL checks the row itself again after waiting for a rival's claim.
            sa.or_(exchanges.c.claimed_by.is_(None), exchanges.c.claimed_by == worker),
            sa.not_(elsewhere.exists()),
        )
        .values(claimed_by=worker)
        .returning(
            exchanges.c.id,
            exchanges.c.event_id,
            exchanges.c.user_id,
            exchanges.c.scope,
            exchanges.c.name,
            exchanges.c.text,
            exchanges.c.answer,
            exchanges.c.at,
            exchanges.c.link,
            exchanges.c.place,
            exchanges.c.conversation,
            exchanges.c.attempts,
            exchanges.c.person_key,
        )
    ).all()
    found = [Exchange(**{**row._mapping, "at": when(row.at)}) for row in rows]
    return sorted(found, key=lambda exchange: exchange.id)


def learned(conn: sa.Connection, ids: Sequence[int]) -> None:
    """Drop exchanges that are learned; unknown ids are let pass.

    Whom they taught is noted: those of our own stores, which know it by themselves, are gone by now (`mark_learned`).
    """
    noted = sa.select(exchanges.c.event_id, exchanges.c.user_id, exchanges.c.person_key)
    for event_id, user_id, account in conn.execute(noted.where(exchanges.c.id.in_(list(ids)))).all():
        conn.execute(sa.delete(taught).where(taught.c.event_id == event_id))
        conn.execute(sa.insert(taught), {"event_id": event_id, "user_id": account or user_id})
    conn.execute(sa.delete(exchanges).where(exchanges.c.id.in_(list(ids))))


def retry(conn: sa.Connection) -> int:
    """Let exchanges that were given up wait to be learned again; return how many."""
    given_up = sa.update(exchanges).where(exchanges.c.state == "failed")
    return conn.execute(given_up.values(state="waiting", attempts=0, next_try=0.0, reason="", claimed_by=None)).rowcount


def failed(conn: sa.Connection, ids: Sequence[int], worker: str, reason: str, final: bool, now: float) -> None:
    """Count a failed attempt and give the exchanges back, with back-off; `final` ones are kept but not tried again.

    What another worker has taken over meanwhile is let be.
    """
    ours = sa.and_(exchanges.c.id.in_(list(ids)), exchanges.c.claimed_by == worker)
    rows = conn.execute(sa.select(exchanges.c.id, exchanges.c.attempts).where(ours)).all()
    for exchange_id, attempts in rows:
        conn.execute(
            sa.update(exchanges)
            .where(exchanges.c.id == exchange_id)
            .values(
                attempts=attempts + 1,
                reason=reason[:200],
                state="failed" if final else "waiting",
                next_try=now + min(RETRY_FIRST * 2 ** min(attempts, 20), RETRY_MOST),
                claimed_by=None,
            )
        )
