"""Parts whose libraries take seconds to import, built in a thread so that the platforms can already listen."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Generic, TypeVar

from bot.model import Asked, Exchange, Held, Memory, Prompt, Told, Web
from bot.ports import Chat, MaxUsage, MemoryStore
from bot.usage import Usage

Part = TypeVar("Part")

#: Seconds that a recall waits for a memory store that is still opening.
START_BUDGET = 30.0


class Later(Generic[Part]):
    """A part that `start()` begins to build. If that fails, every `get()` raises the error."""

    def __init__(self, build: Callable[[], Awaitable[Part]]) -> None:
        self._build = build
        self._task: asyncio.Task[Part] | None = None

    def start(self) -> None:
        """Start building, once."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> Part:
        return await self._build()

    async def get(self) -> Part:
        """Wait for the part. Cancelling the wait doesn't stop the build."""
        self.start()
        assert self._task is not None
        return self._task.result() if self._task.done() else await asyncio.shield(self._task)

    @property
    def built(self) -> Part | None:
        """The part if it is ready, else None."""
        if self._task is None or not self._task.done() or self._task.cancelled() or self._task.exception():
            return None
        return self._task.result()


class LaterChat:
    """A chat model that is still being built."""

    def __init__(self, chat: Later[Chat]) -> None:
        self._chat = chat

    async def max_usage(self, prompt: Prompt) -> MaxUsage | None:
        """See `bot.ports.Chat`."""
        return await (await self._chat.get()).max_usage(prompt)

    async def answer(self, prompt: Prompt) -> AsyncGenerator[str | Usage | Asked | Web, None]:
        """See `bot.ports.Chat`."""
        chat = await self._chat.get()
        async with aclosing(chat.answer(prompt)) as pieces:
            async for piece in pieces:
                yield piece

    async def close(self) -> None:
        """Close what was built."""
        if chat := self._chat.built:
            await chat.close()


class LaterMemory:
    """A memory store that is still being built. See `bot.ports.MemoryStore` for each method."""

    def __init__(self, memory: Later[MemoryStore], recall_budget: float) -> None:
        self._memory = memory
        self._recall_budget = recall_budget

    async def recall(
        self, user_id: str, scopes: frozenset[str] | None, query: str, context: Sequence[str], now: datetime
    ) -> list[Memory]:
        """Recall within the budget (else TimeoutError).

        Waiting for startup doesn't count, so that the first message after a restart gets its memories too; but it is
        bounded, since startup may take long (when all memories are embedded again).
        """
        async with asyncio.timeout(START_BUDGET):
            memory = await self._memory.get()
        async with asyncio.timeout(self._recall_budget):
            return await memory.recall(user_id, scopes, query, context, now)

    async def count(self, user_id: str, scopes: frozenset[str] | None) -> Held | None:
        """Count, see the port; within the same budget as a recall."""
        async with asyncio.timeout(START_BUDGET):
            memory = await self._memory.get()
        async with asyncio.timeout(self._recall_budget):
            return await memory.count(user_id, scopes)

    async def search(
        self,
        user_id: str,
        scopes: frozenset[str] | None,
        query: str,
        now: datetime,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Memory]:
        """Search, see the port; within the same budget as a recall."""
        async with asyncio.timeout(START_BUDGET):
            memory = await self._memory.get()
        async with asyncio.timeout(self._recall_budget):
            return await memory.search(user_id, scopes, query, now, since, until)

    async def learn(self, exchanges: Sequence[Exchange], taught: set[str] | None = None) -> int:
        """Learn, see the port."""
        return await (await self._memory.get()).learn(exchanges, taught)

    async def remember(self, told: Told) -> Sequence[bool]:
        """Remember, see the port."""
        return await (await self._memory.get()).remember(told)

    async def list(self, user_id: str, search: str = "") -> list[Memory]:
        """List, see the port."""
        return await (await self._memory.get()).list(user_id, search)

    async def forget(self, user_id: str, ids: Sequence[str]) -> int:
        """Forget some, see the port."""
        return await (await self._memory.get()).forget(user_id, ids)

    async def forget_all(self, user_id: str) -> int:
        """Forget all, see the port."""
        return await (await self._memory.get()).forget_all(user_id)

    async def edit(self, user_id: str, memory_id: str, text: str, now: datetime) -> Memory | None:
        """Edit, see the port."""
        return await (await self._memory.get()).edit(user_id, memory_id, text, now)

    async def share(self, user_id: str, memory_id: str, *, shared: bool) -> Memory | None:
        """Share, see the port."""
        return await (await self._memory.get()).share(user_id, memory_id, shared=shared)

    async def forget_sources(self, event_ids: Sequence[str], user_id: str | None = None) -> int:
        """Forget by source, see the port."""
        return await (await self._memory.get()).forget_sources(event_ids, user_id)

    async def move(self, user_id: str, to: str, accounts: Sequence[str] | None = None) -> int:
        """Move, see the port."""
        return await (await self._memory.get()).move(user_id, to, accounts)

    async def forget_workspace(
        self, platform: str, workspace: str, people: Sequence[str], former: Sequence[str] = ()
    ) -> int:
        """Forget a workspace, see the port."""
        return await (await self._memory.get()).forget_workspace(platform, workspace, people, former)

    async def people(self, platform: str) -> Sequence[str]:
        """Whose memories there are, see the port."""
        return await (await self._memory.get()).people(platform)

    async def scrub(self) -> None:
        """Scrub what is open, see the port."""
        if memory := self._memory.built:
            await memory.scrub()

    async def close(self) -> None:
        """Close what was built."""
        if memory := self._memory.built:
            await memory.close()
