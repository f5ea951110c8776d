"""A deadline for many short waits, at the cost of one timer: `asyncio.timeout` needs one for each."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self, TypeVar

Result = TypeVar("Result")


class Deadline:
    """Bounds the waits made through it; never interrupts what happens between them.

    Args:
        at: The deadline, by the event loop's clock.
    """

    def __init__(self, at: float) -> None:
        self._at = at
        self._late = False
        self._waiting: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._timer = asyncio.get_running_loop().call_at(self._at, self._expire)
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        self._late = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def wait(self, begin: Callable[[], Awaitable[Result]]) -> Result:
        """Await what `begin` returns; raise TimeoutError if the deadline has passed, or passes meanwhile."""
        if self._late:
            raise TimeoutError
        task = asyncio.current_task()
        assert task is not None
        others = task.cancelling()
        self._waiting = task
        try:
            return await begin()
        except asyncio.CancelledError:
            # Somebody else may have cancelled the task as well: then let the cancellation pass.
            if self._late and task.uncancel() <= others:
                raise TimeoutError from None
            raise
        finally:
            self._waiting = None
