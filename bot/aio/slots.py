"""Slots for work that many people want at once: bounded in all and per person, and granted in turn."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairSlots:
    """At most `total` slots are taken at once, and at most `per_person` by one person. Used on one event loop.

    Somebody with a lot of queued work delays nobody else: the next slot goes to whoever has waited longest since
    they were last given one.
    """

    def __init__(self, total: int, per_person: int) -> None:
        self._free = total
        self._per_person = per_person
        self._taken: Counter[str] = Counter()
        #: Those who wait, the next one first.
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def taken(self, who: str) -> AsyncIterator[None]:
        """Hold a slot as soon as that person may have one."""
        await self._take(who)
        try:
            yield
        finally:
            self._release(who)

    async def _take(self, who: str) -> None:
        if self._free and self._taken[who] < self._per_person and who not in self._waiting:
            self._grant(who)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(who, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # granted meanwhile: pass it on
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
        """Give free slots to those waiting. Few are passed over: whoever is at their limit holds slots."""
        while self._free and (who := self._next()) is not None:
            turns = self._waiting[who]
            turn = turns.popleft()
            if turns:
                self._waiting.move_to_end(who)
            else:
                del self._waiting[who]
            if not turn.done():  # else its waiter was cancelled
                self._grant(who)
                turn.set_result(None)

    def _next(self) -> str | None:
        return next((who for who in self._waiting if self._taken[who] < self._per_person), None)
