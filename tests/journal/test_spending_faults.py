"""Spending while something goes wrong: clocks, databases, cancellations, and people who leave meanwhile."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, cast

import pytest

from bot.core.spending import LimitedSpending
from bot.journal.journal import SqlJournal
from bot.ports import JournalUnavailable, Ledger, LimitReached, Threshold, Verdict
from bot.prices import Prices
from bot.usage import Limits, Metered, Payer, Purpose, Spent, Usage, UsageRow
from tests.journal.conftest import Clock
from tests.makers import ANN, MONDAY, until

MODEL = "claude-sonnet-5-5"
PAYER = Payer(ANN.key, ANN.key, "slack:T1")


async def test_a_clock_that_was_ahead_keeps_nobody_out(journal: SqlJournal, clock: Clock) -> None:
    """A limit that is reached while the clock is a year ahead says nothing about today, once it is set back."""
    spending = LimitedSpending(journal.ledger, Prices(), Limits(tokens=10), clock=clock)
    clock.now += timedelta(days=365).total_seconds()
    async with await spending.charge(PAYER, Purpose.ANSWER, MODEL, Usage(output=10)):
        pass
    await spending.close()
    with pytest.raises(LimitReached):
        await spending.charge(PAYER, Purpose.ANSWER, MODEL, Usage(output=10))
    clock.now -= timedelta(days=365).total_seconds()
    spending.check(ANN.key)
    async with await spending.charge(PAYER, Purpose.ANSWER, MODEL, Usage(output=10)):
        pass
    await spending.close()


async def test_a_request_given_up_while_it_is_reserved_leaves_nothing(journal: SqlJournal, clock: Clock) -> None:
    """Who is cancelled before the journal has answered hasn't sent anything: no room stays taken."""
    spending = LimitedSpending(journal.ledger, Prices(), Limits(tokens=10), clock=clock)
    for rounds in range(4):
        charging = asyncio.create_task(spending.charge(PAYER, Purpose.ANSWER, MODEL, Usage(output=10)))
        for _ in range(rounds):
            await asyncio.sleep(0)
        charging.cancel()
        await asyncio.gather(charging, return_exceptions=True)
    await asyncio.sleep(0.1)
    async with asyncio.timeout(3):
        async with await spending.charge(PAYER, Purpose.ANSWER, MODEL, Usage(output=10)) as charge:
            charge.usage = Usage(output=1)
    await spending.close()
    assert await journal.ledger.spent_today() == Spent(1, 10_000)


class Midnight:
    """A ledger whose answers come after midnight, for which `clock` is set forward meanwhile."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def reserve(self, request_id: str, request: Metered, limits: Limits) -> Verdict:
        verdict = await self._ledger.reserve(request_id, request, limits)
        self._clock.now = (MONDAY.replace(hour=0) + timedelta(days=1)).timestamp()
        return verdict

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


async def test_midnight_while_a_request_is_reserved(journal: SqlJournal, clock: Clock) -> None:
    """That yesterday's limit is reached says nothing about today, even where it is learned today."""
    limits = Limits(tokens=10)
    ledger = cast(Ledger, Midnight(journal.ledger, clock))
    spending = LimitedSpending(ledger, Prices(), limits, clock=clock)
    await journal.ledger.reserve("r", Metered(PAYER, Purpose.ANSWER, MODEL, Usage(output=10), 0), limits)
    await journal.ledger.settle("r", Usage(output=10), 0, limits)
    async with await spending.charge(PAYER, Purpose.ANSWER, MODEL, Usage(output=10)) as charge:
        charge.usage = Usage(output=1)
    await spending.close()
    assert await journal.ledger.spent_today() == Spent(1, 10_000)


class Away:
    """A ledger that can't be written until `back` is set."""

    def __init__(self) -> None:
        self.back = False
        self.settled: list[str] = []

    async def reserve(self, request_id: str, request: Metered, limits: Limits) -> Verdict:
        return Verdict.ADMITTED

    async def settle(
        self, request_id: str, usage: Usage, nanodollars: int | None, limits: Limits
    ) -> Sequence[Threshold]:
        if not self.back:
            raise JournalUnavailable("disk full")
        self.settled.append(request_id)
        return ()

    async def spent_today(self, user_id: str | None = None) -> Spent:
        return Spent()

    async def report(self, since: date, by: str) -> list[UsageRow]:
        return []


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock can be set forward."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


def test_a_request_is_settled_however_long_the_journal_is_away() -> None:
    """A minute of a full disk leaves nothing reserved: that would take room from everybody until the next start."""

    async def away() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LeapingLoop)
        ledger = Away()
        spending = LimitedSpending(ledger, Prices(), Limits())
        async with await spending.charge(PAYER, Purpose.ANSWER, MODEL, Usage(output=10)):
            pass
        for _ in range(60):
            await asyncio.sleep(0)
            loop.ahead += 1
        ledger.back = True
        loop.ahead += 1
        await until(lambda: bool(ledger.settled), 5)
        await spending.close()

    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        runner.run(away())
