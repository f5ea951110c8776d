"""Holding on to what a platform told while the journal is out of reach: Discord tells nothing twice."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.ports import JournalUnavailable

T = TypeVar("T")

#: Seconds for which the work is tried again, and between two tries.
PATIENCE = 30.0
PAUSE = 1.0


async def retry_until_journal_is_back(work: Callable[[], Awaitable[T]], *, patience: float = PATIENCE) -> T:
    """Do the work, again and again where the journal fails, for `patience` seconds; then raise what it raised."""
    now = asyncio.get_running_loop().time
    end = now() + patience
    while True:
        try:
            return await work()
        except JournalUnavailable:
            if now() >= end:
                raise
        await asyncio.sleep(PAUSE)
