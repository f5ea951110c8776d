"""`python -m bot usage`: what requests to models took and cost, for the operator, as a table or as JSON."""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from bot.ports import JournalUnavailable, Ledger
from bot.text.clean import printable
from bot.usage import Usage, UsageRow

#: What a report can be broken down by.
BREAKDOWNS = ("day", "workspace", "model", "person", "purpose")
#: Exit code if the ledger can't be read.
FAILED = 1
#: Columns of a table if the terminal's width isn't known.
WIDTH = 100
#: Keys up to this length are never shortened: part of a Slack or Discord id is no use.
SHORTEST_KEY = 30
#: From this total in dollars on, fractions of a cent are left out.
WHOLE_CENTS = 1000
#: What can no longer be attributed: the person or the workspace was erased.
ERASED = "(erased)"
#: Units of tokens: the first that leaves room for the keys is used, if the total is at least ENOUGH of it.
UNITS = ((1, ""), (1_000, ", tokens in thousands"), (1_000_000, ", tokens in millions"))
ENOUGH = 1000
GAP = "  "


@dataclass(frozen=True, slots=True)
class Period:
    """The days of a report, up to today (UTC), and for how many days counts are kept."""

    today: date
    days: int
    kept: float

    @property
    def since(self) -> date:
        """The first day."""
        return self.today - timedelta(days=self.days - 1)

    def __str__(self) -> str:
        return f"from {self.since} to {self.today}" if self.days > 1 else f"on {self.today}"

    @property
    def note(self) -> str:
        """A remark if counts are kept for fewer days than these; else empty."""
        return f"Counts are kept for {self.kept:g} days (BOT_USAGE_DAYS)." if self.days > self.kept else ""


async def print_usage(ledger: Ledger, period: Period, by: str, *, as_json: bool) -> int:
    """Print what was used, broken down by one of `BREAKDOWNS`; return the exit code.

    Raises BrokenPipeError if nobody reads it to the end.
    """
    try:
        rows = await ledger.report(period.since, by)
    except JournalUnavailable as exc:
        print(f"error: the database fails: {exc}", file=sys.stderr)  # noqa: T201 - the command's answer
        return FAILED
    width = shutil.get_terminal_size((WIDTH, 0)).columns
    text = as_objects(rows, by) if as_json else table(rows, by, period, width)
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), flush=True)  # noqa: T201 - what was asked for
    return 0


def as_objects(rows: Sequence[UsageRow], by: str) -> str:
    """The report as a JSON list of objects; the key of what can no longer be attributed is null."""
    return json.dumps([_object(row, by) for row in rows], ensure_ascii=False, indent=2)


def _object(row: UsageRow, by: str) -> dict[str, Any]:
    return {
        by: row.key or None,
        "requests": row.requests,
        "unpriced": row.unpriced,
        "input": row.usage.input,
        "cached": row.usage.cached,
        "written": row.usage.written,
        "output": row.usage.output,
        "searches": row.usage.searches,
        "dollars": row.nanodollars / 1e9,
    }


def table(rows: Sequence[UsageRow], by: str, period: Period, width: int = WIDTH) -> str:
    """The report as a table with a line for the total: days in order, anything else by cost, highest first.

    If it would be wider than `width`, tokens are counted in a larger unit and long keys are shortened.
    """
    if not rows:
        return " ".join(filter(None, (f"Nothing was used {period} (UTC).", period.note)))
    if by != "day":
        rows = sorted(rows, key=lambda row: (-row.nanodollars, -row.usage.tokens, row.key))
    total = total_of(rows)
    keys, notes = [printable(row.key) or ERASED for row in rows], []
    longest = max(map(len, (by, total.key, *keys)))
    for unit, in_units in _units(total):
        heading = f"Usage {period} (UTC), by {by}{in_units}"
        numbers = [_numbers(row, total, unit) for row in (*rows, total)]
        room = width - _width_of(numbers)
        if min(longest, SHORTEST_KEY) <= room:
            break
    room = max(room, SHORTEST_KEY)
    if longest > room:
        keys = [_shortened(key, room) for key in keys]
        notes.append(f"A {by} too long for its column is shortened; --json prints it whole.")
    if period.note:
        notes.append(period.note)
    if total.unpriced:
        missing = f"{total.unpriced:,} of {total.requests:,} requests"
        notes.append(f"* The dollars leave out {missing}: their models have no price (BOT_PRICES sets one).")
    columns = [_column(by, keys, total.key), *_right(numbers)]
    head, *body, last = [GAP.join(cells).rstrip() for cells in zip(*columns, strict=True)]
    rule = "-" * max(map(len, (head, *body, last)))
    lines = [heading, "", head, rule, *body, rule, last]
    return "\n".join([*lines, "", *notes] if notes else lines)


def total_of(rows: Sequence[UsageRow]) -> UsageRow:
    """The sum of a report."""
    return UsageRow(
        "total",
        sum(row.requests for row in rows),
        sum(row.unpriced for row in rows),
        sum((row.usage for row in rows), Usage()),
        sum(row.nanodollars for row in rows),
    )


def money(dollars: float) -> str:
    """An amount in a sentence: in cents, or finer if it is too small for cents to show it."""
    fine = dollars < 1 and round(dollars, 4) != round(dollars, 2)
    return f"${dollars:,.4f}" if fine else f"${dollars:,.2f}"


def _numbers(row: UsageRow, total: UsageRow, unit: int) -> dict[str, str]:
    """A row's cells by column; `total` decides which columns there are and how fine they are."""
    used = row.usage
    cells = {
        "requests": f"{row.requests:,}",
        "input": _tokens(used.input, unit),
        "cached": _tokens(used.cached, unit),
        "written": _tokens(used.written, unit),
        "output": _tokens(used.output, unit),
    }
    if total.usage.searches:
        cells["searches"] = f"{used.searches:,}"
    digits = 2 if total.nanodollars >= WHOLE_CENTS * 1e9 else 4
    dollars = "-" if row.unpriced == row.requests else f"{row.nanodollars / 1e9:,.{digits}f}"
    mark = ("*" if row.unpriced else " ") if total.unpriced else ""
    return {**cells, "dollars": dollars + mark}


def _units(total: UsageRow) -> list[tuple[int, str]]:
    return [(unit, named) for unit, named in UNITS if unit == 1 or unit * ENOUGH <= total.usage.tokens]


def _tokens(count: int, unit: int) -> str:
    return "<1" if 0 < 2 * count < unit else f"{count / unit:,.0f}"


def _width_of(numbers: Sequence[dict[str, str]]) -> int:
    """The width of all columns but the first, gaps included."""
    return sum(max(len(name), *(len(cells[name]) for cells in numbers)) + len(GAP) for name in numbers[0])


def _column(by: str, keys: Sequence[str], total: str) -> list[str]:
    width = max(map(len, (by, total, *keys)))
    return [cell.ljust(width) for cell in (by, *keys, total)]


def _right(numbers: Sequence[dict[str, str]]) -> list[list[str]]:
    """The columns of numbers with their headings, right-aligned."""
    columns = []
    for name in numbers[0]:
        cells = [cells[name] for cells in numbers]
        # A heading ends where the numbers do, not above their mark.
        heading = f"{name} " if cells[-1].endswith("*") else name
        width = max(map(len, (heading, *cells)))
        columns.append([cell.rjust(width) for cell in (heading, *cells)])
    return columns


def _shortened(key: str, room: int) -> str:
    """A key without its middle: most differ at the start or the end."""
    if len(key) <= room:
        return key
    head = (room - 3) // 2
    return f"{key[:head]}...{key[len(key) - (room - 3 - head) :]}"
