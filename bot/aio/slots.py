"""Slots for work that many people want at once: bounded in all and for each, and given to people in turn."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairSlots:
    """At most `total` slots are taken at once, and at most `each` by one person. Used on one event loop.

    Whoever waits with many pieces of work delays nobody else: the next slot goes to the person who has waited longest
    since they were given one.
    """

    def __init__(self, total: int, each: int) -> None:
        self._free = total
        self._each = each
        self._taken: Counter[str] = Counter()
        #: Those who wait, the next one first.
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def taken(self, who: str) -> AsyncIterator[None]:
        """Hold a slot, as soon as there is one for that person."""
        await self._take(who)
        try:
            yield
        finally:
            self._release(who)

    async def _take(self, who: str) -> None:
        if self._free and self._taken[who] < self._each and who not in self._waiting:
            self._grant(who)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(who, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # given meanwhile: the next one's
                self._release(who)
            raise

    def _grant(self, who: str) -> None:
        self._free -= 1
        self._taken[who] += 1

    def _release(self, who: str) -> None:
        self._free += 1
        self._taken[who] -= 1
        if not self._taken[who]:
            del self._taken[who]
        self._serve()

    def _serve(self) -> None:
        """Give free slots to those who wait. Few have to be passed over: whoever is at their bound holds slots."""
        while self._free and (who := self._next()) is not None:
            turns = self._waiting[who]
            turn = turns.popleft()
            if turns:
                self._waiting.move_to_end(who)
            else:
                del self._waiting[who]
            if not turn.done():  # else whoever waited was cancelled
                self._grant(who)
                turn.set_result(None)

    def _next(self) -> str | None:
        return next((who for who in self._waiting if self._taken[who] < self._each), None)
