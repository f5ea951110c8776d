"""Usage of models, summed up per day, workspace, account, model and purpose: ids and numbers, no text."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from bot.journal.columns import when
from bot.journal.tables import reservations, spent, usage
from bot.usage import Usage, UsageRow

COUNTS = ("input", "cached", "written", "output", "searches")
_SUMS = ("requests", "unpriced", *COUNTS, "nanodollars")
#: The columns of what can no longer be attributed.
NOBODY = {"workspace": "", "person_key": ""}
_KEY = ("day", "workspace", "person_key", "model", "purpose")

_COUNT = sa.text(
    f"INSERT INTO usage ({', '.join((*_KEY, *_SUMS))}) VALUES ({', '.join(f':{name}' for name in (*_KEY, *_SUMS))})"
    f" ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET "
    + ", ".join(f"{name} = usage.{name} + excluded.{name}" for name in _SUMS)
)
#: The balances that every change of counts goes by.
_EVERYBODYS = sa.select(spent.c.day).where(spent.c.user_id == "").order_by(spent.c.day).with_for_update()
#: What a report can be broken down by, and the column of each.
COLUMNS = {
    "day": usage.c.day,
    "workspace": usage.c.workspace,
    "model": usage.c.model,
    "person": usage.c.person_key,
    "purpose": usage.c.purpose,
}


def locked(which: sa.ColumnElement[bool]) -> sa.Select[tuple[str]]:
    """The ids of reservations, to be changed, locked in a fixed order so that transactions can't deadlock."""
    return sa.select(reservations.c.id).where(which).order_by(reservations.c.id).with_for_update()


def day_of(now: float) -> str:
    """The day (UTC) of a time in seconds since 1970."""
    return when(now).date().isoformat()


def count(conn: sa.Connection, ended: Sequence[tuple[sa.RowMapping, Usage, int | None]]) -> None:
    """Add requests that have ended: each one's row in `reservations`, what it took, and what that costs."""
    rows = [
        {
            **{name: row[name] for name in _KEY},
            "requests": 1,
            "unpriced": nanodollars is None,
            **counts(took),
            "nanodollars": nanodollars or 0,
        }
        # A request that took nothing was refused before it was billed.
        for row, took, nanodollars in ended
        if took != Usage()
    ]
    if rows:
        conn.execute(_COUNT, _summed(rows))


def _summed(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each key, in a fixed order so that workers can't deadlock."""
    sums: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        found = sums.setdefault(tuple(row[name] for name in _KEY), {**row, **dict.fromkeys(_SUMS, 0)})
        for name in _SUMS:
            found[name] += int(row[name])
    return [sums[key] for key in sorted(sums)]


def counts(taken: Usage) -> dict[str, int]:
    """The tokens of each kind, and the searches, by column."""
    return {name: getattr(taken, name) for name in COUNTS}


def _report_row(row: sa.RowMapping) -> UsageRow:
    counts = {name: int(row[name]) for name in _SUMS}
    taken = Usage(*(counts[name] for name in COUNTS))
    return UsageRow(row["key"], counts["requests"], counts["unpriced"], taken, counts["nanodollars"])


def report(conn: sa.Connection, since: str, by: str) -> list[UsageRow]:
    """What was used from that day on, broken down by one of `COLUMNS`."""
    sums = [sa.func.sum(usage.c[name]).label(name) for name in _SUMS]
    column = COLUMNS[by]
    grouped = sa.select(column.label("key"), *sums).where(usage.c.day >= since).group_by(column).order_by(column)
    return [_report_row(row) for row in conn.execute(grouped).mappings()]


def export(conn: sa.Connection, person_keys: Sequence[str]) -> list[dict[str, Any]]:
    """The usage of a person's accounts, ready for JSON, dollars included."""
    theirs = sa.select(usage).where(usage.c.person_key.in_(list(person_keys))).order_by(*(usage.c[k] for k in _KEY))
    return [
        {
            "day": row["day"],
            "workspace": row["workspace"],
            "account": row["person_key"],
            "model": row["model"],
            "purpose": row["purpose"],
            "requests": row["requests"],
            **{name: row[name] for name in COUNTS},
            "dollars": row["nanodollars"] / 1e9,
        }
        for row in conn.execute(theirs).mappings()
    ]


def anonymise(conn: sa.Connection, which: Callable[[sa.Table], sa.ColumnElement[bool]]) -> None:
    """Remove workspace and account from what is counted. The sums stay, as the bill does.

    `which` selects rows of `usage` and of `reservations`.
    """
    # First: on PostgreSQL this waits for requests that are being settled, which are then found below.
    theirs = locked(which(reservations))
    conn.execute(sa.update(reservations).where(reservations.c.id.in_(theirs)).values(**NOBODY))
    # Then, as in the ledger, the balances: whoever holds them changes counts alone.
    conn.execute(_EVERYBODYS)
    rows = [dict(row) for row in conn.execute(sa.delete(usage).where(which(usage)).returning(usage)).mappings()]
    if rows:
        conn.execute(_COUNT, _summed([{**row, **NOBODY} for row in rows]))


def prune(conn: sa.Connection, since: float, now: float) -> int:
    """Delete what was counted before `since`, and the balances of past days; return how many rows."""
    in_flight = sa.select(reservations.c.day)
    old = sa.delete(usage).where(usage.c.day < day_of(since))
    over = sa.delete(spent).where(spent.c.day < day_of(now), spent.c.day.not_in(in_flight))
    return conn.execute(old).rowcount + conn.execute(over).rowcount
