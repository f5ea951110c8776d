"""Paces all calls of a workspace together, as Slack counts them.

Slack limits each method per app and workspace, to its documented tier within any sixty seconds. `chat.update` is the
scarce one, 50 a minute for all answers. So that an answer's last edit never waits for intermediate ones, each growing
answer reserves one call for its end, and the more answers grow, the rarer the intermediate edits.
"""

import asyncio
from bisect import insort
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from cachetools import LRUCache
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters.slack.errors import PaceExceeded, is_rate_limited, retry_after

#: Calls a minute of frequently called methods, by tier (1: 1, 2: 20, 3: 50, 4: 100).
PER_MINUTE = {
    "chat.appendStream": 100,
    "chat.startStream": 20,
    "chat.stopStream": 20,
    "chat.update": 50,
    "chat.delete": 50,
    "chat.postEphemeral": 100,
    "conversations.history": 50,
    "conversations.info": 50,
    "conversations.open": 50,
    "conversations.replies": 50,
    "files.completeUploadExternal": 100,
    "files.getUploadURLExternal": 100,
    "files.info": 100,
    "reactions.add": 50,
    "reactions.remove": 20,
    "usergroups.list": 20,
    "users.info": 100,
    "views.open": 100,
    "views.publish": 100,
    # Special tiers: "several hundred" per workspace, and the documented one of the status.
    "chat.postMessage": 300,
    "assistant.threads.setStatus": 600,
}
#: Seconds: a minute, and a margin for calls that arrive closer together than they were sent.
MINUTE = 61.0
#: One post a second per channel, in bursts of up to four.
POST_EVERY = 1.0
POST_BURST = 4
#: Channels whose last posts are remembered.
CHANNELS = 1_000
#: Seconds between two edits of an answer, if no other is growing.
EVERY = 1.2
#: Seconds between two appends to a stream, if no other is open.
APPEND_EVERY = 0.5
#: Seconds to wait if Slack limits a call without saying for how long.
HOLD = 1.0
#: Seconds that a method which the workspace doesn't offer isn't called.
REFUSED_FOR = 3600.0

_EDIT = "chat.update"
_POST = "chat.postMessage"
_APPEND = "chat.appendStream"
_STOP = "chat.stopStream"


class Pace:
    """When the next call of a method may be made. `clock` is in seconds."""

    def __init__(
        self,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._sleep = sleep
        self._made: dict[str, list[float]] = {}
        self._held: dict[str, float] = {}
        self._posts: LRUCache[str, float] = LRUCache(CHANNELS)
        self._reserved: Counter[str] = Counter()
        self._refused: dict[str, float] = {}

    def delay(self, method: str, channel: str = "", *, spare: int = 0) -> float:
        """Seconds until a method may be called next, leaving `spare` calls of each minute to others."""
        now = self._clock()
        made = self._recent(method)
        at = max(now, self._held.get(method, now))
        limit = max(PER_MINUTE[method] - spare, 1) if method in PER_MINUTE else len(made) + 1
        if len(made) >= limit:
            at = max(at, made[-limit] + MINUTE)
        if method == _POST:
            at = max(at, self._posts.get(channel, now) - POST_BURST * POST_EVERY + POST_EVERY)
        return at - now

    async def turn(self, method: str, channel: str = "", *, longest_wait: float | None = None, spare: int = 0) -> None:
        """Wait until a method may be called, first come, first served; `spare` as for `delay`.

        Raises PaceExceeded if that takes more than `longest_wait` seconds.
        """
        delay = self.delay(method, channel, spare=spare)
        if longest_wait is not None and delay > longest_wait:
            raise PaceExceeded(delay)
        at = self._clock() + delay
        if method in PER_MINUTE:
            insort(self._made.setdefault(method, []), at)
        if method == _POST:
            self._posts[channel] = max(self._posts.pop(channel, at), at) + POST_EVERY
        while (left := max(at, self._held.get(method, at)) - self._clock()) > 0:
            await self._sleep(max(left, 0.001))

    def now(self) -> float:
        """The clock's seconds."""
        return self._clock()

    def hold(self, method: str, seconds: float) -> None:
        """Don't call a method for some seconds, as Slack has rate-limited it."""
        self._held[method] = max(self._held.get(method, 0.0), self._clock() + (seconds or HOLD))

    def refuse(self, method: str) -> None:
        """Note that the workspace doesn't offer a method."""
        self._refused[method] = self._clock() + REFUSED_FOR

    def is_refused(self, method: str) -> bool:
        """Whether the workspace was found not to offer a method, in the last hour."""
        return self._clock() < self._refused.get(method, 0.0)

    def reserve(self, method: str) -> bool:
        """Reserve a call of a method for later; False while there is no room for it."""
        if self.delay(method) or self._left(method) < 1:
            return False
        self._reserved[method] += 1
        return True

    def unreserve(self, method: str) -> None:
        """Return what `reserve` reserved, right before the call or if there is none."""
        self._reserved[method] -= 1

    # -- answers that grow

    def begin(self) -> bool:
        """Let one more answer grow, reserving an edit for its end; False while there is no room for it."""
        if self.delay(_EDIT) or self._left(_EDIT) < 2:
            return False
        self._reserved[_EDIT] += 1
        return True

    def end(self) -> None:
        """Return what `begin` reserved, right before the last edit or if there is none."""
        self.unreserve(_EDIT)

    def may_edit(self) -> bool:
        """Whether a growing answer may be edited now, leaving all others their last edit."""
        return not self.delay(_EDIT) and self._left(_EDIT) > 0

    def interval(self) -> float:
        """Seconds between two edits of each growing answer.

        What is left of a minute's limit is spent within a quarter of it, the time that most answers take; when it runs
        low, edits slow down to the rate that the limit allows permanently.
        """
        return max(EVERY, self._share(_EDIT, max(self._reserved[_EDIT], 1)))

    def append_interval(self) -> float:
        """Seconds between two appends to each open stream, likewise."""
        return max(APPEND_EVERY, self._share(_APPEND, max(self._reserved[_STOP], 1)))

    def _share(self, method: str, users: int) -> float:
        """Seconds between two calls of a method for each of its users."""
        soon = MINUTE / 4 * users / max(self._left(method), 1)
        for_good = MINUTE * users / max(PER_MINUTE[method] - self._reserved[method], 1)
        return min(soon, for_good)

    def _left(self, method: str) -> int:
        return PER_MINUTE[method] - len(self._recent(method)) - self._reserved[method]

    def _recent(self, method: str) -> list[float]:
        made = self._made.get(method, [])
        since = self._clock() - MINUTE
        while made and made[0] <= since:
            del made[0]
        return made


class PacedClient(AsyncWebClient):
    """Slack's client, whose calls wait for their turn.

    A call that would wait longer than `longest_wait` seconds raises PaceExceeded; one that Slack rate-limits anyway is
    retried `retries` times. `spare` calls of each minute are left to others. Calls that aren't `paced` have already
    waited for their turn.
    """

    def __init__(
        self,
        token: str,
        pace: Pace,
        *,
        paced: bool = True,
        longest_wait: float | None = None,
        retries: int = 0,
        spare: int = 0,
        **about: Any,
    ) -> None:
        super().__init__(token, **about)
        self._pace = pace
        self._paced = paced
        self._longest_wait = longest_wait
        self._retries = retries
        self._spare = spare

    async def api_call(self, api_method: str, **about: Any) -> AsyncSlackResponse:
        """Make one call. Raises SLACK_ERRORS."""
        sent: dict[str, Any] = about.get("json") or about.get("data") or about.get("params") or {}
        for left in range(self._retries, -1, -1):
            if self._paced:
                channel = str(sent.get("channel") or "")
                await self._pace.turn(api_method, channel, longest_wait=self._longest_wait, spare=self._spare)
            try:
                return await super().api_call(api_method, **about)
            except SlackApiError as exc:
                if not is_rate_limited(exc):
                    raise
                self._pace.hold(api_method, retry_after(exc))
                if not left:
                    raise
        raise AssertionError("unreachable")
