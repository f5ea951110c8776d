"""What a person may send within a minute."""

from bisect import bisect_right, insort
from datetime import datetime

from cachetools import LRUCache

#: People remembered at once; the one heard longest ago gives way.
PEOPLE = 10_000
#: The window, in seconds.
WINDOW = 60.0


class Allowance:
    """Counts what people send in a sliding minute. `per_minute` 0 is no limit.

    What counts is when it was written, by the platform's clock: what piled up while the bot was down arrives at once,
    and was not sent at once.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._sent: LRUCache[str, list[float]] = LRUCache(PEOPLE)
        self._told: LRUCache[str, float] = LRUCache(PEOPLE)

    def take(self, person_key: str, at: datetime) -> bool:
        """Whether what that person sent at that time is within the allowance; then it counts."""
        if self._per_minute == 0:
            return True
        sent = self._sent.setdefault(person_key, [])
        when = at.timestamp()
        if bisect_right(sent, when) - bisect_right(sent, when - WINDOW) >= self._per_minute:
            return False
        insort(sent, when)
        # Twice as many as fit one window: enough where messages arrive out of order.
        del sent[: -2 * self._per_minute]
        return True

    def tell(self, person_key: str, now: float) -> bool:
        """Whether to tell that person so, `now` being any clock's seconds: once a minute."""
        if now - self._told.get(person_key, -WINDOW) < WINDOW:
            return False
        self._told[person_key] = now
        return True
