"""Learns in the background: each person's exchanges in order, off the path of any message.

A person's exchanges in one scope are learned together once that person has been quiet for 3 s, at the latest 10 s
after the first of them. They stay in the journal until they are learned, so a crash delays learning but loses nothing.
"""

import asyncio
import logging
import random
import weakref
from collections.abc import Callable, Sequence

from bot.aio.backoff import Backoff
from bot.aio.tasks import TaskSet
from bot.events import Learned
from bot.logs import describe
from bot.model import Exchange
from bot.ports import JournalUnavailable, LearningFailed, MemoryStore, MemoryUnavailable, Notify, Outbox

log = logging.getLogger(__name__)

#: How many of a failed lesson's messages the log names.
NAMED = 5

QUIET = 3.0
LATEST = 10.0
RETRY = Backoff(first=5.0, longest=600.0)
#: Attempts (over some eight hours) after which an exchange is set aside for the operator, unless it failed because of
#: an outage.
ATTEMPTS = 50
#: The same for unexpected errors, which retries rarely fix.
UNEXPECTED = 5
#: Concurrent extractions, over all people: they wait for the network, not for a processor.
CONCURRENCY = 64


class Learner:
    """Learns what waits in the journal. All methods are called on one event loop."""

    def __init__(
        self,
        outbox: Outbox,
        memory: MemoryStore,
        notify: Notify | None = None,
        *,
        quiet: float = QUIET,
        latest: float = LATEST,
        jitter: Callable[[], float] = random.random,
        taught: Callable[[Sequence[Exchange]], None] | None = None,
    ) -> None:
        """`taught` is called with the exchanges that have taught something new."""
        self._outbox = outbox
        self._memory = memory
        self._notify = notify
        self._quiet = quiet
        self._latest = latest
        self._jitter = jitter
        self._taught = taught
        self._first: dict[tuple[str, str], float] = {}
        self._timers: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self._failures: dict[tuple[str, str], int] = {}
        self._tasks: TaskSet[None] = TaskSet()
        self._persons: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._stopping = False

    async def resume(self) -> None:
        """Schedule what earlier processes left to be learned."""
        for user_id, scope in await self._outbox.waiting():
            self.noticed(user_id, scope)

    def noticed(self, user_id: str, scope: str) -> None:
        """The journal has a new exchange of that person and scope: learn it once the person is quiet."""
        if self._stopping:
            return
        key = (user_id, scope)
        now = asyncio.get_running_loop().time()
        first = self._first.setdefault(key, now)
        self._at(key, min(now + self._quiet, first + self._latest))

    def _at(self, key: tuple[str, str], when: float) -> None:
        if timer := self._timers.get(key):
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_at(when, self._due, key)

    def _due(self, key: tuple[str, str]) -> None:
        self._timers.pop(key, None)
        self._first.pop(key, None)
        self._tasks.spawn(self._learn(*key), name="learning")

    async def _learn(self, user_id: str, scope: str) -> None:
        lock = self._persons.setdefault(user_id, asyncio.Lock())
        async with lock, self._slots:
            try:
                await self._learn_now(user_id, scope)
            except Exception as exc:  # noqa: BLE001 - the boundary of one lesson: log, keep and retry it
                log.warning("learning failed, retrying later: %s", describe(exc))
                self._again(user_id, scope)

    async def _learn_now(self, user_id: str, scope: str) -> None:
        exchanges = await self._outbox.claim(user_id, scope)
        if not exchanges:
            self._failures.pop((user_id, scope), None)
            return
        ids = [exchange.id for exchange in exchanges]
        try:
            facts = await self._lesson(exchanges)
        except LearningFailed as exc:
            if exc.wait:
                await self._postpone(exchanges, exc)
                return
            await self._failed(exchanges, exc)
            if await self._outbox.claim(user_id, scope):
                self._again(user_id, scope)
            else:
                self._failures.pop((user_id, scope), None)
            return
        except (MemoryUnavailable, JournalUnavailable) as exc:
            await self._outbox.failed(ids, type(exc).__name__, final=False)
            raise
        except Exception as exc:
            if len(exchanges) == 1:
                await self._failed(exchanges, LearningFailed(type(exc).__name__, tries=UNEXPECTED))
                raise
            # One bad exchange must not keep the others from being learned.
            log.warning("learning %d exchanges one by one: %s", len(exchanges), describe(exc))
            facts = await self._one_by_one(exchanges)
            if await self._outbox.claim(user_id, scope):
                self._again(user_id, scope)
            return
        await self._outbox.learned(ids)
        self._failures.pop((user_id, scope), None)
        if self._notify:
            self._notify(Learned(user_id, facts))

    async def _lesson(self, exchanges: Sequence[Exchange]) -> int:
        """Learn from these, and tell which of them taught something, even if others failed."""
        events: set[str] = set()
        try:
            return await self._memory.learn(exchanges, events)
        finally:
            if self._taught is not None and events:
                self._taught([exchange for exchange in exchanges if exchange.event_id in events])

    async def _one_by_one(self, exchanges: Sequence[Exchange]) -> int:
        facts = 0
        for exchange in exchanges:
            try:
                facts += await self._lesson([exchange])
            except LearningFailed as exc:
                await (self._postpone([exchange], exc) if exc.wait else self._failed([exchange], exc))
            except MemoryUnavailable:
                await self._outbox.failed([exchange.id], "MemoryUnavailable", final=False)
            except Exception as exc:  # noqa: BLE001 - the boundary of one exchange: set aside after a few attempts
                log.warning("%s: could not be learned: %s", exchange.event_id, describe(exc))
                await self._failed([exchange], LearningFailed(type(exc).__name__, tries=UNEXPECTED))
            else:
                await self._outbox.learned([exchange.id])
        return facts

    async def _postpone(self, exchanges: Sequence[Exchange], exc: LearningFailed) -> None:
        """Leave exchanges until more may be spent: `resume` takes them up again."""
        dropped = await self._outbox.postpone([exchange.id for exchange in exchanges], exc.wait)
        self._failures.pop((exchanges[0].user_id, exchanges[0].scope), None)
        log.info("learning from %d exchanges waits: %s", len(exchanges) - dropped, exc)
        if dropped:
            log.warning("dropped %d exchanges unlearned: their texts may be kept no longer", dropped)

    async def _failed(self, exchanges: Sequence[Exchange], exc: LearningFailed) -> None:
        """Record a failed attempt; set aside the exchanges that have had all their attempts."""
        failed = [exchange for exchange in exchanges if exc.ids is None or exchange.id in exc.ids]
        tries = exc.tries or ATTEMPTS
        over = [exchange for exchange in failed if exc.final or (exchange.attempts + 1 >= tries and not exc.outage)]
        again = [exchange for exchange in failed if exchange not in over]
        for group, final in ((over, True), (again, False)):
            if group:
                await self._outbox.failed([exchange.id for exchange in group], str(exc), final=final)
                named = ", ".join(exchange.event_id for exchange in group[:NAMED])
                named += f" and {len(group) - NAMED} more" if len(group) > NAMED else ""
                log.warning("learning from %s failed: %s%s", named, str(exc), "; given up" if final else "; retrying")

    def _again(self, user_id: str, scope: str) -> None:
        if self._stopping:
            return
        key = (user_id, scope)
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = RETRY.jittered(failures, self._jitter)
        self._at(key, asyncio.get_running_loop().time() + delay)

    async def flush(self) -> None:
        """Learn what waits right away; return once it is learned or scheduled for a retry."""
        for key in list(self._timers):
            self._timers.pop(key).cancel()
            self._due(key)
        while self._tasks:
            await self._tasks.wait()

    async def stop(self, grace: float) -> None:
        """Start nothing new; give lessons in flight `grace` seconds. What isn't done by then stays in the journal."""
        self._stopping = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        await self._tasks.finish(grace)
