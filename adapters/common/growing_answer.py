"""Shows an answer while it grows: the newest text at the platform's pace, and the end whatever happened before.

How a text becomes messages is up to the platform. Discord's and Slack's are edited; a platform that can only append, as
Slack's streams do, keeps what it has appended and adds what a text has beyond that.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext


class GrowingAnswer:
    """Shows one answer's snapshots through two callbacks, never concurrently."""

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
            grow: Returns the seconds until its next call, or None if only the answer's end is to be shown. It logs
                transient errors, to make up for them in the next call; what it raises ends the answer, since the rest
                couldn't be shown either.
            finish: May be called again with the same text if it has raised.
            first: Seconds that the first text waits for the end, so that short answers are shown once, without flicker.
            turn: Waits until `grow` may be called, in the block. When the answer ends, only this wait is cancelled.
        """
        self._grow = grow
        self._finish = finish
        self._first = first
        self._turn = turn
        self._latest = ""
        self._unshown = ""
        self._growing = self._ended = False

    async def show(self, snapshots: AsyncIterator[str]) -> None:
        """Show the answer as it grows, then whole. Raises what prevents that, after closing the snapshots."""
        self._latest = self._unshown = ""
        await self._follow(snapshots)
        self._unshown = self._latest
        await self._finish(self._latest)
        self._unshown = ""

    async def retry(self) -> None:
        """Show the complete answer that `show` failed to show, if there is one: no need to ask Claude again."""
        if self._unshown:
            await self._finish(self._unshown)
            self._unshown = ""

    async def _follow(self, snapshots: AsyncIterator[str]) -> None:
        """Read all snapshots, while painting what there is."""
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
                await snapshots.aclose()  # Claude can stop
            if painter is not None:
                if not self._growing:  # never during a request, whose outcome would be unknown
                    painter.cancel()
                await asyncio.wait([painter])
                failure = None if painter.cancelled() else painter.exception()
        if failure is not None:
            raise failure

    async def _paint(self) -> None:
        """Show the answer so far, again and again until it ends, even while the model is silent."""
        pause: float | None = self._first
        while pause is not None and not self._ended:
            await asyncio.sleep(pause)
            async with self._turn():
                self._growing = True
                try:
                    pause = await self._grow(self._latest)
                finally:
                    self._growing = False
