"""Batches work that comes in bursts: what arrives while a call is in progress shares the next one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Batches(Generic[T]):
    """Hands items to `work` in order, one call at a time, at most `limit` of them together. Used on one event loop."""

    def __init__(self, work: Callable[[list[T]], Awaitable[None]], limit: int) -> None:
        self._work = work
        self._limit = limit
        self._waiting: deque[tuple[T, asyncio.Future[None]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def add(self, item: T) -> None:
        """Return once `work` has processed the item; raise what it raised, to every caller of that batch.

        Cancelling the wait doesn't withdraw the item.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="batches")
        await done

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._limit, len(self._waiting)))]
                await self._together(batch)
        finally:
            self._task = None
            for _, done in self._waiting:  # the event loop is closing
                done.cancel()

    async def _together(self, batch: list[tuple[T, asyncio.Future[None]]]) -> None:
        try:
            await self._work([item for item, _ in batch])
        except Exception as exc:  # noqa: BLE001 - raised to the callers
            for _, done in batch:
                if not done.done():
                    done.set_exception(exc)
            return
        except BaseException:
            for _, done in batch:
                done.cancel()
            raise
        for _, done in batch:
            if not done.done():
                done.set_result(None)
