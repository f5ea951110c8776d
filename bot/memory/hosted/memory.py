"""Long-term memory in hosted mem0, which extracts by itself and carries our audience and sources in its metadata.

A memory is stored under the account that taught it, and a person is all accounts that are linked at the moment, so
linking and unlinking moves nothing. Every request names accounts: to mem0, an empty user id or `*` means everybody. So
all methods go through `person_id` before anything is sent, and `guard` checks again. Results are checked too: they must
be that person's, and of an audience that was asked for, whatever the service's filters let through.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from bot.logs import describe
from bot.memory.hosted.adds import AddJournal, Adds, concurrently, new_token
from bot.memory.hosted.client import HostedClient, Json, RequestRefused, Sleep
from bot.memory.hosted.rights import FORGET_PATIENCE, HostedRights
from bot.memory.hosted.rows import (
    account_of,
    audiences,
    fields,
    filters,
    memory_of,
    messages,
    metadata_of,
    person_id,
    text_of,
    told_fields,
)
from bot.memory.recall.ranking import fit
from bot.memory.recall.recall import RESULTS
from bot.model import Exchange, Held, Memory, QueuedAdd, Told
from bot.ports import LearningFailed, MemoryUnavailable, Superseded
from bot.text.clean import clean, one_line
from bot.text.keywords import Words, signature

log = logging.getLogger(__name__)

#: Stands for the memory that mem0 has merged a hidden one into: mem0 doesn't say which one that is.
HIDDEN_BY = "mem0"
#: Seconds for which a queued add is followed; then the exchange waits for the next attempt.
PATIENCE = 120.0
#: Seconds for which a fact is followed that is kept word for word, which an answer waits for.
TOLD_PATIENCE = 2.0
#: Seconds between checks of unfinished adds.
TIDY_EVERY = 60.0


class HostedMemory(HostedRights):
    """`bot.ports.MemoryStore` on hosted mem0. Created by `open`; used on one event loop."""

    def __init__(
        self,
        client: HostedClient,
        journal: AddJournal,
        *,
        tokens: int = 1000,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`tokens` is the budget of one recall."""
        self._client = client
        self._journal = journal
        self._tokens = tokens
        self._adds = Adds(client, journal, patience, clock)
        self._tidying: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        api_key: str,
        host: str,
        journal: AddJournal,
        *,
        tokens: int = 1000,
        patience: float = PATIENCE,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.time,
        tidy_every: float = TIDY_EVERY,
    ) -> "HostedMemory":
        """Connect. Raises SettingsError if mem0 rejects the key; if it is down, only logs a warning.

        Unfinished adds of earlier processes are resumed now, and checked again every `tidy_every` seconds.
        """
        client = await HostedClient.open(api_key, host, sleep=sleep)
        memory = cls(client, journal, tokens=tokens, patience=patience, clock=clock)
        memory._tidying = asyncio.create_task(memory._keep_tidy(tidy_every), name="mem0")
        return memory

    async def recall(
        self, user_id: str, scopes: frozenset[str] | None, query: str, context: Sequence[str], now: datetime
    ) -> list[Memory]:
        """As many memories as fit the budget: by mem0's own hybrid search, or newest first without a query."""
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

    async def count(self, user_id: str, scopes: frozenset[str] | None) -> Held | None:
        """Count nothing: mem0 would have to list them all."""
        return None

    async def search(
        self,
        user_id: str,
        scopes: frozenset[str] | None,
        query: str,
        now: datetime,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Memory]:
        """As `recall`; what mem0 hides, since it was merged into others, counts as superseded and isn't searched."""
        found = await self.recall(user_id, scopes, query, (), now)
        return [
            memory
            for memory in found
            if (since is None or memory.learned_at >= since) and (until is None or memory.learned_at < until)
        ][:RESULTS]

    def _fitting(self, memories: Sequence[Memory]) -> list[Memory]:
        """The memories that fit the budget, in the same order."""
        texts = [one_line(memory.text) for memory in memories]
        kept = fit(texts, [memory.learned_at for memory in memories], self._tokens)
        return [memories[position] for position in kept]

    async def list(self, user_id: str, search: str = "") -> list[Memory]:
        """All of a person's memories, newest first; with `search`, those that contain all its words."""
        accounts = await self._accounts(user_id)
        shown, kept = await asyncio.gather(
            self._client.all(filters(accounts)), self._client.all(filters(accounts), hidden=True)
        )
        used = {str(row["id"]) for row in shown}
        # mem0 keeps what it hides, so that must be visible, exported and forgotten like anything else.
        memories = [
            memory if memory.id in used else replace(memory, superseded_by=HIDDEN_BY)
            for memory in _newest_first(await self._memories(kept, accounts))
        ]
        words = Words(search)
        return [memory for memory in memories if words.match(memory.text)]

    async def _memories(self, rows: Sequence[Json], accounts: Sequence[str]) -> Sequence[Memory]:
        """The rows as memories, in the same order, without void ones that wait to be deleted."""
        void = await self._adds.void_tokens(accounts)
        shown = (row for row in rows if metadata_of(row).get("add") not in void)
        return [memory for row in shown if (memory := memory_of(row, accounts))]

    async def learn(self, exchanges: Sequence[Exchange], taught: set[str] | None = None) -> int:
        """One add per exchange, in order, each followed to its end before its raw text is dropped.

        An exchange that mem0 refuses or fails on doesn't hold up the next ones: LearningFailed is raised at the end.
        Raises MemoryUnavailable immediately if the service is down.
        """
        facts = 0
        failures: dict[int, LearningFailed] = {}
        for exchange in exchanges:
            try:
                found = await self._learn(exchange)
            except LearningFailed as exc:
                failures[exchange.id] = exc
                continue
            facts += found
            if found and taught is not None:
                taught.add(exchange.event_id)
        if failures:
            reasons = [*failures.values()]
            raise LearningFailed(str(reasons[0]), final=all(reason.final for reason in reasons), ids=tuple(failures))
        return facts

    async def _learn(self, exchange: Exchange) -> int:
        """Learn one exchange, taking earlier attempts into account (a process that died, an answer that got lost)."""
        account = account_of(exchange)
        about = [add for add in await self._journal.unfinished([account]) if add.source == exchange.event_id]
        earlier = [add for add in about if add.exchange_id]
        if not all([await self._adds.clear(add) for add in earlier if add.void]):
            # The extraction would read what is still to be deleted, and treat the same facts as known.
            raise LearningFailed("mem0 still works on an earlier version of it")
        tries = [add for add in earlier if not add.void]
        settled = await self._adds.resolve(tries)
        if settled is None:
            add = QueuedAdd(new_token(), account, exchange.event_id, exchange_id=exchange.id, at=self._adds.now())
            if not await self._journal.begin(add):
                return 0  # erased, or learned by another process
            try:
                asked = await self._adds.ask(add, messages(exchange), fields(add.token, exchange))
            except RequestRefused as exc:
                raise LearningFailed(str(exc), final=exc.status in (400, 413, 422)) from None
            settled = await self._adds.resolve([*tries, asked])
        if settled is None:
            raise LearningFailed("mem0 reports FAILED")
        stays, count = settled
        if await self._journal.finish(stays.token):
            return count
        await self._clear_if_void(stays)
        return 0

    async def remember(self, told: Told) -> Sequence[bool]:
        """Remember, see the port. mem0 queues its work: what raises MemoryUnavailable may still be kept a little later.

        What mem0 then extracts from that message is up to mem0, which leaves out what it takes for known.
        """
        epoch = await self._journal.epoch(told.user_id)
        account = person_id(told.source.account or told.user_id)
        for add in await self._journal.unfinished([account]):
            if add.told and add.source == told.source.event_id and not add.void and not await self._ended(add):
                raise MemoryUnavailable("mem0 has not worked on it yet")
        return [await self._remember(told, text, account, epoch) for text in told.texts]

    async def _remember(self, told: Told, text: str, account: str, epoch: int) -> bool:
        if not text.strip():
            raise ValueError("a fact has words")
        same = signature(text)
        rows = await self._own(await self._accounts(told.user_id))
        there = [metadata_of(row) for row in rows if signature(text_of(row)) == same]
        known = [metadata for metadata in there if (metadata.get("own") or metadata.get("audience")) == told.scope]
        if known:  # by an earlier attempt at the same answer, if so
            return any(metadata.get("source") == told.source.event_id for metadata in known)
        add = QueuedAdd(new_token(), account, told.source.event_id, at=self._adds.now())
        if not await self._journal.begin(add, told.user_id, epoch, told.asked_by):
            raise Superseded("it was forgotten meanwhile")
        asked = await self._adds.ask(add, [{"role": "user", "content": clean(text)}], told_fields(add, told))
        if not await self._ended(asked, TOLD_PATIENCE):
            raise MemoryUnavailable("mem0 has not worked on it yet")
        return True

    async def forget_all(self, user_id: str) -> int:
        """Erase all of a person's memories, including those still queued, and check that nothing is left.

        Raises MemoryUnavailable if something is left, or may still come.
        """
        accounts = await self._accounts(user_id)
        await self._journal.void(accounts)
        before = await self._own(accounts)
        for account in accounts:
            await self._client.delete_user(account, FORGET_PATIENCE)
        # Because of mem0's null scoping, that skips memories with a `run_id`, which all of this bot's have.
        await concurrently(self._client.delete, [str(row["id"]) for row in await self._own(accounts)])
        await self._journal.void(accounts)  # also edits started meanwhile
        await self._adds.clear_void(accounts, None, FORGET_PATIENCE)
        if left := await self._own(accounts):
            raise MemoryUnavailable(f"mem0 still holds {len(left)} memories")
        return len(before)

    async def _keep_tidy(self, every: float) -> None:
        while True:
            try:
                await self.tidy()
            except Exception as exc:  # noqa: BLE001 - the boundary of one check: logged, and another follows
                log.warning("what mem0 was asked for can't be looked after: %s", describe(exc))
            await asyncio.sleep(every)

    async def scrub(self) -> None:
        """Nothing to scrub: nothing is on our disk."""

    async def close(self) -> None:
        """Close the connections."""
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)
        await self._client.close()


def _newest_first(memories: Iterable[Memory]) -> list[Memory]:
    return sorted(memories, key=lambda memory: (memory.learned_at, memory.id), reverse=True)
