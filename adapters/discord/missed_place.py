"""One place on Discord, and its missed messages."""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import discord

from adapters.discord import paste
from adapters.discord.followups import Followups
from adapters.discord.history import Channels, Unreadable
from bot.events import MessageEvent

#: Seconds to wait at most for a session's guilds, which determine a channel's audience.
_GUILDS_SECONDS = 15.0


@dataclass(slots=True, eq=False)
class Place:
    """A place spoken in before; `missed` is None until its history is read. Read and admitted under `lock`.

    Its messages are answered one after the other, under `answers`, except those in `live`, which the gateway delivered
    too. Those in `gone` were deleted before their turn. A place that can't be read now (`late`) holds nothing up.
    """

    channel: int
    guild: int
    after: int
    guilds: asyncio.Event
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    answers: asyncio.Lock = field(default_factory=asyncio.Lock)
    missed: deque[MessageEvent] | None = None
    live: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    late: bool = False

    async def read(self, channels: Channels, followups: Followups, hours: float) -> deque[MessageEvent]:
        """What was missed within the last `hours`. Reads once, retrying transient errors; empty if they last."""
        if self.missed is not None:
            return self.missed
        missed: deque[MessageEvent] = deque()
        if self.guild:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.guilds.wait(), _GUILDS_SECONDS)
        oldest = discord.utils.time_snowflake(datetime.now(UTC) - timedelta(hours=hours), high=True)
        after = max(self.after, oldest)

        async def read(client: discord.Client, channel: discord.abc.Messageable) -> None:
            nonlocal after
            if (_last(channel) or after + 1) <= after:
                return
            async for message in channel.history(limit=None, after=discord.Object(after), oldest_first=True):
                after = message.id
                if client.user is None:
                    continue
                follows = await followups.follows(message, client.user.id, missed=True)
                event = await paste.read(message, client.user.id, follows=follows, readable=followups.readable)
                if event is not None:
                    missed.append(event)

        try:
            await channels.read(self.channel, self.guild, read)
        except Unreadable as exc:
            if not exc.gone:
                self.late = True
                return deque()
        self.missed = missed
        return missed


def _last(channel: object) -> int | None:
    """The id of a channel's newest message, if the session provided it."""
    last = getattr(channel, "last_message_id", None)
    return last if isinstance(last, int) else None
