"""Keeps track of concurrent tasks, to wait for them at the end."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class TaskSet(Generic[T]):
    """The tasks in flight. Each leaves the set when it is done."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[T]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[asyncio.Task[T]]:
        return iter(list(self._tasks))

    def spawn(self, work: Coroutine[Any, Any, T], name: str | None = None) -> asyncio.Task[T]:
        """Run it as a task."""
        return self.add(asyncio.create_task(work, name=name))

    def add(self, task: asyncio.Task[T]) -> asyncio.Task[T]:
        """Track a task."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def discard(self, task: asyncio.Task[Any]) -> None:
        """Stop tracking a task: it is no longer waited for."""
        self._tasks.discard(task)

    async def wait(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as `asyncio.wait` has it
        """Wait for the tasks in flight now."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout)

    def cancel(self) -> None:
        """Cancel them all."""
        for task in self:
            task.cancel()

    async def finish(self, grace: float) -> int:
        """Give the tasks `grace` seconds, then cancel those still running; return how many those were."""
        await self.wait(grace)
        late = [*self]
        self.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)
