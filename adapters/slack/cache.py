"""A cache of Slack's answers. Concurrent requests for the same key share one call."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

#: Concurrent calls per cache: a message may name thousands of people.
CONCURRENCY = 8
ENTRIES = 5_000

Key = TypeVar("Key")
Value = TypeVar("Value")


class LoadingCache(Generic[Key, Value]):
    """The newest answers of a loader that never raises: one call at a time per key, CONCURRENCY in total."""

    def __init__(self, load: Callable[[Key], Awaitable[Value]], ttl: Callable[[Value], float]) -> None:
        self._load = load
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._ttl = ttl
        self._entries: OrderedDict[Key, asyncio.Future[tuple[Value, float]]] = OrderedDict()

    async def get(self, key: Key) -> Value:
        """The value, loaded if it is unknown or too old."""
        entry = self._entries.get(key)
        if entry is None or entry.cancelled() or (entry.done() and entry.result()[1] < self._now()):
            entry = asyncio.ensure_future(self._fetch(key))
            self._keep(key, entry)
        else:
            self._entries.move_to_end(key)
        return (await asyncio.shield(entry))[0]

    def __contains__(self, key: Key) -> bool:
        """Whether the value is cached and fresh, or being loaded."""
        entry = self._entries.get(key)
        if entry is None or entry.cancelled():
            return False
        return not entry.done() or entry.result()[1] >= self._now()

    def peek(self, key: Key) -> Value | None:
        """The value if it is cached and fresh, else None."""
        entry = self._entries.get(key)
        if entry is None or not entry.done() or entry.cancelled() or entry.result()[1] < self._now():
            return None
        return entry.result()[0]

    def drop(self, key: Key) -> None:
        """Forget a value; that of a call in flight isn't kept, either."""
        self._entries.pop(key, None)

    def refresh(self, key: Key, age: float) -> None:
        """Forget a value if it is older than `age` seconds."""
        entry = self._entries.get(key)
        if entry is None or not entry.done() or entry.cancelled():
            return
        value, until = entry.result()
        if until - self._ttl(value) + age < self._now():
            self.drop(key)

    def put(self, key: Key, value: Value) -> None:
        """Cache a value that is known without a call."""
        entry: asyncio.Future[tuple[Value, float]] = asyncio.get_running_loop().create_future()
        entry.set_result((value, self._now() + self._ttl(value)))
        self._keep(key, entry)

    async def close(self) -> None:
        """Cancel calls in flight."""
        waiting = [entry for entry in self._entries.values() if not entry.done()]
        for entry in waiting:
            entry.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    def _keep(self, key: Key, entry: asyncio.Future[tuple[Value, float]]) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > ENTRIES:
            self._entries.popitem(last=False)

    async def _fetch(self, key: Key) -> tuple[Value, float]:
        async with self._slots:
            value = await self._load(key)
        return value, self._now() + self._ttl(value)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
