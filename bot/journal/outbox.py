"""Exchanges that wait to be learned. Their raw text goes with them, once learned."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from bot.aio.backoff import Backoff
from bot.journal import erasure_queue
from bot.journal.columns import due, when
from bot.journal.runner import Runner
from bot.journal.tables import erasures, exchanges, taught, tombstones
from bot.model import Exchange
from bot.text import secrets

#: After a failed attempt.
BACKOFF = Backoff(first=5.0, longest=600.0)

#: Why exchanges wait that no attempt was made at.
_LIMIT = "the spending limit"

_BURY = (
    "INSERT INTO tombstones (exchange_id, at) SELECT id, :now FROM exchanges WHERE id = :id"
    " ON CONFLICT (exchange_id) DO NOTHING"
)
_waiting = exchanges.c.state == "waiting"
_older = exchanges.alias("older")
#: While everything of a person's is still being erased, nothing is learned: what waits is to go, and the erasure of
#: memories would take along what is new, or be over before what waits has gone.
_not_being_erased = ~sa.exists().where(
    erasures.c.user_id == exchanges.c.user_id, erasures.c.kind.in_(erasure_queue.OF_A_PERSON)
)


class SqlOutbox:
    """`bot.ports.Outbox`."""

    def __init__(self, runner: Runner, worker: str, clock: Callable[[], float], *, text_ttl: float) -> None:
        """`text_ttl`: for how many seconds a text may wait because the spending limit is reached."""
        self._runner = runner
        self._worker = worker
        self._clock = clock
        self._text_ttl = text_ttl

    async def waiting(self) -> list[tuple[str, str]]:
        """Each (user_id, scope) with exchanges that are due to be learned, and that no other process is learning."""
        return await self._runner.read(waiting, self._worker, self._clock())

    async def claim(self, user_id: str, scope: str) -> list[Exchange]:
        """Claim what waits to be learned for a person in a scope, oldest first; [] if another process has claimed it.

        It is this process's until `learned` or `failed`.
        """
        return await self._runner.write(claim, user_id, scope, self._worker)

    async def learned(self, ids: Sequence[int]) -> None:
        """Delete learned exchanges, their raw text with them. Unknown ids are ignored."""
        await self._runner.write(learned, ids)

    async def failed(self, ids: Sequence[int], reason: str, *, final: bool) -> None:
        """Count a failed attempt; `final` keeps the exchanges for the operator, with no further attempts."""
        await self._runner.write(failed, ids, self._worker, reason, final, self._clock())

    async def postpone(self, ids: Sequence[int], seconds: float) -> int:
        """Give exchanges back because the spending limit is reached, to be tried again in so many seconds or sooner.

        Returns how many are dropped, since their texts have been kept for as long as they may be.
        """
        now = self._clock()
        stale = await self._runner.write(postpone, ids, self._worker, seconds, now, now - self._text_ttl)
        return await self._runner.erase(drop_stale, now - self._text_ttl, now) if stale else 0

    async def retry_failed(self) -> int:
        """Have exchanges that were given up retried, by whichever process learns; return how many there are."""
        return await self._runner.write(retry_failed)


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
            _not_being_erased,
            due(exchanges.c.next_try, now, 2 * BACKOFF.longest),
            sa.or_(exchanges.c.claimed_by.is_(None), exchanges.c.claimed_by == worker),
            sa.not_(others.exists()),
        )
        .order_by(exchanges.c.id)
    )
    return [(user_id, scope) for user_id, scope in conn.execute(ready)]


def claim(conn: sa.Connection, user_id: str, scope: str, worker: str) -> list[Exchange]:
    """Claim and return all that waits for a person in a scope, oldest first; [] if another worker has claimed it."""
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
            _not_being_erased,
            # Checked twice on purpose: PostgreSQL checks the row itself again after waiting for a rival's claim.
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
            exchanges.c.utc_offset,
        )
    ).all()
    found = [_exchange(**row._mapping) for row in rows]
    return sorted(found, key=lambda exchange: exchange.id)


def _exchange(*, at: float, utc_offset: int, text: str, answer: str, **others: Any) -> Exchange:
    # Earlier versions kept them as they were.
    return Exchange(at=when(at, utc_offset), text=secrets.mask(text), answer=secrets.mask(answer), **others)


def learned(conn: sa.Connection, ids: Sequence[int]) -> None:
    """Delete learned exchanges; unknown ids are ignored.

    Whom they taught is recorded: our own stores know it by themselves, and have deleted theirs (`mark_learned`).
    """
    found = sa.select(exchanges.c.event_id, exchanges.c.user_id, exchanges.c.person_key)
    for event_id, user_id, account in conn.execute(found.where(exchanges.c.id.in_(list(ids)))).all():
        conn.execute(sa.delete(taught).where(taught.c.event_id == event_id))
        conn.execute(sa.insert(taught), {"event_id": event_id, "user_id": account or user_id})
    conn.execute(sa.delete(exchanges).where(exchanges.c.id.in_(list(ids))))


def failed(conn: sa.Connection, ids: Sequence[int], worker: str, reason: str, final: bool, now: float) -> None:
    """Count a failed attempt and give the exchanges back, with back-off; `final` ones are kept but not retried.

    What another worker has taken over meanwhile stays as it is.
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
                next_try=now + BACKOFF.after(attempts + 1),
                claimed_by=None,
            )
        )


def postpone(
    conn: sa.Connection, ids: Sequence[int], worker: str, seconds: float, now: float, stale_since: float
) -> bool:
    """Give exchanges back without counting an attempt; return whether any of them is from before `stale_since`."""
    ours = sa.and_(exchanges.c.id.in_(list(ids)), exchanges.c.claimed_by == worker)
    until = now + min(seconds, BACKOFF.longest)
    given_back = sa.update(exchanges).where(ours).values(next_try=until, claimed_by=None, reason=_LIMIT)
    times = list(conn.scalars(given_back.returning(exchanges.c.at)))
    return any(at < stale_since for at in times)


def drop_stale(conn: sa.Connection, stale_since: float, now: float) -> int:
    """Erase exchanges from before `stale_since` that wait for the spending limit; return how many there were."""
    return erase(conn, sa.and_(_waiting, exchanges.c.reason == _LIMIT, exchanges.c.at < stale_since), now)


def retry_failed(conn: sa.Connection) -> int:
    """Let exchanges that were given up wait to be learned again; return how many."""
    given_up = sa.update(exchanges).where(exchanges.c.state == "failed")
    return conn.execute(given_up.values(state="waiting", attempts=0, next_try=0.0, reason="", claimed_by=None)).rowcount


def erase(conn: sa.Connection, which: sa.ColumnElement[bool], now: float) -> int:
    """Erase exchanges; what is being learned of them is void. Returns how many there were."""
    ids = list(conn.scalars(sa.select(exchanges.c.id).where(which)))
    if ids:
        conn.execute(sa.text(_BURY), [{"id": exchange_id, "now": now} for exchange_id in ids])
    return conn.execute(sa.delete(exchanges).where(which)).rowcount


def renew(conn: sa.Connection, row: sa.RowMapping, now: float, **changed: Any) -> None:
    """Give an exchange a new id; what an extraction in progress makes of the old one is void."""
    conn.execute(sa.delete(exchanges).where(exchanges.c.id == row["id"]))
    conn.execute(sa.insert(tombstones), {"exchange_id": row["id"], "at": now})
    kept = {name: value for name, value in row.items() if name != "id"}
    conn.execute(sa.insert(exchanges), {**kept, "claimed_by": None, **changed})
