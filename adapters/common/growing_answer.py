"""An answer that is shown while it grows: the newest text in the platform's rhythm, and its end whatever went before.

How a text is put into messages is the platform's business. Discord's and Slack's are edited; what can only append, as
Slack's streams can, keeps what it has appended and adds what a text has beyond it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext


class GrowingAnswer:
    """Shows one answer's snapshots by two calls, of which only one is made at a time."""

    def __init__(
        self,
        grow: Callable[[str], Awaitable[float | None]],
        finish: Callable[[str], Awaitable[None]],
        *,
        first: float,
        turn: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    ) -> None:
        """Show texts by `grow` while more is to come, and the whole answer by `finish`.

        Args:
            grow: Returns the seconds until it is called again, None where only the answer's end is to be shown. What
                fails in passing it logs, and mends the next time; what it raises ends the answer, since what is still
                to come can't be shown either.
            finish: May be called again with the same text where it has raised.
            first: Seconds that the first text waits for the end: a short answer is shown at once, without flicker.
            turn: Waits until `grow` may be called, in the block. Only the wait is cancelled where the answer ends.
        """
        self._grow = grow
        self._finish = finish
        self._first = first
        self._turn = turn
        self._latest = ""
        self._unshown = ""
        self._growing = self._ended = False

    async def show(self, snapshots: AsyncIterator[str]) -> None:
        """Show the answer as it grows, then whole. What can't be shown is raised, and the snapshots are closed then."""
        self._latest = self._unshown = ""
        await self._follow(snapshots)
        self._unshown = self._latest
        await self._finish(self._latest)
        self._unshown = ""

    async def retry(self) -> None:
        """Show the whole answer that `show` could not show, if there is one: Claude needn't be asked again."""
        if self._unshown:
            await self._finish(self._unshown)
            self._unshown = ""

    async def _follow(self, snapshots: AsyncIterator[str]) -> None:
        """Read the snapshots to the last, showing what there is meanwhile."""
        self._ended = False
        painter: asyncio.Task[None] | None = None
        failure: BaseException | None = None
        try:
            async for self._latest in snapshots:
                if painter is None and self._latest.strip():
                    painter = asyncio.create_task(self._paint())
                if painter is not None and painter.done() and painter.exception():
                    break
        finally:
            self._ended = True
            if isinstance(snapshots, AsyncGenerator):
                await snapshots.aclose()  # Claude needn't go on
            if painter is not None:
                if not self._growing:  # never amid a request, whose effect would be unknown
                    painter.cancel()
                await asyncio.wait([painter])
                failure = None if painter.cancelled() else painter.exception()
        if failure is not None:
            raise failure

    async def _paint(self) -> None:
        """Show the answer so far, again and again until it ends: also while the model is silent."""
        pause: float | None = self._first
        while pause is not None and not self._ended:
            await asyncio.sleep(pause)
            async with self._turn():
                self._growing = True
                try:
                    pause = await self._grow(self._latest)
                finally:
                    self._growing = False
