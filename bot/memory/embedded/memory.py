"""Long-term memory on embedded mem0: its `add` over our own store, embedder and extractor.

Reads and erasures go directly to the store, in threads that learning never blocks. Learning goes through mem0, on its
own loop and thread.
"""

import asyncio
import logging
import re
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from bot.chat.notebook import tells
from bot.logs import describe
from bot.memory.embedded.extraction_prompt import messages
from bot.memory.embedded.learning_loop import LearningLoop
from bot.memory.recall.embedder import Embedder
from bot.memory.recall.recall import recall, search, to_memory
from bot.memory.vectors import sources
from bot.memory.vectors.lesson import Fact, Lesson, current, source_of, text_hash
from bot.memory.vectors.sources import Sources
from bot.model import Exchange, Held, Memory, Told
from bot.ports import LearningFailed, MemoryUnavailable, Superseded

if TYPE_CHECKING:  # it imports mem0, which takes seconds
    from bot.memory.vectors.base import VectorStore

log = logging.getLogger(__name__)

#: Limits of one extraction: characters of both sides, and exchanges. A longer exchange goes alone.
MAX_CHARACTERS = 24_000
MAX_EXCHANGES = 30
READERS = 4
#: Errors that the exchange itself may cause, unlike all those of an unreachable service or database.
UNEXPECTED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, sqlite3.DataError)
#: Attempts at such an exchange.
TRIES = 5

Result = TypeVar("Result")
#: Marks exchanges as learned, in the store's transaction; raises Superseded if they may not be.
Commit = Callable[[Any, Sequence[Exchange]], None]
#: Raises Superseded, in the store's transaction, unless an event is still to be answered.
RequireOpen = Callable[[Any, str], None]


class EmbeddedMemory:
    """`bot.ports.MemoryStore`. Without an extractor it stores what people say verbatim (notebook mode)."""

    def __init__(
        self,
        store: "VectorStore",
        embedder: Embedder,
        llm: Any,
        *,
        tokens: int,
        commit: Commit,
        require_open: RequireOpen | None = None,
        slow: Sequence[object] = (),
    ) -> None:
        """`tokens` is the budget of one recall; `commit` and `require_open` are the journal's.

        `slow` lists the parts whose calls go over the network.
        """
        from bot.memory.embedded.mem0_async import BotMemory

        self._store = store
        self._embedder = embedder
        self._llm = llm
        self._tokens = tokens
        self._commit = commit
        self._require_open = require_open
        self._mem0 = BotMemory(embedder=embedder, store=store, llm=llm)
        self._learning = LearningLoop(lambda owner: any(owner is part for part in slow))
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="recall")
        # Complete lists may be long: they must not delay a recall.
        self._listers = ThreadPoolExecutor(1, thread_name_prefix="list")
        # Erasing waits for readers of the file, so not in their threads.
        self._erasers = ThreadPoolExecutor(1, thread_name_prefix="forget")

    async def recall(
        self, user_id: str, scopes: frozenset[str] | None, query: str, context: Sequence[str], now: datetime
    ) -> list[Memory]:
        """Recall, see the port."""
        return await self._in(
            self._readers,
            lambda: recall(self._store, self._embedder, self._tokens, _id(user_id), scopes, query, context, now),
        )

    async def count(self, user_id: str, scopes: frozenset[str] | None) -> Held | None:
        """Count, see the port."""
        return await self._in(self._readers, lambda: self._store.count(_id(user_id), scopes))

    async def remember(self, told: Told) -> Sequence[bool]:
        """Remember, see the port."""

        def still_asked(connection: Any) -> None:
            if told.asked_by and self._require_open is not None:
                self._require_open(connection, told.asked_by)

        def keep() -> Sequence[bool]:
            vectors = [self._embedder.embed(text, "add") for text in told.texts]
            return self._store.remember(replace(told, user_id=_id(told.user_id)), vectors, still_asked)

        if not all(text.strip() for text in told.texts):
            raise ValueError("a fact has words")
        return await self._in(self._erasers, keep)

    async def search(
        self,
        user_id: str,
        scopes: frozenset[str] | None,
        query: str,
        now: datetime,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Memory]:
        """Search, see the port."""
        asked = _id(user_id), scopes, query, now, since, until
        return await self._in(self._readers, lambda: search(self._store, self._embedder, self._tokens, *asked))

    async def list(self, user_id: str, search: str = "") -> list[Memory]:
        """List, see the port."""

        def look() -> list[Memory]:
            if search.strip():
                rows = self._store.find(_id(user_id), search)
            else:
                rows = self._store.list({"user_id": _id(user_id)})[0]
            return sorted(map(to_memory, rows), key=lambda memory: memory.learned_at, reverse=True)

        return await self._in(self._listers, look)

    async def forget(self, user_id: str, ids: Sequence[str]) -> int:
        """Forget some, see the port."""
        return await self._in(self._erasers, lambda: self._store.forget(_id(user_id), ids))

    async def forget_all(self, user_id: str) -> int:
        """Forget all, see the port."""
        return await self._in(self._erasers, lambda: self._store.forget_user(_id(user_id)))

    async def edit(self, user_id: str, memory_id: str, text: str, now: datetime) -> Memory | None:
        """Edit, see the port."""

        def change() -> Memory | None:
            vector = self._embedder.embed(text, "update")
            row = self._store.amend(_id(user_id), memory_id, lambda old: sources.edited(old, text, now), vector)
            return to_memory(row) if row is not None else None

        return await self._in(self._erasers, change)

    async def share(self, user_id: str, memory_id: str, *, shared: bool) -> Memory | None:
        """Share, see the port."""

        def change() -> Memory | None:
            row = self._store.amend(_id(user_id), memory_id, lambda old: sources.shared(old, wide=shared))
            return to_memory(row) if row is not None else None

        return await self._in(self._erasers, change)

    async def forget_sources(self, event_ids: Sequence[str], user_id: str | None = None) -> int:
        """Forget by source, see the port."""
        person = None if user_id is None else _id(user_id)
        return await self._in(self._erasers, lambda: self._store.forget_sources(event_ids, person))

    async def move(self, user_id: str, to: str, accounts: Sequence[str] | None = None) -> int:
        """Move, see the port."""
        return await self._in(self._erasers, lambda: self._store.move(_id(user_id), _id(to), accounts, user_id))

    async def forget_workspace(
        self, platform: str, workspace: str, people: Sequence[str], former: Sequence[str] = ()
    ) -> int:
        """Forget a workspace, see the port. Searches everybody's memories."""
        if not workspace:
            raise ValueError("a workspace has an id")

        def judge(payload: dict[str, Any]) -> Sources | None:
            return sources.outside(payload, platform, workspace, former)

        return await self._in(self._erasers, lambda: self._store.sweep(judge))

    async def people(self, platform: str) -> Sequence[str]:
        """Whose memories there are, see the port."""
        owners = await self._in(self._readers, self._store.owners)
        return [owner for owner in owners if owner.startswith(f"{platform}:")]

    async def scrub(self) -> None:
        """Scrub, see the port."""
        await self._in(self._erasers, self._store.scrub)

    async def learn(self, exchanges: Sequence[Exchange], taught: set[str] | None = None) -> int:
        """Learn, see the port.

        Exchanges whose extraction gives nothing usable are split in halves, down to single ones, and don't hold up the
        others. LearningFailed names them in `ids`.
        """
        if not exchanges:
            return 0
        return await self._learning.run(self._learn(tuple(exchanges), set() if taught is None else taught))

    async def close(self) -> None:
        """Stop learning, then release the store."""
        if self._llm is not None:
            await self._learning.run(self._llm.close())
        await self._learning.close()
        for pool in (self._readers, self._listers, self._erasers):
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)
        await asyncio.to_thread(self._store.close)

    async def _in(self, pool: ThreadPoolExecutor, call: Callable[[], Result]) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, call)
        except Superseded:
            raise
        except Exception as exc:
            log.warning("the memory store failed: %s", describe(exc))
            raise MemoryUnavailable(type(exc).__name__) from exc

    # On the learning loop

    async def _learn(self, exchanges: tuple[Exchange, ...], taught: set[str]) -> int:
        if self._llm is not None:
            self._llm.check(exchanges[0].user_id)
        waiting = deque(_batches(exchanges) if self._llm is not None else ((exchange,) for exchange in exchanges))
        added = 0
        failed: LearningFailed | None = None
        while waiting:
            batch = waiting.popleft()
            try:
                added += await self._lesson(batch, taught)
            except LearningFailed as exc:
                if exc.smaller and len(batch) > 1:
                    half = len(batch) // 2
                    waiting.extendleft((batch[half:], batch[:half]))
                elif exc.smaller or exc.final or exc.ids == ():
                    ids = tuple(exchange.id for exchange in batch) if exc.ids is None else exc.ids
                    # One error reports all failures, so it can't limit the attempts at only some of them.
                    exc.ids = (*(failed.ids or ()), *ids) if failed else ids
                    exc.final = exc.final and (failed is None or failed.final)
                    exc.tries = exc.tries if failed is None or failed.tries else None
                    failed = exc
                else:  # the service is down: the others would fail too
                    raise
        if failed is not None:
            raise failed
        return added

    async def _lesson(self, batch: tuple[Exchange, ...], taught: set[str]) -> int:
        """One `add`, with its facts and the learned mark in one transaction; return how many facts are new."""
        superseded = False

        def commit(connection: Any) -> None:
            nonlocal superseded
            try:
                self._commit(connection, batch)
            except Superseded:
                superseded = True
                raise

        lesson = Lesson(_id(batch[0].user_id), batch[0].scope, batch, commit)
        token = current.set(lesson)
        try:
            await self._add(lesson)
            if not lesson.committed:
                await asyncio.to_thread(self._store.commit, lesson)
        except Exception as exc:
            if superseded:  # forgotten meanwhile, or learned by another process: nothing left to do
                log.info("a lesson of %d exchanges was superseded", len(batch))
                if len(batch) > 1:  # learn those that are still waiting in another lesson
                    raise LearningFailed("superseded", ids=()) from None
                return 0
            for cause in (exc, exc.__cause__):
                if isinstance(cause, LearningFailed):
                    raise cause from cause.__cause__
            log.warning("a lesson could not be stored: %s", describe(exc))
            if isinstance(lesson.error or exc, UNEXPECTED):
                raise LearningFailed(type(exc).__name__, smaller=True, tries=TRIES) from exc
            raise MemoryUnavailable(type(exc).__name__) from exc
        finally:
            current.reset(token)
        taught |= lesson.taught
        return lesson.added

    async def _add(self, lesson: Lesson) -> None:
        last = lesson.exchanges[-1]
        new = messages(lesson.exchanges)
        if self._llm is None:
            new = [message for message in new if message["role"] == "user" and tells(message["content"])]
            for message in new:
                lesson.facts[text_hash(message["content"])] = Fact(message["content"], (source_of(last),))
        if not new:
            return
        await self._mem0.add(
            new,
            user_id=lesson.user_id,
            run_id=_id(lesson.scope),
            metadata={
                "audience": lesson.scope,
                "place": last.place,
                "conversation": last.conversation,
                "created_at": last.at.astimezone(UTC).isoformat(),
            },
            infer=self._llm is not None,
        )


def _batches(exchanges: tuple[Exchange, ...]) -> Iterator[tuple[Exchange, ...]]:
    """The exchanges in order, in batches for one extraction each; never mixes people or scopes."""
    batch: list[Exchange] = []
    size = 0
    for exchange in exchanges:
        length = len(exchange.text) + len(exchange.answer)
        other = batch and (exchange.user_id, exchange.scope) != (batch[0].user_id, batch[0].scope)
        if other or (batch and (size + length > MAX_CHARACTERS or len(batch) == MAX_EXCHANGES)):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(exchange)
        size += length
    if batch:
        yield tuple(batch)


_NO_ID = re.compile(r"[\s%]")


def _id(user_id: str) -> str:
    """The user id as mem0 accepts it: without white space, which a terminal user's name may contain."""
    if not user_id:
        raise ValueError("a memory belongs to a person: the user id is empty")
    return _NO_ID.sub(lambda found: f"%{ord(found.group()):02X}", user_id)
