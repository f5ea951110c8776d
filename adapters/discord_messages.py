"""The bot's messages in one channel over REST: sent, edited, deleted and found again, through passing trouble."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
import discord

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Nothing that the bot writes pings anybody.
SILENT = discord.AllowedMentions.none()

#: What a failing connection raises, below and above discord.py; aiohttp's closed session is a RuntimeError.
TROUBLE = (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError, RuntimeError)

#: How many of the messages behind a question are searched for its answer, a hundred a request. Where the bot was far
#: behind in a busy channel, the parts of an answer lie far apart, and to miss the last is to take half for the whole.
NEAR = 1000

_TRIES = 5

#: Returns where a message may be shown; raises where another process is showing it, see `bot.ports.Core.confirm`.
Confirm = Callable[[], Awaitable[None]]

#: Waits for a client that is logged in: what is under way outlives a reconnect of the gateway.
Online = Callable[[], Awaitable[discord.Client]]


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds: from the first text to its showing, between edits, between signs of typing, before a retry.

    `turn` is how long a message waits at most for what was missed in its channel, and what was missed for the other
    channels: a busy channel's day, or a thousand channels, take minutes.
    """

    first: float = 1.0
    every: float = 1.2
    typing: float = 8.0
    retry: float = 0.5
    turn: float = 15.0


@dataclass(slots=True)
class Shown:
    """One message of the bot's, and its text as Discord has it."""

    id: int
    text: str


class Messages:
    """What the bot writes in a channel in answer to one message there.

    Every method but `typing` raises ConnectionError where Discord can't be reached or fails for good, and gives None
    where it forbids (no permission, the channel or message is gone), which is logged. What `confirm` raises, which is
    asked right before anything is shown or deleted, is let through.
    """

    def __init__(self, online: Online, channel_id: int, question_id: int, pace: Pace, confirm: Confirm) -> None:
        self._online = online
        self._confirm = confirm
        self._channel_id = channel_id
        self._question_id = question_id
        self._pace = pace

    async def typing(self) -> None:
        """Show typing once, for some ten seconds. Raises what is in TROUBLE."""
        await self._channel(await self._online()).typing()

    async def send(self, text: str, nonce: str, *, aside: bool = False) -> Shown | None:
        """Send a reply to the question; a nonce used minutes ago gives the message sent with it then, as it is now.

        An `aside` is no part of an answer: `replies` leaves it out, by its flag that it shows no link previews.
        """
        reference = discord.MessageReference(
            message_id=self._question_id, channel_id=self._channel_id, fail_if_not_exists=False
        )

        async def send(client: discord.Client) -> Shown:
            if not aside:
                await self._confirm()
            message = await self._channel(client).send(
                text,
                reference=reference,
                mention_author=False,
                allowed_mentions=SILENT,
                nonce=nonce,
                suppress_embeds=aside,
            )
            return Shown(message.id, message.content)

        return await self._call(send)

    async def edit(self, message_id: int, text: str) -> None:
        """Put a text in the place of a message's."""

        async def edit(client: discord.Client) -> None:
            await self._confirm()
            message = self._channel(client).get_partial_message(message_id)
            await message.edit(content=text, allowed_mentions=SILENT)

        await self._call(edit)

    async def delete(self, message_id: int) -> None:
        """Delete a message."""

        async def delete(client: discord.Client) -> None:
            await self._confirm()
            await self._channel(client).get_partial_message(message_id).delete()

        await self._call(delete)

    async def replies(self) -> list[Shown] | None:
        """The bot's replies to the question among the messages right behind it, oldest first, asides left out."""

        async def look(client: discord.Client) -> list[Shown]:
            history = self._channel(client).history(
                after=discord.Object(self._question_id), limit=NEAR, oldest_first=True
            )
            return [
                Shown(message.id, message.content)
                async for message in history
                if client.user
                and message.author.id == client.user.id
                and message.reference
                and message.reference.message_id == self._question_id
                and not message.flags.suppress_embeds
            ]

        return await self._call(look)

    def _channel(self, client: discord.Client) -> discord.PartialMessageable:
        return client.get_partial_messageable(self._channel_id)

    async def _call(self, action: Callable[[discord.Client], Awaitable[T]]) -> T | None:
        """Do it, over reconnects if need be; None where Discord forbids it for good."""
        for attempt in range(1, _TRIES + 1):
            client = await self._online()
            try:
                return await action(client)
            except (discord.Forbidden, discord.NotFound) as exc:
                log.warning("discord:%d: refused: %s %d", self._question_id, type(exc).__name__, exc.code)
                return None
            except TROUBLE as exc:
                passing = not isinstance(exc, discord.HTTPException) or exc.status >= 500 or exc.status == 429
                if not passing or attempt == _TRIES:
                    raise ConnectionError(f"Discord: {type(exc).__name__}") from exc
                log.warning("discord:%d: trying again: %s", self._question_id, type(exc).__name__)
            await asyncio.sleep(self._pace.retry * 2 ** (attempt - 1))
        raise AssertionError("unreachable")
