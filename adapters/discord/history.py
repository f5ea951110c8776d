"""Reads Discord channels, through reconnects and transient errors."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import discord

from adapters.discord.messages import DISCORD_ERRORS, Online, Pace
from adapters.discord.rates import background
from adapters.discord.refusals import is_transient, reason
from bot.aio.backoff import Backoff

log = logging.getLogger(__name__)

T = TypeVar("T")

#: What to do with a readable channel, by a client that is logged in.
Look = Callable[[discord.Client, discord.abc.Messageable], Awaitable[T]]

_TRIES = 5


class Unreadable(Exception):
    """A channel can't be read now, or (`gone`) never again: it is deleted, or closed to the bot."""

    def __init__(self, *, gone: bool) -> None:
        super().__init__()
        self.gone = gone


@dataclass(frozen=True, slots=True)
class Channels:
    """The channels, by whichever client is logged in."""

    online: Online
    pace: Pace

    async def read(self, channel: int, guild: int, look: Look[T]) -> T:
        """Return what `look` finds in a channel (`guild` 0: none), retrying transient errors.

        Raises Unreadable, and logs why.
        """
        for attempt in range(1, _TRIES + 1):
            client = await self.online()
            try:
                with background():  # answers go first
                    found = await _channel(client, channel, guild)
                    if not isinstance(found, discord.abc.Messageable):
                        raise Unreadable(gone=True)
                    return await look(client, found)
            except DISCORD_ERRORS as exc:
                if isinstance(exc, discord.InvalidData) or not is_transient(exc):
                    log.info("discord: channel %d could not be read: %s", channel, reason(exc))
                    raise Unreadable(gone=True) from exc
                log.warning("discord: channel %d: reading failed, given up: %s", channel, reason(exc))
                if attempt == _TRIES:
                    raise Unreadable(gone=False) from exc
                await asyncio.sleep(Backoff(2 * self.pace.retry).after(attempt))
            except Unreadable:
                raise
            except Exception as exc:
                log.error("discord: channel %d: unexpected history: %s", channel, type(exc).__name__)
                raise Unreadable(gone=True) from exc
        raise AssertionError("unreachable")


async def _channel(client: discord.Client, channel: int, guild: int) -> object:
    """The channel, with a request only if it isn't cached: archived threads."""
    if not guild:
        return client.get_partial_messageable(channel, type=discord.ChannelType.private)
    return client.get_channel(channel) or await client.fetch_channel(channel)
