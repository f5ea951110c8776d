"""Messages of one person that are one thought, and get one answer.

A message that comes while an earlier one is unanswered joins it in the journal as it is admitted. If that answer isn't
whole yet, it begins again in place, to both; if it is, it stays, and the message is answered by itself after it.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from cachetools import FIFOCache

from bot.core.in_progress import InProgress
from bot.events import MessageEvent
from bot.logs import describe
from bot.ports import Inbox, JournalUnavailable

log = logging.getLogger(__name__)

#: Limit on what is noted of thoughts that have grown.
KEPT = 1000


class Thoughts:
    """Keeps what has joined an earlier message from being answered beside it."""

    def __init__(self, inbox: Inbox, in_progress: InProgress) -> None:
        self._inbox = inbox
        self._in_progress = in_progress
        #: What messages that were admitted here have joined, even if its own turn hasn't come yet.
        self._joined: FIFOCache[str, None] = FIFOCache(KEPT)

    def admitted(self, event: MessageEvent) -> None:
        """An event has just been admitted here."""
        if (first := self._inbox.joined(event.id)) is not None:
            self._joined[first] = None

    def has_grown(self, event: MessageEvent) -> bool:
        """Whether other messages may have joined an event since it was read."""
        return event.id in self._joined

    def joins(self, event: MessageEvent) -> bool:
        """Whether an event has joined another."""
        return self._inbox.joined(event.id) is not None

    async def answered_along(self, event: MessageEvent) -> bool:
        """Whether the answer to the event that another has joined is to that one too, or will be.

        Returns once that answer has ended, if it is given here.
        """
        first = self._inbox.joined(event.id)
        if first is None:
            return False
        try:
            await self._in_progress.join(first, event.id)
            return not await self._inbox.release(event.id)
        except JournalUnavailable as exc:
            log.error("%s: left for later: %s", event.id, describe(exc))
            return True


def merged(event: MessageEvent, quoted: Sequence[str] = ()) -> MessageEvent:
    """One message that says what a thought's messages say, in order; `quoted` is what those that joined it read as."""
    if not event.joined:
        return event
    texts = dict(zip((each.id for each in event.joined), quoted, strict=False))
    parts = [texts.get(each.id, each.text) for each in event.thought]
    text = "\n\n".join(part for part in parts if part.strip())
    files = [
        file if each is event or file.message else replace(file, message=each.id)
        for each in event.thought
        for file in each.attachments
    ]
    spoken = bool(text or files or any(each.forwarded for each in event.thought))
    return replace(
        event,
        text=text,
        attachments=tuple(files),
        forwarded=tuple(forwarded for each in event.thought for forwarded in each.forwarded),
        quoted_files=tuple(file for each in event.thought for file in each.quoted_files),
        bare=event.bare and not spoken,
        notice="" if spoken else event.notice,
    )
