"""The operator's `usage`, and what the doctor says was spent, as processes of their own."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.config import Settings
from bot.journal.journal import SqlJournal
from bot.journal.opening import open_journal
from bot.usage import Limits, Metered, Payer, Purpose, Usage
from tests.whole.process import BotProcess

TOOK = Usage(input=1200, cached=8000, output=150)
NANODOLLARS = 5_500_000


@pytest.fixture(params=["sqlite", "postgres"])
def env(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings that name the database, of each kind."""
    return {"DATABASE_URL": request.getfixturevalue("postgres_url")} if request.param == "postgres" else {}


@asynccontextmanager
async def ledger(folder: Path, env: dict[str, str], *, days_ago: int = 0) -> AsyncIterator[SqlJournal]:
    """The journal as a running bot has it open, so many days ago."""
    url = SecretStr(env["DATABASE_URL"]) if env else None
    settings = Settings(_env_file=None, bot_data_dir=folder / "data", database_url=url)  # type: ignore[call-arg]
    then = (datetime.now(UTC) - timedelta(days=days_ago)).timestamp()
    journal = await open_journal(settings, lambda: then)
    try:
        yield journal
    finally:
        await journal.close()


async def request(journal: SqlJournal, user: str, model: str = "claude-sonnet-5-5", *, priced: bool = True) -> None:
    """One request that has been answered."""
    key, cost = f"slack:T1:{user}", NANODOLLARS if priced else None
    request = Metered(Payer(key, key, "slack:T1"), Purpose.ANSWER, model, TOOK, cost)
    await journal.ledger.reserve(user + model, request, Limits())
    await journal.ledger.settle(user + model, TOOK, cost, Limits())


async def run(folder: Path, env: dict[str, str], *arguments: str) -> tuple[int, list[str], list[str]]:
    """One command: its exit code, and its lines on standard output and error."""
    bot = BotProcess(folder, env, arguments)
    await bot.start()
    return await bot.wait(60), bot.out, bot.log


async def test_what_was_used_beside_a_running_bot(tmp_path: Path, env: dict[str, str]) -> None:
    """By day unless told otherwise; by whom, as JSON; and the erased are no longer named."""
    async with ledger(tmp_path, env, days_ago=40) as journal:
        await request(journal, "UOLD")
    async with ledger(tmp_path, env) as journal:
        for user in ("UANN", "UBOB"):
            await request(journal, user)
        await request(journal, "UBOB", "local", priced=False)
        today = datetime.now(UTC).date()
        code, out, log = await run(tmp_path, env, "usage")
        assert (code, log) == (0, [])
        assert out == [
            f"Usage from {today - timedelta(days=29)} to {today} (UTC), by day",
            "",
            "day         requests  input  cached  written  output  dollars",
            "--------------------------------------------------------------",
            f"{today}         3  3,600  24,000        0     450   0.0110*",
            "--------------------------------------------------------------",
            "total              3  3,600  24,000        0     450   0.0110*",
            "",
            "* The dollars leave out 1 of 3 requests: their models have no price (BOT_PRICES sets one).",
        ]
        await journal.texts.forget_person("slack:T1:UBOB", ["slack:T1:UBOB"])
        code, out, log = await run(tmp_path, env, "usage", "--by", "person", "--days", "90", "--json")
        assert (code, log) == (0, [])
        rows: dict[str | None, dict[str, Any]] = {row.pop("person"): row for row in json.loads("\n".join(out))}
        assert [*rows] == [None, "slack:T1:UANN", "slack:T1:UOLD"]
        assert (rows[None]["requests"], rows[None]["unpriced"], rows[None]["dollars"]) == (2, 1, 0.0055)
        counts = {"requests": 1, "unpriced": 0, "input": 1200, "cached": 8000, "written": 0, "output": 150}
        assert rows["slack:T1:UANN"] == {**counts, "searches": 0, "dollars": 0.0055}
        code, out, log = await run(tmp_path, {**env, "BOT_BUDGET_USD_PER_DAY": "5"}, "doctor")
        assert (
            "✓ spent today (UTC): $0.0110 of $5.00, 28,050 tokens; 1 of 3 requests are not in the dollars (BOT_PRICES)"
            in out
        )


async def test_nothing_used(tmp_path: Path, env: dict[str, str]) -> None:
    """One line says so; as JSON, an empty list."""
    today = datetime.now(UTC).date()
    assert await run(tmp_path, env, "usage", "--days", "1") == (0, [f"Nothing was used on {today} (UTC)."], [])
    assert await run(tmp_path, env, "usage", "--json") == (0, ["[]"], [])


@pytest.mark.parametrize("arguments", [("--days", "0"), ("--days", "many"), ("--days", "9999999"), ("--by", "mood")])
async def test_a_wrong_option(tmp_path: Path, arguments: tuple[str, str]) -> None:
    """It is named with what it may be, and nothing is opened or made."""
    code, out, log = await run(tmp_path, {}, "usage", *arguments)
    assert (code, out) == (2, [])
    assert f"argument {arguments[0]}: " in log[-1]
    assert not (tmp_path / "data").exists()


async def test_a_report_that_nobody_reads_to_its_end(tmp_path: Path) -> None:
    """`usage | head` ends as any command in a pipe does: without a word, and without a traceback."""
    bot = BotProcess(tmp_path, {}, ("usage",))
    reading, writing = os.pipe()
    os.close(reading)
    await bot.start(stdout=writing)
    os.close(writing)
    assert await bot.wait(60) == 141
    assert bot.log == []
