"""Long-term memory at hosted mem0: it extracts by itself, and carries our audience and sources in its metadata.

A memory lies under the account that taught it, and a person is the accounts that are linked now: joining and parting
accounts moves nothing. Every request is about accounts by name: an empty user id, or `*`, would mean everybody to mem0,
so all methods pass `person_id` before anything is sent, and `hosted_guard` looks again. What comes back is checked here
too: it must be that person's, and of an audience that was asked for, whatever the service's filters let through.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from bot.logs import describe
from bot.memory.hosted.adds import Adds, Ledger, at_once, new_token
from bot.memory.hosted.client import HostedClient, Refused, Row, Sleep
from bot.memory.hosted.rights import FORGET_PATIENCE, HostedRights
from bot.memory.hosted.rows import account_of, audiences, clean, fields, filters, memory_of, messages, metadata_of
from bot.memory.recall.ranking import fit
from bot.model import Exchange, Memory, QueuedAdd
from bot.ports import LearningFailed, MemoryUnavailable
from bot.text.clean import one_line
from bot.text.keywords import Words

log = logging.getLogger(__name__)

#: Stands for the memory in whose favour mem0 doesn't show another: which one that is isn't told.
HIDDEN_BY = "mem0"
#: How long a queued add is followed, in seconds; past it the exchange waits for the next attempt.
PATIENCE = 120.0
#: Seconds between two looks at what is not known to have ended.
TIDY_EVERY = 60.0


class HostedMemory(HostedRights):
    """`bot.ports.MemoryStore` on hosted mem0. Made by `open`; used on one event loop."""

    def __init__(
        self,
        client: HostedClient,
        ledger: Ledger,
        *,
        tokens: int = 1000,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`ledger` is where adds are written down (the journal); `tokens` is the budget of one recall."""
        self._client = client
        self._ledger = ledger
        self._tokens = tokens
        self._adds = Adds(client, ledger, patience, clock)
        self._tidying: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        api_key: str,
        host: str,
        ledger: Ledger,
        *,
        tokens: int = 1000,
        patience: float = PATIENCE,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.time,
        tidy_every: float = TIDY_EVERY,
    ) -> "HostedMemory":
        """Connect; raise SettingsError where mem0 refuses the key. A service that is down only logs a warning.

        What an earlier process left unfinished is taken up at once, and looked at again every `tidy_every` seconds.
        """
        client = await HostedClient.open(api_key, host, sleep=sleep)
        memory = cls(client, ledger, tokens=tokens, patience=patience, clock=clock)
        memory._tidying = asyncio.create_task(memory._keep_tidy(tidy_every), name="mem0")
        return memory

    async def recall(
        self, user_id: str, scopes: frozenset[str] | None, query: str, context: Sequence[str], now: datetime
    ) -> list[Memory]:
        """As many memories as fit the budget, best first: mem0's own hybrid search, or the newest without a query."""
        accounts = await self._accounts(user_id)
        asked = filters(accounts, audiences(scopes))
        if query.strip():
            rows = await self._client.search(
                clean("\n".join((*context[-2:], query))[-2000:]),
                filters=asked,
                top_k=max(20, min(self._tokens // 5, 1000)),
                threshold=0.0,
                reference_date=int(now.timestamp()),
            )
            found = await self._memories(rows, accounts)
        else:
            found = _newest_first(await self._memories(await self._client.all(asked), accounts))
        return self._fitting([memory for memory in found if scopes is None or memory.scope in scopes])

    def _fitting(self, memories: Sequence[Memory]) -> list[Memory]:
        """Those that fit the budget, in the same order."""
        texts = [one_line(memory.text) for memory in memories]
        kept = fit(texts, [memory.learned_at for memory in memories], self._tokens)
        return [memories[position] for position in kept]

    async def list(self, user_id: str, search: str = "") -> list[Memory]:
        """All of a person's memories, newest first; with `search`, those that hold all its words."""
        accounts = await self._accounts(user_id)
        shown, kept = await asyncio.gather(
            self._client.all(filters(accounts)), self._client.all(filters(accounts), hidden=True)
        )
        used = {str(row["id"]) for row in shown}
        # What mem0 has hidden is kept all the same: it can be looked at, taken away and forgotten like anything else.
        memories = [
            memory if memory.id in used else replace(memory, superseded_by=HIDDEN_BY)
            for memory in _newest_first(await self._memories(kept, accounts))
        ]
        words = Words(search)
        return [memory for memory in memories if words.match(memory.text)]

    async def _memories(self, rows: Sequence[Row], accounts: Sequence[str]) -> Sequence[Memory]:
        """The rows as memories, in the same order, without those that are only there until they are deleted."""
        void = await self._adds.void_tokens(accounts)
        shown = (row for row in rows if metadata_of(row).get("add") not in void)
        return [memory for row in shown if (memory := memory_of(row, accounts))]

    async def learn(self, exchanges: Sequence[Exchange]) -> int:
        """One add per exchange, in order, each followed to its end before its raw text is dropped.

        An exchange that mem0 refuses or fails on doesn't hold up those behind it. Raises LearningFailed for it in the
        end, and MemoryUnavailable at once where the service is down.
        """
        facts = 0
        failures: dict[int, LearningFailed] = {}
        for exchange in exchanges:
            try:
                facts += await self._learn(exchange)
            except LearningFailed as exc:
                failures[exchange.id] = exc
        if failures:
            reasons = [*failures.values()]
            raise LearningFailed(str(reasons[0]), final=all(each.final for each in reasons), ids=tuple(failures))
        return facts

    async def _learn(self, exchange: Exchange) -> int:
        """Learn one, whatever earlier tries (of a process that died, with an answer that got lost) have come to."""
        account = account_of(exchange)
        about = [add for add in await self._ledger.unfinished([account]) if add.source == exchange.event_id]
        earlier = [add for add in about if add.exchange_id]
        if not all([await self._adds.clear(add) for add in earlier if add.void]):
            # Its extraction would read what is still to be deleted, and take the same for known.
            raise LearningFailed("mem0 still works on an earlier version of it")
        tries = [add for add in earlier if not add.void]
        settled = await self._adds.settle(tries)
        if settled is None:
            add = QueuedAdd(new_token(), account, exchange.event_id, exchange_id=exchange.id, at=self._adds.now())
            if not await self._ledger.begin(add):
                return 0  # erased, or learned by another process
            try:
                asked = await self._adds.ask(add, messages(exchange), fields(add.token, exchange))
            except Refused as exc:
                raise LearningFailed(str(exc), final=exc.status in (400, 413, 422)) from None
            settled = await self._adds.settle([*tries, asked])
        if settled is None:
            raise LearningFailed("mem0 reports FAILED")
        stays, count = settled
        if await self._ledger.finish(stays.token):
            return count
        await self._clear_if_void(stays)
        return 0

    async def forget_all(self, user_id: str) -> int:
        """Erase all of a person's memories, those still queued included, and look that nothing is left.

        Raises MemoryUnavailable where something is left, or may still be coming.
        """
        accounts = await self._accounts(user_id)
        await self._ledger.void(accounts)
        before = await self._own(accounts)
        for account in accounts:
            await self._client.delete_user(account, FORGET_PATIENCE)
        # With mem0's null scoping that leaves what carries a `run_id`, which is all that this bot has added.
        await at_once(self._client.delete, [str(row["id"]) for row in await self._own(accounts)])
        await self._ledger.void(accounts)  # an edit that was begun meanwhile, too
        await self._adds.clear_void(accounts, None, FORGET_PATIENCE)
        if left := await self._own(accounts):
            raise MemoryUnavailable(f"mem0 still holds {len(left)} memories")
        return len(before)

    async def _keep_tidy(self, every: float) -> None:
        while True:
            try:
                await self.tidy()
            except Exception as exc:  # noqa: BLE001 - the boundary of one look: it is logged, and there is another
                log.warning("what mem0 was asked for can't be looked after: %s", describe(exc))
            await asyncio.sleep(every)

    async def scrub(self) -> None:
        """There is nothing on a disk of ours."""

    async def close(self) -> None:
        """Close the connections."""
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)
        await self._client.close()


def _newest_first(memories: Iterable[Memory]) -> list[Memory]:
    return sorted(memories, key=lambda memory: (memory.learned_at, memory.id), reverse=True)
