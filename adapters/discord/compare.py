"""What was deleted and edited on Discord while nobody listened: what the journal knows, held against the histories."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import discord
from cachetools import FIFOCache

from adapters.discord.history import Channels, Unreadable

log = logging.getLogger(__name__)

#: Histories compared at the same time, and pages (of a hundred messages) that are read of each.
READERS = 4
PAGES = 10
#: What was edited shortly before a place was last heard of may not have been told: two clocks, and a process that died.
MARGIN = timedelta(minutes=1)
#: Deletions that are told at once, as many as Discord tells itself.
BULK = 100
#: Discord's code for a message that isn't there, as told from a channel that isn't, or can't be read.
_UNKNOWN_MESSAGE = 10008
#: Deletions that are known, so that they are looked into once in the life of a process.
_GONE = 10_000


@dataclass(slots=True)
class KnownMessages:
    """Messages of one channel that the journal knows; `heard` is when it last heard of the channel."""

    channel: int
    guild: int
    ids: set[int]
    heard: datetime


class Comparison:
    """Tells of known messages that are gone or edited, as the gateway would have.

    A message that is missing from a history counts as deleted only where Discord, asked for it alone, says so: a
    history is empty as well where the bot may not read it.
    """

    def __init__(
        self,
        channels: Channels,
        edited: Callable[[discord.Message, int], Awaitable[None]],
        deleted: Callable[[int, Collection[int]], Awaitable[None]],
    ) -> None:
        """`edited` is told a message and the bot's own user id, `deleted` a channel and the messages that are gone."""
        self._channels = channels
        self._edited = edited
        self._deleted = deleted
        self._waiting: dict[int, KnownMessages] = {}
        self._readers = asyncio.Semaphore(READERS)
        self._gone: FIFOCache[int, None] = FIFOCache(_GONE)

    def expect(self, known: Iterable[KnownMessages]) -> None:
        """Have channels looked through; what an earlier session has left to look at is not lost."""
        for one in known:
            if earlier := self._waiting.get(one.channel):
                one.ids |= earlier.ids
                one.heard = min(one.heard, earlier.heard)
            self._waiting[one.channel] = one

    def told(self, message_ids: Iterable[int]) -> None:
        """Note messages that are known to be deleted."""
        self._gone.update(dict.fromkeys(message_ids))

    async def look(self, first: Collection[int]) -> None:
        """Look through the channels that wait for it, these before the others."""
        order = sorted(self._waiting, key=lambda channel: channel not in first)
        await asyncio.gather(*map(self._one, order))

    async def _one(self, channel: int) -> None:
        async with self._readers:
            known = self._waiting.pop(channel, None)  # None where another session's look has been at it
            if known is None:
                return
            try:
                await self._compare(known)
            except Unreadable as exc:
                if not exc.gone:
                    self.expect([known])  # for the next session
            except Exception as exc:  # noqa: BLE001 - what can't be compared in one channel stops no other
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
        missing = sorted(one for one in known.ids if one >= since and one not in found and one not in self._gone)
        gone: list[int] = []
        try:
            for one in missing:
                if await self._is_gone(known, one):
                    gone.append(one)
        finally:  # what is certain is told, whatever became of the others
            if gone:
                log.info("discord: %d messages of channel %d were deleted while offline", len(gone), known.channel)
            for start in range(0, len(gone), BULK):
                await self._finish(self._deleted(known.channel, gone[start : start + BULK]))

    async def _is_gone(self, known: KnownMessages, message_id: int) -> bool:
        """Whether Discord says of this very message that there is none. Raises Unreadable where it says nothing."""

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
        """Wait for what is told. It goes on where the stop ends the waiting: it is the stop's to wait for then."""
        await asyncio.shield(asyncio.ensure_future(telling))


async def _history(channel: discord.abc.Messageable, ids: set[int]) -> tuple[dict[int, discord.Message], int]:
    """The messages around these, newest first, and the id from which on none is left out."""
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
