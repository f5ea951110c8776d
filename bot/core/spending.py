"""Daily spending limits: each request is reserved before it is sent, and settled once it has ended."""

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from bot.aio.tasks import TaskSet
from bot.core.retries import retry_until_journal_is_back
from bot.ports import JournalUnavailable, Ledger, LimitReached, Threshold, Verdict
from bot.prices import Prices, dollars
from bot.usage import Limits, Metered, Payer, Purpose, Usage

log = logging.getLogger(__name__)

#: Seconds after which a request that waits for those in flight looks again: they may be another process's.
LOOK_AGAIN = 1.0
#: Longest wait in seconds, longer than any request takes; after it the limit counts as reached.
LONGEST_WAIT = 330.0
#: Seconds after which it is recorded what a request took. What ends meanwhile shares the transaction: each is one more
#: that answers wait behind.
TOGETHER = 0.05
#: Seconds that shutdown waits for what is still to be recorded.
GRACE = 3.0

_PERSON = {Verdict.DAY_SPENT: False, Verdict.PERSON_SPENT: True}


class LimitedSpending:
    """`bot.ports.Spending`. Created on the ledger's event loop; charges on any."""

    def __init__(
        self, ledger: Ledger, prices: Prices, limits: Limits, *, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` must be the ledger's: seconds since 1970."""
        self._ledger = ledger
        self._prices = prices
        self._limits = limits
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._settling: TaskSet[None] = TaskSet()
        #: Set when the next request is settled.
        self._settled = asyncio.Event()
        #: Whose limit is reached ("" is everybody's), and on which day. A day's spending never shrinks.
        self._reached: dict[str, date] = {}

    def check(self, user_id: str) -> None:
        """Raise LimitReached if it is already known that a person can't be served today. Doesn't ask the ledger."""
        for who in ("", user_id):
            if who in self._reached and self._reached[who] == self._now().date():
                raise LimitReached(person=bool(who), seconds=self._until_midnight())

    async def charge(self, payer: Payer, purpose: Purpose, model: str, max_usage: Usage) -> "Charge":
        """Reserve what a request may take at most. Raises LimitReached, or JournalUnavailable."""
        if asyncio.get_running_loop() is not self._loop:
            work = asyncio.run_coroutine_threadsafe(self._charge(payer, purpose, model, max_usage), self._loop)
            return await asyncio.wrap_future(work)
        return await self._charge(payer, purpose, model, max_usage)

    async def _charge(self, payer: Payer, purpose: Purpose, model: str, max_usage: Usage) -> "Charge":
        request_id = secrets.token_hex(8)
        request = Metered(payer, purpose, model, max_usage, self._prices.cost(model, max_usage))
        deadline = self._loop.time() + LONGEST_WAIT
        while True:
            self.check(payer.user_id)
            # Read before the verdict, which may arrive after midnight.
            today, settled = self._now().date(), self._settled
            verdict = await self._reserve(request_id, request)
            if verdict is Verdict.ADMITTED:
                return Charge(self, request_id, request)
            if verdict in _PERSON:
                self._close(payer.user_id if _PERSON[verdict] else "", today)
            elif self._loop.time() >= deadline:
                raise LimitReached(person=False, seconds=self._until_midnight())
            else:
                await _wait(settled)

    async def _reserve(self, request_id: str, request: Metered) -> Verdict:
        recorded = asyncio.ensure_future(self._ledger.reserve(request_id, request, self._limits))
        try:
            return await asyncio.shield(recorded)
        except asyncio.CancelledError:  # it may yet be recorded, but won't be sent
            recorded.add_done_callback(lambda _: self._settle_soon(request_id, request, Usage()))
            raise

    def _close(self, who: str, today: date) -> None:
        self._reached = {key: day for key, day in self._reached.items() if day == today}
        self._reached[who] = today

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _until_midnight(self) -> float:
        now = self._now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return (midnight - now).total_seconds()

    def cost(self, model: str, usage: Usage) -> int | None:
        """What a request cost, in billionths of a dollar; None if the model's price isn't known."""
        return self._prices.cost(model, usage)

    def settle(self, request_id: str, request: Metered, took: Usage) -> None:
        """Record what a request took, in the background; from any thread."""
        self._loop.call_soon_threadsafe(self._settle_soon, request_id, request, took)

    def _settle_soon(self, request_id: str, request: Metered, took: Usage) -> None:
        self._settling.spawn(self._settle(request_id, request, took), name="settling")

    async def _settle(self, request_id: str, request: Metered, took: Usage) -> None:
        cost = self._prices.cost(request.model, took)
        await asyncio.sleep(TOGETHER)
        try:
            # Retried for as long as this process lives: what stays reserved leaves others no room until then.
            passed = await retry_until_journal_is_back(
                lambda: self._ledger.settle(request_id, took, cost, self._limits), patience=math.inf
            )
        finally:
            settled, self._settled = self._settled, asyncio.Event()
            settled.set()
        for threshold in passed:
            await self._warn(threshold, request.payer)

    async def _warn(self, threshold: Threshold, payer: Payer) -> None:
        person = threshold in (Threshold.PERSON_NEARLY_SPENT, Threshold.PERSON_SPENT)
        whose = f"{payer.user_id}: " if person else ""
        try:
            spent = await self._ledger.spent_today(payer.user_id if person else None)
        except JournalUnavailable:
            log.warning("%s%s", whose, threshold.value)
        else:
            log.warning("%s%s: %s, %s tokens", whose, threshold.value, dollars(spent.nanodollars), f"{spent.tokens:,}")

    async def close(self) -> None:
        """Wait for what is still to be recorded."""
        await asyncio.sleep(0)  # lets what has just ended schedule its record
        await self._settling.finish(GRACE)


async def _wait(settled: asyncio.Event) -> None:
    """Wait until a request has been settled here, or may have been elsewhere."""
    try:
        async with asyncio.timeout(LOOK_AGAIN):
            await settled.wait()
    except TimeoutError:
        return


class Charge:
    """`bot.ports.Charge`: one admitted request. `usage` is replaced as it becomes known."""

    def __init__(self, spending: LimitedSpending, request_id: str, request: Metered) -> None:
        self.usage = request.usage
        self._spending = spending
        self._id = request_id
        self._request = request

    @property
    def nanodollars(self) -> int | None:
        """What `usage` costs; None if the model's price isn't known."""
        return self._spending.cost(self._request.model, self.usage)

    async def __aenter__(self) -> "Charge":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._spending.settle(self._id, self._request, self.usage)


class FreeCharge:
    """`bot.ports.Charge` for notebook mode, whose requests cost nothing."""

    nanodollars: int | None = 0

    def __init__(self) -> None:
        self.usage = Usage()

    async def __aenter__(self) -> "FreeCharge":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing was reserved."""
