"""Limits how many messages a person may send per minute."""

from bisect import bisect_right, insort
from datetime import datetime

from cachetools import LRUCache

#: People tracked at most; least recently active ones are dropped.
PEOPLE = 10_000
#: The window, in seconds.
WINDOW = 60.0


class Allowance:
    """Counts each person's messages in a sliding minute. 0 `per_minute` means no limit.

    Messages count by when they were written, on the platform's clock: those that piled up while the bot was down arrive
    all at once, but weren't sent so.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._sent: LRUCache[str, list[float]] = LRUCache(PEOPLE)
        self._told_at: LRUCache[str, float] = LRUCache(PEOPLE)

    def spend(self, person_key: str, at: datetime) -> bool:
        """Whether a message that was sent then is within the person's allowance; if so, count it."""
        if self._per_minute == 0:
            return True
        sent = self._sent.setdefault(person_key, [])
        when = at.timestamp()
        if bisect_right(sent, when) - bisect_right(sent, when - WINDOW) >= self._per_minute:
            return False
        insort(sent, when)
        # Twice as many as fit in one window: enough when messages arrive out of order.
        del sent[: -2 * self._per_minute]
        return True

    def should_tell(self, person_key: str, now: float) -> bool:
        """Whether to tell that person so: once a minute. `now` is in seconds, by any clock."""
        if now - self._told_at.get(person_key, -WINDOW) < WINDOW:
            return False
        self._told_at[person_key] = now
        return True
