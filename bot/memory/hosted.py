"""Long-term memory at hosted mem0: it extracts by itself, and carries our audience and sources in its metadata.

Every request is about one person: an empty user id, or `*`, would mean everybody to mem0, so all methods pass
`person_id` before anything is sent. What comes back is checked again here: it must be that person's, and of an audience
that was asked for, whatever the service's filters let through.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from bot.events import Exchange, Memory
from bot.memory.hosted_client import ATTEMPTS, HostedClient, Lost, Refused, Row, Sleep
from bot.memory.hosted_rights import HostedRights
from bot.memory.hosted_rows import audiences, clean, fields, filters, memory_of, messages, metadata_of, owned, person_id
from bot.memory.keywords import Words
from bot.memory.ranking import fit
from bot.ports import LearningFailed, MemoryUnavailable
from bot.prompt import one_line

log = logging.getLogger(__name__)

#: How long a queued add is followed, in seconds; past it the exchange waits for the next attempt.
PATIENCE = 120.0
#: How long `forget_all` waits for adds of that person that are still queued, in seconds.
FORGET_PATIENCE = 20.0
DELETES_AT_ONCE = 8
#: An exchange older than this process may have been added by the one before it; clocks may differ by so much.
CLOCKS = timedelta(minutes=2)

Learned = Callable[[Sequence[int]], Awaitable[None]]
#: Whether an exchange was erased or replaced while it waited: what was learned of it is void.
Buried = Callable[[int], Awaitable[bool]]


class HostedMemory(HostedRights):
    """`bot.ports.MemoryStore` on hosted mem0. Made by `open`; used on one event loop."""

    def __init__(
        self,
        client: HostedClient,
        learned: Learned,
        *,
        buried: Buried | None = None,
        tokens: int = 1000,
        patience: float = PATIENCE,
    ) -> None:
        """`learned` drops exchanges by their ids once they are learned; `tokens` is the budget of one recall."""
        self._buried = buried
        self._client = client
        self._learned = learned
        self._tokens = tokens
        self._patience = patience
        self._since = datetime.now(UTC) - CLOCKS
        self._queued: dict[tuple[str, str], str] = {}  # (user id, source or mem0's event) -> mem0's event
        self._forgotten: Counter[str] = Counter()
        self._deletes = asyncio.Semaphore(DELETES_AT_ONCE)

    @classmethod
    async def open(
        cls,
        api_key: str,
        host: str,
        learned: Learned,
        *,
        buried: Buried | None = None,
        tokens: int = 1000,
        patience: float = PATIENCE,
        sleep: Sleep = asyncio.sleep,
    ) -> "HostedMemory":
        """Connect; raise SettingsError where mem0 refuses the key. A service that is down only logs a warning."""
        client = await HostedClient.open(api_key, host, sleep=sleep)
        return cls(client, learned, buried=buried, tokens=tokens, patience=patience)

    async def recall(
        self, user_id: str, scopes: frozenset[str] | None, query: str, context: Sequence[str], now: datetime
    ) -> list[Memory]:
        """As many memories as fit the budget, best first: mem0's own hybrid search, or the newest without a query."""
        person = person_id(user_id)
        if not query.strip():
            found = [m for m in await self.list(person) if scopes is None or m.scope in scopes]
            return self._fitting(found)
        rows = await self._client.search(
            clean("\n".join((*context[-2:], query))[-2000:]),
            filters=filters(person, audiences(scopes)),
            top_k=max(20, min(self._tokens // 5, 1000)),
            threshold=0.0,
            reference_date=int(now.timestamp()),
        )
        memories = (memory_of(row, person) for row in rows)
        return self._fitting([m for m in memories if m and (scopes is None or m.scope in scopes)])

    def _fitting(self, memories: Sequence[Memory]) -> list[Memory]:
        """Those that fit the budget, in the same order."""
        texts = [one_line(memory.text) for memory in memories]
        kept = fit(texts, [memory.learned_at for memory in memories], self._tokens)
        return [memories[position] for position in kept]

    async def learn(self, exchanges: Sequence[Exchange]) -> int:
        """One add per exchange, in order, each followed to its end before its raw text is dropped.

        An exchange that mem0 refuses or fails on doesn't hold up those behind it. Raises LearningFailed for it in the
        end, and MemoryUnavailable at once where the service is down.
        """
        facts = 0
        failures: dict[int, LearningFailed] = {}
        for exchange in exchanges:
            person = person_id(exchange.user_id)
            generation = self._forgotten[person]
            try:
                facts += await self._learn(person, exchange)
            except LearningFailed as exc:
                failures[exchange.id] = exc
                continue
            if self._forgotten[person] != generation:
                await self._delete([row["id"] for row in await self._taught_by(person, exchange.event_id)])
                return 0
            if self._buried is not None and await self._buried(exchange.id):
                await self._delete([row["id"] for row in await self._taught_by(person, exchange.event_id)])
                continue
            await self._learned([exchange.id])
        if failures:
            reasons = [*failures.values()]
            raise LearningFailed(str(reasons[0]), final=all(each.final for each in reasons), ids=tuple(failures))
        return facts

    async def _learn(self, person: str, exchange: Exchange) -> int:
        key = (person, exchange.event_id)
        event = self._queued.get(key)
        if event is None:
            # mem0 knows no idempotency key: whether an earlier attempt got through shows only in what it has learned.
            retried = exchange.attempts > 0 or exchange.at < self._since
            if retried and await self._taught_by(person, exchange.event_id):
                return 0
            event, added = await self._add(person, exchange)
            if event is None:
                return len(added)
            self._queued[key] = event
        status, results = await self._client.follow(event, self._patience)
        if status == "PENDING":
            raise LearningFailed("mem0 has not worked on it yet")
        self._queued.pop(key, None)
        if status == "FAILED":
            raise LearningFailed("mem0 reports FAILED")
        return sum(row.get("event", "ADD") == "ADD" for row in results)

    async def _add(self, person: str, exchange: Exchange) -> tuple[str | None, list[Row]]:
        """Queue one exchange; after an answer that got lost, look before adding again."""
        for attempt in range(ATTEMPTS):
            try:
                return await self._client.add(messages(exchange), **fields(person, exchange))
            except Refused as exc:
                raise LearningFailed(str(exc), final=exc.status in (400, 413, 422)) from None
            except Lost as exc:
                if attempt + 1 == ATTEMPTS:
                    raise
                await self._client.pause(attempt, exc.after)
            if rows := await self._taught_by(person, exchange.event_id):
                return None, rows
        raise AssertionError("unreachable")

    async def _taught_by(self, person: str, event_id: str) -> list[Row]:
        rows = await self._client.all(filters(person, [{"metadata": {"source": event_id}}]))
        return [row for row in rows if owned(row, person) and metadata_of(row).get("source") == event_id]

    async def list(self, user_id: str, search: str = "") -> list[Memory]:
        """All of a person's memories, newest first; with `search`, those that hold all its words."""
        person = person_id(user_id)
        rows = await self._client.all(filters(person))
        memories = [memory for row in rows if (memory := memory_of(row, person))]
        memories.sort(key=lambda memory: (memory.learned_at, memory.id), reverse=True)
        words = Words(search)
        return [memory for memory in memories if words.match(memory.text)]

    async def forget(self, user_id: str, ids: Sequence[str]) -> int:
        """Erase these memories where they are that person's; return how many there were."""
        person = person_id(user_id)

        async def own(memory_id: str) -> str | None:
            async with self._deletes:
                row = await self._client.get(memory_id) if memory_id.strip() else None
            return memory_id if row and owned(row, person) else None

        found = await asyncio.gather(*(own(memory_id) for memory_id in dict.fromkeys(ids)))
        return await self._delete([memory_id for memory_id in found if memory_id])

    async def forget_all(self, user_id: str) -> int:
        """Erase all of a person's memories, those still queued included, and look that nothing is left.

        Raises MemoryUnavailable where something is left, or may still be coming.
        """
        person = person_id(user_id)
        self._forgotten[person] += 1
        unfinished = await self._settle(person)
        before = await self._own(person)
        await self._client.delete_user(person)
        # With mem0's null scoping that leaves what carries a `run_id`, which is all that this bot has added.
        await self._delete([row["id"] for row in await self._own(person)])
        if left := await self._own(person):
            raise MemoryUnavailable(f"mem0 still holds {len(left)} memories")
        if unfinished:
            raise MemoryUnavailable("mem0 is still working on what was said")
        return len(before)

    async def _settle(self, person: str) -> bool:
        """Wait for that person's queued adds to end; True where one has not."""
        events = {key: event for key, event in self._queued.items() if key[0] == person}
        ended = await asyncio.gather(*(self._client.follow(event, FORGET_PATIENCE) for event in events.values()))
        unfinished = {key for key, (status, _) in zip(events, ended, strict=True) if status == "PENDING"}
        for key in events.keys() - unfinished:
            self._queued.pop(key, None)
        return bool(unfinished)

    async def _own(self, person: str) -> Sequence[Row]:
        return [row for row in await self._client.all(filters(person)) if owned(row, person)]

    async def _delete(self, ids: Sequence[str]) -> int:
        async def one(memory_id: str) -> bool:
            async with self._deletes:
                return await self._client.delete(memory_id)

        return sum(await asyncio.gather(*(one(memory_id) for memory_id in ids)))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
