"""What requests to models took: reserved before they are sent, settled when they have ended, summed up per day.

All workers on one database share it. A reservation counts in full until it is settled, so that neither a burst nor a
`kill -9` escapes the limits; a dead worker's are settled at the most that they can have taken.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa

from bot.aio.batches import Batches
from bot.journal import usage
from bot.journal.runner import Runner
from bot.journal.tables import exchanges, inbox, reservations, spent, workers
from bot.journal.usage import COUNTS, day_of
from bot.ports import Threshold, Verdict
from bot.usage import NEARLY, Limits, Metered, Purpose, Spent, Usage, UsageRow

#: Most operations in one transaction.
BATCH = 256

_OPEN_DAY = sa.text(
    "INSERT INTO spent (day, user_id, tokens, nanodollars, reserved_tokens, reserved_nanodollars)"
    " VALUES (:day, :user_id, 0, 0, 0, 0) ON CONFLICT (day, user_id) DO NOTHING"
)
_SPEND = sa.text(
    "UPDATE spent SET tokens = :tokens, nanodollars = :nanodollars, reserved_tokens = :reserved_tokens,"
    " reserved_nanodollars = :reserved_nanodollars WHERE day = :day AND user_id = :user_id"
)
_RESERVE = sa.insert(reservations)
_RELEASE = (
    sa.delete(reservations)
    .where(reservations.c.id.in_(usage.locked(reservations.c.id.in_(sa.bindparam("ids", expanding=True)))))
    .returning(reservations)
)
_DAYS = (
    sa.select(spent)
    .where(spent.c.day.in_(sa.bindparam("days", expanding=True)))
    .where(spent.c.user_id.in_(sa.bindparam("users", expanding=True)))
    .order_by(spent.c.day, spent.c.user_id)
    .with_for_update()
)
#: Messages still to be answered and exchanges still to be learned, locked so that forgetting them waits. Those that are
#: being forgotten are skipped: waiting for that could deadlock.
_OPEN = {
    purpose: sa.select(table.c.event_id)
    .where(table.c.event_id.in_(sa.bindparam("ids", expanding=True)))
    .with_for_update(read=True, key_share=True, skip_locked=True)
    for purpose, table in ((Purpose.ANSWER, inbox), (Purpose.LEARNING, exchanges))
}
_ORPHANS = sa.select(reservations.c.id).where(reservations.c.worker.not_in(sa.select(workers.c.id)))


@dataclass(slots=True)
class Reserve:
    """A request that is about to be sent; `verdict` is the outcome."""

    id: str
    request: Metered
    limits: Limits
    verdict: Verdict = Verdict.WAIT


@dataclass(slots=True)
class Settle:
    """A request that has ended; `passed` are the thresholds that it passed."""

    id: str
    took: Usage
    nanodollars: int | None
    limits: Limits
    passed: tuple[Threshold, ...] = ()


class _Account(NamedTuple):
    """One mem0 user's day, or everybody's ("")."""

    day: str
    user_id: str


@dataclass(slots=True)
class _Balance:
    spent: Spent
    reserved: Spent


class SqlLedger:
    """`bot.ports.Ledger`."""

    def __init__(self, runner: Runner, worker: str, clock: Callable[[], float]) -> None:
        self._runner = runner
        self._worker = worker
        self._clock = clock
        # Apart: an answer waits for its reservation, and nothing for what has ended.
        self._starting: Batches[Reserve] = Batches(self._reserve, BATCH)
        self._ended: Batches[Settle] = Batches(self._settle, BATCH)

    async def reserve(self, request_id: str, request: Metered, limits: Limits) -> Verdict:
        """Record a request with the most that it can take, if the day's limits leave room."""
        operation = Reserve(request_id, request, limits)
        await self._starting.add(operation)
        return operation.verdict

    async def settle(
        self, request_id: str, took: Usage, nanodollars: int | None, limits: Limits
    ) -> Sequence[Threshold]:
        """Replace a recorded request by what it took; return the thresholds that this passes."""
        operation = Settle(request_id, took, nanodollars, limits)
        await self._ended.add(operation)
        return operation.passed

    async def spent_today(self, user_id: str | None = None) -> Spent:
        """What that person, or everybody, has spent today (UTC), without what is in flight."""
        return await self._runner.read(spent_on, day_of(self._clock()), user_id or "")

    async def report(self, since: date, by: str) -> list[UsageRow]:
        """What was used from that day on, by one of `usage.COLUMNS`, in order of its values."""
        return await self._runner.read(usage.report, since.isoformat(), by)

    async def _reserve(self, operations: list[Reserve]) -> None:
        verdicts = await self._runner.write(reserve, operations, self._worker, day_of(self._clock()))
        for operation, verdict in zip(operations, verdicts, strict=True):
            operation.verdict = verdict

    async def _settle(self, operations: list[Settle]) -> None:
        for operation, passed in zip(operations, await self._runner.write(settle, operations), strict=True):
            operation.passed = passed


def reserve(conn: sa.Connection, operations: Sequence[Reserve], worker: str, today: str) -> list[Verdict]:
    """Record requests that are about to be sent, as far as the day's limits leave room; first come, first served."""
    forgotten = _forgotten(conn, [operation.request for operation in operations])
    users = {user_id for operation in operations for user_id in ("", operation.request.payer.user_id)}
    balances = _balances(conn, {_Account(today, user_id) for user_id in users})
    verdicts = [_admit(balances, operation, today) for operation in operations]
    _write(conn, balances)
    pairs = zip(operations, verdicts, strict=True)
    admitted = [operation for operation, verdict in pairs if verdict is Verdict.ADMITTED]
    if admitted:
        conn.execute(_RESERVE, [_reservation(operation, worker, today, forgotten) for operation in admitted])
    return verdicts


def settle(conn: sa.Connection, operations: Sequence[Settle]) -> list[tuple[Threshold, ...]]:
    """Replace recorded requests by what they took; return the thresholds that each of them passes."""
    # A missing one was settled when this worker was presumed dead.
    found = {row["id"]: row for row in _released(conn, [operation.id for operation in operations])}
    ended = [(found[operation.id], operation) for operation in operations if operation.id in found]
    passed = _replace(conn, ended)
    return [passed.get(operation.id, ()) for operation in operations]


def _replace(conn: sa.Connection, ended: Sequence[tuple[sa.RowMapping, Settle]]) -> dict[str, tuple[Threshold, ...]]:
    """Count what requests took in place of their reservations; return the thresholds passed, by request."""
    accounts = {_Account(row["day"], user_id) for row, _ in ended for user_id in ("", row["user_id"])}
    balances = _balances(conn, accounts)
    passed = {operation.id: _settle(balances, row, operation) for row, operation in ended}
    _write(conn, balances)
    usage.count(conn, [(row, operation.took, operation.nanodollars) for row, operation in ended])
    return passed


def _forgotten(conn: sa.Connection, requests: Sequence[Metered]) -> set[str]:
    """Of the messages that requests are for, those that are forgotten."""
    found = set()
    for purpose, still_open in _OPEN.items():
        ids = {request.payer.event_id for request in requests if request.purpose is purpose and request.payer.event_id}
        if ids:
            found |= ids - set(conn.scalars(still_open, {"ids": sorted(ids)}))
    return found


def settle_orphans(conn: sa.Connection) -> int:
    """Settle dead workers' reservations at the most that they can have taken; return how many there were."""
    rows = _released(conn, list(conn.scalars(_ORPHANS)))
    _replace(conn, [(row, _at_most(row)) for row in rows])
    return len(rows)


def _at_most(row: sa.RowMapping) -> Settle:
    """A reservation as if all of it had been taken."""
    cost = None if row["unpriced"] else row["nanodollars"]
    return Settle(row["id"], Usage(*(row[name] for name in COUNTS)), cost, Limits())


def spent_on(conn: sa.Connection, day: str, user_id: str) -> Spent:
    """What a mem0 user, or everybody (""), has spent on a day."""
    found = sa.select(spent.c.tokens, spent.c.nanodollars).where(spent.c.day == day, spent.c.user_id == user_id)
    row = conn.execute(found).first()
    return Spent(*row) if row else Spent()


def _released(conn: sa.Connection, ids: list[str]) -> list[sa.RowMapping]:
    return list(conn.execute(_RELEASE, {"ids": ids}).mappings()) if ids else []


def _balances(conn: sa.Connection, accounts: set[_Account]) -> dict[_Account, _Balance]:
    """The balances, their rows locked in a fixed order so that workers can't deadlock."""
    if not accounts:
        return {}
    ordered = sorted(accounts)
    conn.execute(_OPEN_DAY, [account._asdict() for account in ordered])
    wanted = {
        "days": sorted({account.day for account in ordered}),
        "users": sorted({account.user_id for account in ordered}),
    }
    return {
        account: _Balance(Spent(row.tokens, row.nanodollars), Spent(row.reserved_tokens, row.reserved_nanodollars))
        for row in conn.execute(_DAYS, wanted)
        if (account := _Account(row.day, row.user_id)) in accounts
    }


def _write(conn: sa.Connection, balances: dict[_Account, _Balance]) -> None:
    if balances:
        conn.execute(
            _SPEND,
            [
                {
                    **account._asdict(),
                    "tokens": balance.spent.tokens,
                    "nanodollars": balance.spent.nanodollars,
                    "reserved_tokens": balance.reserved.tokens,
                    "reserved_nanodollars": balance.reserved.nanodollars,
                }
                for account, balance in balances.items()
            ],
        )


def _admit(balances: dict[_Account, _Balance], operation: Reserve, day: str) -> Verdict:
    request, limits = operation.request, operation.limits
    everybody, person = balances[_Account(day, "")], balances[_Account(day, request.payer.user_id)]
    pairs = ((everybody, False, Verdict.DAY_SPENT), (person, True, Verdict.PERSON_SPENT))
    for balance, by_person, verdict in pairs:
        if limits.share(balance.spent, person=by_person) >= 1:
            return verdict
    for balance, by_person, _ in pairs:
        if limits.share(balance.spent + balance.reserved, person=by_person) >= 1:
            return Verdict.WAIT
    for balance, *_ in pairs:
        balance.reserved += request.spent
    return Verdict.ADMITTED


def _settle(balances: dict[_Account, _Balance], row: sa.RowMapping, operation: Settle) -> tuple[Threshold, ...]:
    reserved = Spent(sum(row[name] for name in ("input", "cached", "written", "output")), row["nanodollars"])
    took = Spent(operation.took.tokens, operation.nanodollars or 0)
    passed: list[Threshold] = []
    marks = (
        ("", False, Threshold.DAY_NEARLY_SPENT, Threshold.DAY_SPENT),
        (row["user_id"], True, Threshold.PERSON_NEARLY_SPENT, Threshold.PERSON_SPENT),
    )
    for user_id, by_person, nearly, wholly in marks:
        balance = balances[_Account(row["day"], user_id)]
        before = operation.limits.share(balance.spent, person=by_person)
        balance.reserved -= reserved
        balance.spent += took
        after = operation.limits.share(balance.spent, person=by_person)
        passed += [mark for mark, share in ((nearly, NEARLY), (wholly, 1.0)) if before < share <= after]
    return tuple(passed)


def _reservation(operation: Reserve, worker: str, day: str, forgotten: set[str]) -> dict[str, Any]:
    request = operation.request
    attributed = {"workspace": request.payer.workspace, "person_key": request.payer.account}
    return {
        "id": operation.id,
        "worker": worker,
        "day": day,
        **(usage.NOBODY if request.payer.event_id in forgotten else attributed),
        "user_id": request.payer.user_id,
        "model": request.model,
        "purpose": request.purpose,
        "unpriced": request.nanodollars is None,
        **usage.counts(request.usage),
        "nanodollars": request.nanodollars or 0,
    }
