"""What was found out about places and people on Discord, for an hour: what needn't be tried, or said, again."""

from collections.abc import Hashable

from cachetools import TTLCache

#: Seconds for which it holds, and how much is known at the same time.
SECONDS = 3600.0
LIMIT = 10_000


class ExpiringSet:
    """Keys that were noted within the last hour."""

    def __init__(self) -> None:
        self._noted: TTLCache[Hashable, None] = TTLCache(LIMIT, SECONDS)

    def note(self, key: Hashable) -> None:
        """Know a key from now on; the oldest gives way where too many are known."""
        self._noted[key] = None

    def __contains__(self, key: Hashable) -> bool:
        return key in self._noted


class Places:
    """What is known of the places that answers go to.

    Attributes:
        plain: Channels that take no replies.
        told: (person, channel): who has heard by a direct message that the bot can't write there.
    """

    def __init__(self) -> None:
        self.plain = ExpiringSet()
        self.told = ExpiringSet()
