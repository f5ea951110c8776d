"""The operator's table of what was used."""

import json
from dataclasses import replace
from datetime import date

from bot.core.usage_report import Period, as_objects, table
from bot.usage import Usage, UsageRow

MONTH = Period(date(2026, 11, 28), 30, 90)
ANN = "slack:T0123456789:U0123456789"
ROWS = [
    UsageRow("", 2, 0, Usage(1200, 0, 0, 30), 2_700_000),
    UsageRow("discord:1", 1043, 0, Usage(512_000, 4_100_000, 96_000, 48_100), 2_565_000_000),
    UsageRow(ANN, 3, 0, Usage(900, 8000, 0, 210), 5_500_000),
]


def test_a_table() -> None:
    """Right-aligned numbers with separators, what cost most first, the erased by that name, and a total."""
    assert table(ROWS, "person", MONTH).splitlines() == [
        "Usage from 2026-10-30 to 2026-11-28 (UTC), by person",
        "",
        "person                         requests    input     cached  written  output  dollars",
        "-------------------------------------------------------------------------------------",
        "discord:1                         1,043  512,000  4,100,000   96,000  48,100   2.5650",
        "slack:T0123456789:U0123456789         3      900      8,000        0     210   0.0055",
        "(erased)                              2    1,200          0        0      30   0.0027",
        "-------------------------------------------------------------------------------------",
        "total                             1,048  514,100  4,108,000   96,000  48,340   2.5732",
    ]


def test_days_stay_in_order() -> None:
    """However much each cost."""
    rows = [UsageRow(f"2026-11-{day}", 1, 0, Usage(day), 10**9 * day) for day in (20, 28, 27)]
    lines = table(rows, "day", MONTH).splitlines()
    assert [line.split()[0] for line in lines[4:7]] == ["2026-11-20", "2026-11-28", "2026-11-27"]


def test_what_has_no_price_counts_tokens_and_no_dollars() -> None:
    """It is marked, a row of nothing else has no dollars at all, and a note says how much is left out."""
    rows = [UsageRow("local-model", 4, 4, Usage(70), 0), UsageRow("claude", 6, 0, Usage(50), 10_000_000)]
    lines = table([*rows, UsageRow("mixed", 3, 1, Usage(60), 5_000_000)], "model", MONTH).splitlines()
    assert lines[2:] == [
        "model        requests  input  cached  written  output  dollars",
        "---------------------------------------------------------------",
        "claude              6     50       0        0       0   0.0100",
        "mixed               3     60       0        0       0   0.0050*",
        "local-model         4     70       0        0       0        -*",
        "---------------------------------------------------------------",
        "total              13    180       0        0       0   0.0150*",
        "",
        "* The dollars leave out 5 of 13 requests: their models have no price (BOT_PRICES sets one).",
    ]


def test_searches_have_a_column_where_there_are_any() -> None:
    """And none where the tool is off."""
    assert "searches" not in table(ROWS, "person", MONTH)
    lines = table([*ROWS, UsageRow("discord:2", 1, 0, Usage(1, searches=12), 1)], "person", MONTH).splitlines()
    assert lines[2].split()[-2:] == ["searches", "dollars"]
    assert lines[-1].split()[-2:] == ["12", "2.5732"]


def test_a_year_of_a_large_bot_fits_100_columns() -> None:
    """Tokens are then in thousands and dollars in cents; accounts stay whole, and what isn't zero isn't shown as it."""
    much = UsageRow(ANN, 80_000, 0, Usage(982_560_000, 7_064_800_000, 736_560_000, 53_440_000, 31_000), 10**13)
    little = UsageRow("terminal:ann", 1, 0, Usage(400, 0, 0, 9), 10_000_000)
    text = table([much, little], "person", MONTH)
    lines = text.splitlines()
    assert lines[0].endswith(", tokens in thousands")
    assert max(map(len, lines)) <= 100
    assert lines[4].split() == [ANN, "80,000", "982,560", "7,064,800", "736,560", "53,440", "31,000", "10,000.00"]
    assert lines[5].split() == ["terminal:ann", "1", "<1", "0", "0", "<1", "0", "0.01"]
    lines = table([replace(much, usage=much.usage * 100), little], "person", MONTH).splitlines()
    assert lines[0].endswith(", tokens in millions")
    assert max(map(len, lines)) <= 100
    assert lines[4].split()[:3] == [ANN, "80,000", "98,256"]


def test_a_narrow_terminal() -> None:
    """Tokens in thousands leave room; not in millions, of which there are too few to tell anything."""
    little = [UsageRow(f"discord:{number}", 1, 0, Usage(600_000, 600_000), 10_000_000) for number in range(4)]
    for width, unit in ((80, "by person"), (60, "tokens in thousands"), (30, "tokens in thousands")):
        lines = table(little, "person", MONTH, width).splitlines()
        assert lines[0].endswith(unit)
        assert max(map(len, lines[2:])) <= max(width, 60)


def test_a_period_that_is_longer_than_counts_are_kept() -> None:
    """A note says so: a year's sum would seem to be one."""
    note = "Counts are kept for 90 days (BOT_USAGE_DAYS)."
    assert note not in table(ROWS, "person", MONTH)
    assert table(ROWS, "person", Period(MONTH.today, 91, 90)).endswith(f"\n\n{note}")


def test_a_long_name_is_shortened_in_its_middle() -> None:
    """Models of other services have names that fill a line; nothing in a name is obeyed by the terminal."""
    name = "accounts/fireworks/models/deepseek-r1-distill-llama-70b-\x1b[31minstruct-2026-10-01"
    used = Usage(982_560_000, 7_064_800_000, 736_560_000, 53_440_000)
    text = table([UsageRow(name, 80_000, 0, used, 10**13)], "model", MONTH)
    assert "accounts/firewor" in text
    assert "uct-2026-10-01" in text
    assert max(map(len, text.splitlines())) <= 100
    assert text.endswith("\nA model too long for its column is shortened; --json prints it whole.")
    assert "\x1b" not in text


def test_nothing_used_is_one_line() -> None:
    """It says of which days, and that older counts are gone where they were asked for too."""
    assert table([], "day", MONTH) == "Nothing was used from 2026-10-30 to 2026-11-28 (UTC)."
    assert table([], "day", Period(MONTH.today, 1, 90)) == "Nothing was used on 2026-11-28 (UTC)."
    assert table([], "day", Period(MONTH.today, 365, 90)) == (
        "Nothing was used from 2025-11-29 to 2026-11-28 (UTC). Counts are kept for 90 days (BOT_USAGE_DAYS)."
    )


def test_objects() -> None:
    """Plain names, dollars as numbers, and null for what can't be ascribed any more."""
    first, *others = json.loads(as_objects(ROWS, "person"))
    counts = {"requests": 2, "unpriced": 0, "input": 1200, "cached": 0, "written": 0, "output": 30, "searches": 0}
    assert first == {"person": None, **counts, "dollars": 0.0027}
    assert [row["person"] for row in others] == ["discord:1", ANN]
    assert json.loads(as_objects([], "day")) == []
