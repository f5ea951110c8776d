"""What was found out about places and people on Discord, for an hour: what needn't be tried, or said, again."""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable

#: Seconds for which it holds, and how much is known at the same time.
SECONDS = 3600.0
MOST = 10_000


class ExpiringSet:
    """Keys that were noted within the last hour."""

    def __init__(self) -> None:
        self._noted: OrderedDict[Hashable, float] = OrderedDict()

    def note(self, key: Hashable) -> None:
        """Know a key from now on; the oldest gives way where too many are known."""
        self._noted[key] = asyncio.get_running_loop().time()
        self._noted.move_to_end(key)
        if len(self._noted) > MOST:
            self._noted.popitem(last=False)

    def __contains__(self, key: Hashable) -> bool:
        noted = self._noted.get(key)
        return noted is not None and asyncio.get_running_loop().time() - noted < SECONDS


class Places:
    """What is known of the places that answers go to.

    Attributes:
        plain: Channels that take no replies.
        told: (person, channel): who has heard by a direct message that the bot can't write there.
    """

    def __init__(self) -> None:
        self.plain = ExpiringSet()
        self.told = ExpiringSet()
