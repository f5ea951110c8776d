"""Exponential back-off with a limit, and with jitter where many may have failed at once."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Backoff:
    """`first` seconds, then twice as long after each further failure, at most `longest`."""

    first: float
    longest: float = inf

    def after(self, failures: int) -> float:
        """The pause after so many failures in a row (from 1), in seconds."""
        return min(self.first * 2.0 ** min(max(failures, 1) - 1, 30), self.longest)

    def jittered(self, failures: int, jitter: Callable[[], float] = random.random) -> float:
        """The same and up to half as long again, so that after an outage not everything retries at once.

        `jitter` returns 0 to 1.
        """
        return self.after(failures) * (1 + jitter() / 2)


class Pauses:
    """Waits through a back-off's pauses, jittered; for what is retried as long as the bot runs."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._failures = 0

    def reset(self) -> None:
        """Start again with the first pause."""
        self._failures = 0

    async def wait(self) -> None:
        """Sleep for the next pause."""
        self._failures += 1
        await asyncio.sleep(self._backoff.jittered(self._failures))
