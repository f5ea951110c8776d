"""Remembers for an hour what need not be tried, or said, again on Discord."""

from collections.abc import Hashable

from cachetools import TTLCache

#: Seconds after which keys expire, and how many are kept.
SECONDS = 3600.0
LIMIT = 10_000


class ExpiringSet:
    """Keys that were noted within the last hour."""

    def __init__(self) -> None:
        self._noted: TTLCache[Hashable, None] = TTLCache(LIMIT, SECONDS)

    def note(self, key: Hashable) -> None:
        """Add a key; drop the oldest if there are too many."""
        self._noted[key] = None

    def __contains__(self, key: Hashable) -> bool:
        return key in self._noted


class Places:
    """What is known about the places that answers go to.

    Attributes:
        plain: Channels that don't accept replies.
        notified: (person, channel): who was told by a direct message that the bot can't write there.
    """

    def __init__(self) -> None:
        self.plain = ExpiringSet()
        self.notified = ExpiringSet()
