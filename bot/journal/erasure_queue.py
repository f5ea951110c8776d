"""What is still to be erased from the memory store: recorded first, so that it is done though a part fails."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from bot.aio.backoff import Backoff
from bot.erasures import (
    Erasure,
    ForgetAccount,
    ForgetAll,
    ForgetMemories,
    ForgetSources,
    ForgetTexts,
    ForgetWorkspace,
    MoveMemories,
    What,
)
from bot.journal.runner import Runner
from bot.journal.tables import erasures

#: For how many seconds an erasure belongs to whoever has recorded or claimed it.
HOLD = 60.0
#: After a failed attempt.
BACKOFF = Backoff(first=15.0, longest=1800.0)
#: Kinds as the database has them: other versions of the bot may be at work on the same rows.
KINDS = ("raw", "everything", "memories", "sources", "move", "workspace", "account")
#: Those that leave nothing of a person.
OF_A_PERSON = ("raw", "everything")


class SqlErasureQueue:
    """`bot.ports.ErasureQueue`."""

    def __init__(self, runner: Runner, clock: Callable[[], float]) -> None:
        self._runner = runner
        self._clock = clock

    async def add(self, wanted: Sequence[Erasure], delay: float | None = None) -> list[Erasure]:
        """Record erasures, due in `delay` seconds (one minute), and return them with their ids."""
        return await self._runner.write(add, wanted, self._clock(), HOLD if delay is None else delay)

    async def add_once(self, erasure: Erasure, delay: float) -> bool:
        """Record an erasure that is due in `delay` seconds; False if the same is queued already."""
        return await self._runner.write(add_once, erasure, self._clock(), delay)

    async def due(self) -> list[Erasure]:
        """The erasures that are due, oldest first; nobody else gets them for a minute."""
        return await self._runner.write(due, self._clock())

    async def done(self, erasure_id: int) -> None:
        """An erasure has succeeded."""
        await self._runner.write(done, erasure_id)

    async def retry_later(self, erasure_id: int) -> float:
        """An erasure has failed: it is due again in so many seconds as this returns."""
        return await self._runner.write(retry_later, erasure_id, self._clock())

    async def cancel(self, erasure: Erasure) -> int:
        """Remove a queued erasure; return how many there were."""
        return await self._runner.write(cancel, erasure)


def add(conn: sa.Connection, wanted: Sequence[Erasure], now: float, delay: float = HOLD) -> list[Erasure]:
    """Record erasures, due in `delay` seconds, and return them with their ids."""
    return [_insert(conn, erasure, now, now + delay) for erasure in wanted]


def add_once(conn: sa.Connection, erasure: Erasure, now: float, delay: float) -> bool:
    """Record an erasure unless the same is queued already, whose time doesn't change then. False if it was."""
    if conn.execute(sa.select(erasures.c.id).where(_same(erasure))).first() is not None:
        return False
    _insert(conn, erasure, now, now + delay)
    return True


def due(conn: sa.Connection, now: float, limit: int = 20) -> list[Erasure]:
    """What is due, oldest first; it is due again later unless it is done by then.

    Kinds that only a newer version knows are left to it.
    """
    chosen = (
        sa.select(erasures.c.id)
        .where(erasures.c.due <= now, erasures.c.kind.in_(KINDS))
        .order_by(erasures.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(conn.scalars(chosen))
    if not ids:
        return []
    rows = conn.execute(
        sa.update(erasures)
        .where(erasures.c.id.in_(ids))
        .values(due=now + HOLD, attempts=erasures.c.attempts + 1)
        .returning(erasures.c.id, erasures.c.kind, erasures.c.what, erasures.c.user_id)
    ).all()
    return [
        Erasure(_decoded(row.kind, json.loads(row.what)), row.user_id, row.id)
        for row in sorted(rows, key=lambda row: row.id)
    ]


def done(conn: sa.Connection, erasure_id: int) -> None:
    """An erasure has succeeded."""
    conn.execute(sa.delete(erasures).where(erasures.c.id == erasure_id))


def retry_later(conn: sa.Connection, erasure_id: int, now: float) -> float:
    """An erasure has failed: it is due again in so many seconds as this returns."""
    attempts = conn.execute(sa.select(erasures.c.attempts).where(erasures.c.id == erasure_id)).scalar() or 0
    pause = BACKOFF.after(attempts + 1)
    conn.execute(sa.update(erasures).where(erasures.c.id == erasure_id).values(due=now + pause))
    return pause


def cancel(conn: sa.Connection, erasure: Erasure) -> int:
    """Remove a queued erasure; return how many there were."""
    return conn.execute(sa.delete(erasures).where(_same(erasure))).rowcount


def _insert(conn: sa.Connection, erasure: Erasure, now: float, due: float) -> Erasure:
    values = {**_encoded(erasure.what), "user_id": erasure.user_id, "due": due, "at": now}
    key = conn.execute(sa.insert(erasures), values).inserted_primary_key
    return replace(erasure, id=int(key[0]) if key else 0)


def _same(erasure: Erasure) -> sa.ColumnElement[bool]:
    encoded = _encoded(erasure.what)
    return sa.and_(erasures.c.kind == encoded["kind"], erasures.c.what == encoded["what"])


def _encoded(what: What) -> dict[str, str]:
    """The columns `kind` and `what`. Two that are equal have equal columns, whichever version has written them."""
    kind, data = _columns(what)
    return {"kind": kind, "what": json.dumps(data, sort_keys=True, separators=(",", ":"))}


def _columns(what: What) -> tuple[str, dict[str, Any]]:
    match what:
        case ForgetTexts(user_id, accounts):
            return "raw", {"user": user_id, "accounts": accounts}
        case ForgetAll(users):
            return "everything", {"users": users}
        case ForgetMemories(users, ids):
            return "memories", {"users": users, "ids": ids}
        case ForgetSources(events, source_user):
            return "sources", {"events": events, "user": source_user}
        case MoveMemories(former, to, moved):
            return "move", {"from": former, "to": to, "accounts": moved}
        case ForgetWorkspace(platform, workspace):
            return "workspace", {"platform": platform, "workspace": workspace}
        case ForgetAccount(account):
            return "account", {"account": account}


def _decoded(kind: str, data: dict[str, Any]) -> What:
    data = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    match kind:
        case "raw":
            return ForgetTexts(data["user"], data["accounts"])
        case "everything":
            return ForgetAll(data["users"])
        case "memories":  # the first versions have written one user
            return ForgetMemories(data["users"] if "users" in data else (data["user"],), data["ids"])
        case "sources":
            return ForgetSources(data["events"], data["user"])
        case "move":
            return MoveMemories(data["from"], data["to"], data["accounts"])
        case "workspace":
            return ForgetWorkspace(data["platform"], data["workspace"])
        case "account":
            return ForgetAccount(data["account"])
    raise ValueError(f"no such kind of erasure: {kind}")
