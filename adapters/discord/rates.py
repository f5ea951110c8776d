"""Paces all of a bot's requests to Discord's REST API, to stay within its rate limits.

Discord accepts 50 requests a second from a bot, whatever they are for (except responses to interactions), and some five
messages and five edits in 5 s per channel. Requests refused because of a limit (429) or missing permission (401, 403)
count as invalid, and 10,000 of those within ten minutes get the bot banned temporarily.
https://docs.discord.com/developers/topics/rate-limits

discord.py respects each route's limit, but the global one only once it is hit. So every request, retries included, is
paced here, in an aiohttp trace. The end of an answer takes precedence over what can wait (the steps of growing answers,
typing, histories). Growing answers take turns: the more of them, the fewer steps each gets, with its newest text.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from types import SimpleNamespace
from weakref import WeakValueDictionary

import aiohttp
from discord.http import Route
from yarl import URL

log = logging.getLogger(__name__)

#: Requests a second that Discord accepts, and the share of them that is used: another process may be starting.
PER_SECOND = 50
_USED = 0.9
#: The share of those for requests that can wait; and the share in use from which dispensable requests are skipped.
_LATER = 2 / 3
_SPARE = 1 / 4
#: The limit's window in seconds; and seconds after which a request without a response has certainly arrived.
_WINDOW = 1.0
_STALLED = 3.0
#: After a global 429 the rate is halved, down to this many a second, and then grows by one each second.
_FEWEST = 5
#: From half the limit on invalid requests within its window, the bot sends only 5 a second: at most 3,000 more until
#: the first of them no longer count.
INVALID = 5000
_INVALID_SECONDS = 600.0
_BRAKED = 5
#: Growing answers leave the fifth of a channel's messages and edits within `channel_window` to the ends of answers.
_IN_CHANNEL = 4


class _Slot:
    """The right to one request. It is returned one window after the response, so that no window holds too many."""

    __slots__ = ("later", "timer", "used")

    def __init__(self, *, later: bool) -> None:
        self.later = later
        self.used = False
        self.timer: asyncio.TimerHandle | None = None


#: The slot reserved for this task's next request, and whether the task's requests can wait.
_ahead: ContextVar[_Slot | None] = ContextVar("_ahead", default=None)
_background: ContextVar[bool] = ContextVar("_background", default=False)


@contextmanager
def background() -> Iterator[None]:
    """Mark requests in the block as able to wait."""
    token = _background.set(True)
    try:
        yield
    finally:
        _background.reset(token)


class Rates:
    """The requests of one bot; outlives its connections.

    Attributes:
        invalid: When each invalid request of the last ten minutes was answered.
    """

    def __init__(self, per_second: float = PER_SECOND, channel_window: float = 5.0, brake: int = INVALID) -> None:
        """`channel_window` is the window of a channel's limit, in seconds; past `brake` invalid requests, slow down."""
        self._most = max(1, int(per_second * _USED))
        self._allowed = self._most
        self._channel_window = channel_window
        self._held = self._held_later = 0
        self._now: deque[asyncio.Future[_Slot]] = deque()
        self._later: deque[asyncio.Future[_Slot]] = deque()
        self._paused_until = 0.0
        self._recovery: asyncio.TimerHandle | None = None
        self._brake = brake
        self._braking = False
        self._written: dict[tuple[str, str], deque[float]] = {}
        self._growing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.invalid: deque[float] = deque()

    def trace(self) -> aiohttp.TraceConfig:
        """The trace that paces a client's requests."""
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(self._start)
        trace.on_request_end.append(self._end)
        trace.on_request_exception.append(self._failed)
        return trace

    @asynccontextmanager
    async def growing(self, channel: int) -> AsyncIterator[None]:
        """Wait for a growing answer's turn in a channel; show its newest text in the block."""
        lock = self._growing.setdefault(str(channel), asyncio.Lock())
        async with lock:  # fair: the channel's answers take turns
            while wait := self._full(str(channel)):  # noqa: ASYNC110 - only time makes room
                await asyncio.sleep(wait)
            slot = await self._acquire(later=True)
            token = _ahead.set(slot)
            try:
                yield
            finally:
                _ahead.reset(token)
                if not slot.used:
                    self._free(slot)

    @contextmanager
    def spare(self) -> Iterator[bool]:
        """Whether a dispensable request may be made now, in the block."""
        if self._later or self._held >= self._allowed * _SPARE or not self._has_room(later=True):
            yield False
            return
        slot = self._grant(later=True)
        token = _ahead.set(slot)
        try:
            yield True
        finally:
            _ahead.reset(token)
            if not slot.used:
                self._free(slot)

    async def _start(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, request: aiohttp.TraceRequestStartParams
    ) -> None:
        path = _rest_path(request.url)
        if path is None or path[0] in ("interactions", "webhooks"):  # they have their own limits, and only 3 seconds
            return
        slot = _ahead.get()
        if slot is None or slot.used:
            slot = await self._acquire(later=_background.get())
        slot.used = True
        context.slot = slot
        if len(path) > 2 and path[0] == "channels" and path[2] == "messages":
            self._note(path[1], request.method)

    async def _end(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, request: aiohttp.TraceRequestEndParams
    ) -> None:
        if _rest_path(request.url) is None:
            return
        headers = request.response.headers
        status = request.response.status
        if status in (401, 403) or (status == 429 and headers.get("X-RateLimit-Scope") != "shared"):
            self._count_invalid()
        # Without Via, the response comes not from Discord but from what enforces the ban.
        if status == 429 and (headers.get("X-RateLimit-Global") or not headers.get("Via")):
            self._slow_down(_seconds(headers.get("Retry-After", "")))
        self._done(context)

    async def _failed(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, request: aiohttp.TraceRequestExceptionParams
    ) -> None:
        self._done(context)

    def _done(self, context: SimpleNamespace) -> None:
        slot: _Slot | None = getattr(context, "slot", None)
        if slot and slot.timer:
            slot.timer.cancel()
            slot.timer = asyncio.get_running_loop().call_later(_WINDOW, self._free, slot)

    async def _acquire(self, *, later: bool) -> _Slot:
        waiting = self._later if later else self._now
        if not self._now and not (later and self._later) and self._has_room(later=later):
            return self._grant(later=later)
        future: asyncio.Future[_Slot] = asyncio.get_running_loop().create_future()
        waiting.append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._free(future.result())
            raise

    def _has_room(self, *, later: bool) -> bool:
        if asyncio.get_running_loop().time() < self._paused_until:
            return False
        allowed = min(self._allowed, _BRAKED) if self._is_braking() else self._allowed
        return self._held < allowed and not (later and self._held_later >= max(1, int(allowed * _LATER)))

    def _grant(self, *, later: bool) -> _Slot:
        slot = _Slot(later=later)
        self._held += 1
        self._held_later += later
        slot.timer = asyncio.get_running_loop().call_later(_STALLED + _WINDOW, self._free, slot)
        return slot

    def _free(self, slot: _Slot) -> None:
        if slot.timer is None:
            return
        slot.timer.cancel()
        slot.timer = None
        self._held -= 1
        self._held_later -= slot.later
        self._wake()

    def _wake(self) -> None:
        for waiting, later in ((self._now, False), (self._later, True)):
            while waiting:
                if not waiting[0].done():  # those that were cancelled are
                    if not self._has_room(later=later):
                        return
                    waiting[0].set_result(self._grant(later=later))
                waiting.popleft()

    def _note(self, channel: str, method: str) -> None:
        loop = asyncio.get_running_loop()
        self._written.setdefault((channel, method), deque()).append(loop.time())
        loop.call_later(self._channel_window, self._forget, (channel, method))

    def _forget(self, key: tuple[str, str]) -> None:
        self._written[key].popleft()
        if not self._written[key]:
            del self._written[key]

    def _full(self, channel: str) -> float:
        """Seconds until a channel has room for another step of a growing answer; 0 if it has now."""
        now = asyncio.get_running_loop().time()
        waits = [
            written[-_IN_CHANNEL] + self._channel_window - now
            for method in ("POST", "PATCH")
            if len(written := self._written.get((channel, method), ())) >= _IN_CHANNEL
        ]
        return max([0.0, *waits])

    def _slow_down(self, seconds: float) -> None:
        """The global limit was hit: somebody else uses it, too, or it is lower than assumed."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._paused_until:
            self._allowed = max(min(_FEWEST, self._most), self._allowed // 2)
            log.warning("discord: global rate limit hit; slowing down to %d requests a second", self._allowed)
        self._paused_until = max(self._paused_until, loop.time() + seconds)
        loop.call_later(seconds + 0.01, self._wake)
        if self._recovery is None:
            self._recovery = loop.call_later(seconds + 1, self._recover)

    def _recover(self) -> None:
        self._allowed = min(self._most, self._allowed + 1)
        more = self._allowed < self._most
        self._recovery = asyncio.get_running_loop().call_later(1, self._recover) if more else None
        self._wake()

    def _count_invalid(self) -> None:
        self.invalid.append(asyncio.get_running_loop().time())
        if self._is_braking() and not self._braking:
            self._braking = True
            log.error(
                "discord: %d invalid requests (401, 403, 429) in ten minutes, of the 10,000 that Discord allows; "
                "%d requests a second from now on",
                len(self.invalid),
                _BRAKED,
            )

    def _is_braking(self) -> bool:
        if not self.invalid:
            return False
        since = asyncio.get_running_loop().time() - _INVALID_SECONDS
        while self.invalid and self.invalid[0] < since:
            self.invalid.popleft()
        braking = len(self.invalid) >= self._brake
        if self._braking and not braking:
            self._braking = False
            log.warning("discord: invalid requests have fallen; back to the usual pace")
        return braking


def _rest_path(url: URL) -> list[str] | None:
    """The parts of a REST request's path below the root; None for anything else (the gateway, files)."""
    address = str(url.with_query(None))
    return address[len(Route.BASE) + 1 :].split("/") if address.startswith(Route.BASE + "/") else None


def _seconds(header: str) -> float:
    try:
        return max(0.0, float(header))
    except ValueError:
        return 1.0
