"""Room for so much at once: whoever needs more than is left waits, in order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """At most `size` is taken at once. Used on one event loop."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._left = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def taken(self, amount: int) -> AsyncIterator[None]:
        """Hold so much, as soon as it is there. More than there is at all counts as all of it."""
        amount = min(amount, self._size)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((amount, turn))
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # given meanwhile
                self._give_back(amount)
            raise
        try:
            yield
        finally:
            self._give_back(amount)

    def _give_back(self, amount: int) -> None:
        self._left += amount
        self._serve()

    def _serve(self) -> None:
        while self._waiting:
            amount, turn = self._waiting[0]
            if turn.done():  # whoever waited was cancelled
                self._waiting.popleft()
                continue
            if amount > self._left:
                return
            self._waiting.popleft()
            self._left -= amount
            turn.set_result(None)
