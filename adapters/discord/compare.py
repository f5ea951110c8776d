"""Finds what was deleted or edited on Discord while disconnected, by comparing the journal with the histories."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import discord
from cachetools import FIFOCache

from adapters.discord.history import Channels, Unreadable

log = logging.getLogger(__name__)

#: Histories compared concurrently, and pages (of a hundred messages) read of each.
READERS = 4
PAGES = 10
#: Edits shortly before a place was last heard of may not have been delivered: clocks differ, and a process died.
MARGIN = timedelta(minutes=1)
#: Deletions reported in one call, as many as Discord reports.
BULK = 100
#: Discord's code for an unknown message, as opposed to an unknown or unreadable channel.
_UNKNOWN_MESSAGE = 10008
#: Deletions remembered, so that a process checks each only once.
_GONE = 10_000


@dataclass(slots=True)
class KnownMessages:
    """Messages in one channel that the journal knows; `heard` is when it last heard from the channel."""

    channel: int
    guild: int
    ids: set[int]
    heard: datetime


class Comparison:
    """Reports known messages that were deleted or edited, as the gateway would have.

    A message that is missing from a history counts as deleted only if Discord confirms that for the message itself: a
    history is also empty if the bot may not read it.
    """

    def __init__(
        self,
        channels: Channels,
        edited: Callable[[discord.Message, int], Awaitable[None]],
        deleted: Callable[[int, Collection[int]], Awaitable[None]],
    ) -> None:
        """`edited` gets a message and the bot's own user id, `deleted` a channel and the deleted messages."""
        self._channels = channels
        self._edited = edited
        self._deleted = deleted
        self._waiting: dict[int, KnownMessages] = {}
        self._readers = asyncio.Semaphore(READERS)
        self._gone: FIFOCache[int, None] = FIFOCache(_GONE)

    def expect(self, known: Iterable[KnownMessages]) -> None:
        """Queue channels for comparison, keeping what an earlier session has left to compare."""
        for messages in known:
            if earlier := self._waiting.get(messages.channel):
                messages.ids |= earlier.ids
                messages.heard = min(messages.heard, earlier.heard)
            self._waiting[messages.channel] = messages

    def note_deleted(self, message_ids: Iterable[int]) -> None:
        """Note messages that are already known to be deleted."""
        self._gone.update(dict.fromkeys(message_ids))

    async def look(self, first: Collection[int]) -> None:
        """Compare the channels that are queued, these before the others."""
        order = sorted(self._waiting, key=lambda channel: channel not in first)
        await asyncio.gather(*map(self._compare_channel, order))

    async def _compare_channel(self, channel: int) -> None:
        async with self._readers:
            known = self._waiting.pop(channel, None)  # None if another session has compared it
            if known is None:
                return
            try:
                await self._compare(known)
            except Unreadable as exc:
                if not exc.gone:
                    self.expect([known])  # for the next session
            except Exception as exc:  # noqa: BLE001 - one channel's failure must not stop the others
                log.error("discord: channel %d could not be compared with the journal: %s", channel, type(exc).__name__)

    async def _compare(self, known: KnownMessages) -> None:
        async def history(
            client: discord.Client, channel: discord.abc.Messageable
        ) -> tuple[dict[int, discord.Message], int]:
            return await _history(channel, known.ids)

        found, since = await self._channels.read(known.channel, known.guild, history)
        edited = [
            message
            for message_id, message in found.items()
            if message_id in known.ids and message.edited_at and message.edited_at > known.heard - MARGIN
        ]
        if edited and (me := (await self._channels.online()).user):
            for message in edited:
                await self._finish(self._edited(message, me.id))
        missing = sorted(
            message_id
            for message_id in known.ids
            if message_id >= since and message_id not in found and message_id not in self._gone
        )
        gone: list[int] = []
        try:
            for message_id in missing:
                if await self._is_gone(known, message_id):
                    gone.append(message_id)
        finally:  # report what is certain, even if checking the others fails
            if gone:
                log.info("discord: %d messages of channel %d were deleted while offline", len(gone), known.channel)
            for start in range(0, len(gone), BULK):
                await self._finish(self._deleted(known.channel, gone[start : start + BULK]))

    async def _is_gone(self, known: KnownMessages, message_id: int) -> bool:
        """Whether Discord says that this message doesn't exist. Raises Unreadable if it doesn't answer."""

        async def ask(client: discord.Client, channel: discord.abc.Messageable) -> bool:
            try:
                await channel.fetch_message(message_id)
            except discord.NotFound as exc:
                if exc.code != _UNKNOWN_MESSAGE:
                    raise
                return True
            return False

        return await self._channels.read(known.channel, known.guild, ask)

    @staticmethod
    async def _finish(telling: Awaitable[None]) -> None:
        """Wait for a report. If stopping cancels the wait, the report itself continues, and `stop` waits for it."""
        await asyncio.shield(asyncio.ensure_future(telling))


async def _history(channel: discord.abc.Messageable, ids: set[int]) -> tuple[dict[int, discord.Message], int]:
    """The messages around these, newest first, and the id from which on they are complete."""
    found: dict[int, discord.Message] = {}
    before, oldest = max(ids) + 1, min(ids)
    for _ in range(PAGES):
        page = [message async for message in channel.history(limit=100, before=discord.Object(before))]
        found |= {message.id: message for message in page}
        if len(page) < 100:
            return found, oldest
        before = page[-1].id
        if before <= oldest:
            break
    return found, before
