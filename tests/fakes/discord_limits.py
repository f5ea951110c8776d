"""The fake Discord's rate limits: 50 requests a second for all, and five in 5 s per channel and route.

As in https://docs.discord.com/developers/topics/rate-limits: headers tell of a route's limit, and a 429 of either.
"""

import time
from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limited:
    """A request that was refused: for the limit of all or of its route, with the seconds to wait."""

    everywhere: bool
    seconds: float


@dataclass
class Limits:
    """Counts a bot's requests.

    The window of all slides: no second ever holds more than `per_second`. A route's begins with its first request.

    Attributes:
        per_second: How many of all requests, answers to interactions aside, a second takes.
        in_channel: How many of a channel's messages, or edits, its window takes.
        window: The seconds of that window.
        refused: Each refused request: (method, path, whether for the limit of all).
    """

    per_second: int = 50
    in_channel: int = 5
    window: float = 5.0
    refused: list[tuple[str, str, bool]] = field(default_factory=list)
    _all: deque[float] = field(default_factory=deque)
    _routes: dict[str, tuple[float, int]] = field(default_factory=dict)

    def take(self, method: str, path: str) -> tuple[Limited | None, dict[str, str]]:
        """Count a request: what refuses it, if anything does, and its route's headers."""
        now = time.monotonic()
        parts = path.removeprefix("/api/v10/").split("/")
        if parts[0] in ("interactions", "webhooks"):
            return None, {}
        if wait := _wait(self._all, now, 1.0, self.per_second):
            self.refused.append((method, path, True))
            return Limited(True, wait), {"X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"}
        headers: dict[str, str] = {}
        if parts[0] == "channels" and "messages" in parts and method in ("POST", "PATCH"):
            key = f"{method} {parts[1]}"
            began, count = self._routes.get(key, (now, 0))
            if now >= began + self.window:
                began, count = now, 0
            reset = began + self.window - now
            if count >= self.in_channel:
                self.refused.append((method, path, False))
                return Limited(False, reset), self._headers(method, 0, reset) | {"X-RateLimit-Scope": "user"}
            self._routes[key] = began, count + 1
            headers = self._headers(method, self.in_channel - count - 1, reset)
        self._all.append(now)
        return None, headers

    def _headers(self, method: str, remaining: int, reset: float) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.in_channel),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": f"{time.time() + reset:.3f}",
            "X-RateLimit-Reset-After": f"{reset:.3f}",
            "X-RateLimit-Bucket": f"{method.lower()}-message",
        }


def _wait(times: deque[float], now: float, window: float, limit: int) -> float:
    """Seconds until a window takes one more; 0 where it does now."""
    while times and times[0] <= now - window:
        times.popleft()
    return times[0] + window - now if len(times) >= limit else 0.0
