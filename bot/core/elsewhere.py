"""Answers that other processes give, and what those tell of the answers in progress here.

An edit, a deletion or a "stop" may reach another process than the one that answers. It is then written into the
journal, where this process looks every second while it answers anything: no message waits for that.
"""

import asyncio
import logging

from bot.core.in_progress import InProgress
from bot.ports import JournalUnavailable, Signals

log = logging.getLogger(__name__)

#: Seconds between two looks.
EVERY = 1.0
#: Looks after the last answer: another process may hear of its end later than this one.
AFTER = 5


class Elsewhere:
    """Tells other processes, and listens to them. Without `signals` there are none."""

    def __init__(self, in_progress: InProgress, signals: Signals | None = None, *, every: float = EVERY) -> None:
        self._in_progress = in_progress
        self._signals = signals
        self._every = every

    async def stop(self, person_key: str, conversation: str) -> bool:
        """Have other processes stop what they answer somebody in a conversation; False if that is nothing."""
        return self._signals is not None and await self._signals.stop(person_key, conversation)

    async def stop_one(self, event_id: str, person_key: str) -> bool:
        """Have another process stop the answer to a message, for whoever wrote it; False if none gives it."""
        return self._signals is not None and await self._signals.stop_one(event_id, person_key)

    async def look(self) -> None:
        """Pass on what other processes tell. Never raises: failures are logged."""
        if self._signals is None:
            return
        try:
            told = await self._signals.take()
        except JournalUnavailable as exc:
            log.warning("what other processes tell of answers in progress can't be read: %s", exc)
            return
        for event_id, signal, said in told:
            await self._in_progress.told(event_id, signal, said)

    async def run(self) -> None:
        """Look while there are answers in progress, and a few times after the last, until cancelled."""
        left = 0
        while True:
            await asyncio.sleep(self._every)
            left = AFTER if self._in_progress.busy else max(left - 1, -1)
            if left >= 0:
                await self.look()
