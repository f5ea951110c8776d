"""How often the Slack on loopback may be called: each method by its tier in any minute, and posts by channel."""

import math
from collections import Counter, deque
from collections.abc import Callable

#: Calls a minute of a tier, as documented.
TIERS = {1: 1, 2: 20, 3: 50, 4: 100}
METHODS = {
    "chat.appendStream": TIERS[4],
    "chat.startStream": TIERS[2],
    "chat.stopStream": TIERS[2],
    "chat.update": TIERS[3],
    "chat.delete": TIERS[3],
    "chat.postEphemeral": TIERS[4],
    "conversations.history": TIERS[3],
    "conversations.info": TIERS[3],
    "conversations.open": TIERS[3],
    "conversations.replies": TIERS[3],
    "files.completeUploadExternal": TIERS[4],
    "files.getUploadURLExternal": TIERS[4],
    "files.info": TIERS[4],
    "reactions.add": TIERS[3],
    "reactions.remove": TIERS[2],
    "usergroups.list": TIERS[2],
    "users.info": TIERS[4],
    "views.open": TIERS[4],
    "views.publish": TIERS[4],
    # Special tiers: a workspace-wide limit of "several hundred" posts, and what is known of the status line.
    "chat.postMessage": 300,
    "assistant.threads.setStatus": 600,
}
#: Posts that a channel takes at once, and how many a second it takes then.
BURST = 5
POSTS_A_SECOND = 1.0


class Limits:
    """Slack's rate limits in one workspace, by `clock`, in seconds; `refused` counts the calls that met one."""

    def __init__(self, clock: Callable[[], float], minute: float = 60.0) -> None:
        self._clock = clock
        self._minute = minute
        self._calls: dict[str, deque[float]] = {}
        self._channels: dict[str, tuple[float, float]] = {}
        self.refused: Counter[str] = Counter()

    def wait(self, method: str, channel: str = "") -> int:
        """Seconds for `Retry-After`; 0 where the call may be made, which counts it."""
        now = self._clock()
        wait = self._by_method(method, now)
        if not wait and method == "chat.postMessage":
            wait = self._by_channel(channel, now)
        if wait:
            self.refused[method] += 1
            return max(1, math.ceil(wait))
        self._calls.setdefault(method, deque()).append(now)
        return 0

    def _by_method(self, method: str, now: float) -> float:
        calls = self._calls.get(method, deque())
        while calls and calls[0] <= now - self._minute:
            calls.popleft()
        limit = METHODS.get(method)
        return calls[0] + self._minute - now if limit is not None and len(calls) >= limit else 0.0

    def _by_channel(self, channel: str, now: float) -> float:
        tokens, at = self._channels.get(channel, (float(BURST), now))
        tokens = min(BURST, tokens + (now - at) * POSTS_A_SECOND)
        if tokens < 1:
            return (1 - tokens) / POSTS_A_SECOND
        self._channels[channel] = (tokens - 1, now)
        return 0.0
