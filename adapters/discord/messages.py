"""Sends, edits, deletes and finds the bot's messages in one channel over REST, retrying transient errors."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import discord

from adapters.discord.foot import with_foot, without
from adapters.discord.refusals import (
    MISSING_ACCESS,
    MISSING_PERMISSIONS,
    UNKNOWN_MESSAGE,
    DiscordRefused,
    is_transient,
    reason,
)
from adapters.discord.views import Kind, stop_button
from bot.aio.backoff import Backoff
from bot.views import Foot

log = logging.getLogger(__name__)

T = TypeVar("T")

#: The bot never pings anybody.
SILENT = discord.AllowedMentions.none()

#: What a failing connection raises, in discord.py or below it; aiohttp's closed session raises RuntimeError.
DISCORD_ERRORS = (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError, RuntimeError)

#: How many messages after a question are searched for its answer, a hundred per request. If the bot was far behind in
#: a busy channel, an answer's parts are far apart, and without the last one it would seem complete.
NEAR = 1000

_TRIES = 5

#: Returns if a message may be shown; raises if another process has taken over (`bot.ports.Messages.confirm`).
Confirm = Callable[[], Awaitable[None]]

#: The turn of a request among those of its channel, which begins and ends with the block.
Turn = Callable[[], AbstractAsyncContextManager[None]]

#: Waits for a client that is logged in, so that work in progress survives a reconnect of the gateway.
Online = Callable[[], Awaitable[discord.Client]]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds until the first text is shown, between edits, between typing indicators, and before a retry.

    `turn` is how long a message waits at most for its channel's backlog, and the backlog for the other channels: a busy
    channel's day, or a thousand channels, take minutes. `channel` is the window of Discord's limit per channel.
    `interaction` is how long an interaction's answer may take, for which Discord allows a quarter of an hour; `form`
    how long a form for a question about a message may stay open; `stop` what work in flight gets when stopping.
    """

    first: float = 0.25
    every: float = 1.2
    typing: float = 8.0
    retry: float = 0.5
    turn: float = 15.0
    channel: float = 5.0
    interaction: float = 840.0
    form: float = 900.0
    stop: float = 20.0


@dataclass(slots=True)
class Shown:
    """One of the bot's messages, its part of the answer, and whether a button under it stops the answer."""

    id: int
    text: str
    stoppable: bool = False

    @classmethod
    def of(cls, message: discord.Message) -> "Shown":
        """What a message shows of the answer, without what stands below it."""
        stoppable = any(
            (getattr(item, "custom_id", None) or "").startswith(Kind.STOP)
            for row in message.components
            for item in getattr(row, "children", ())
        )
        return cls(message.id, without(message.content), stoppable)


@dataclass(frozen=True, slots=True)
class Question:
    """The message being answered: its channel and id, its author (0: unknown), and a link to it."""

    channel: int
    id: int
    asker: int = 0
    link: str = ""

    @property
    def mark(self) -> str:
        """The line that says which question an answer belongs to if it can't be a reply; it pings nobody.

        It also identifies such an answer, as a reference identifies a reply.
        """
        who = f"<@{self.asker}> · " if self.asker else ""  # not needed in a direct message
        return f"-# {who}{self.link or self.id}"


class Messages:
    """What the bot writes in a channel in answer to one message there.

    Every method except `typing` raises ConnectionError if Discord is unreachable or fails, DiscordRefused if it refuses
    for good, and what `confirm` raises, which is called right before anything of an answer is shown or deleted.
    """

    def __init__(self, online: Online, question: Question, pace: Pace, confirm: Confirm) -> None:
        self._online = online
        self._confirm = confirm
        self._question = question
        self._pace = pace

    async def typing(self) -> None:
        """Show the typing indicator once, for some ten seconds. Raises DISCORD_ERRORS."""
        await self._channel(await self._online()).typing()

    async def send(
        self, text: str, nonce: str, *, reply: bool = True, aside: bool = False, stoppable: bool = False
    ) -> Shown:
        """Send a message, as a reply to the question or (without `reply`) with no reference to it.

        A nonce used within the last minutes returns the message sent with it, as it is now. An `aside` isn't part of an
        answer: `replies` leaves it out, recognising it by its suppressed link previews. A `stoppable` one has a button.
        """
        reference = discord.MessageReference(
            message_id=self._question.id, channel_id=self._question.channel, fail_if_not_exists=False
        )

        async def send(client: discord.Client) -> Shown:
            if not aside:
                await self._confirm()
            channel = self._channel(client)
            # Without the button not even an empty list: most answers are sent once.
            button: dict[str, Any] = {"view": self._button()} if stoppable else {}
            message = await (
                channel.send(
                    text,
                    reference=reference,
                    mention_author=False,
                    allowed_mentions=SILENT,
                    nonce=nonce,
                    suppress_embeds=aside,
                    **button,
                )
                if reply
                else channel.send(text, allowed_mentions=SILENT, nonce=nonce, suppress_embeds=aside, **button)
            )
            return Shown.of(message)

        return await self._call(send, "a message")

    async def below(self, message_id: int, foot: Foot, turn: Turn, content: str | None = None) -> None:
        """Add a line and buttons to one of the bot's messages, unless they are there or the message is gone.

        `content` is what it shows, if that is known and nothing stands below it; `turn` waits for the edit's turn.
        """

        async def add(client: discord.Client) -> None:
            message = self._channel(client).get_partial_message(message_id)
            try:
                there = await message.fetch() if content is None else None
                shown, parts = (there.content, there.components) if there else (content or "", [])
                wanted = with_foot(shown, parts, foot, self._question.asker)
                if wanted is not None:
                    async with turn():
                        await message.edit(content=wanted[0], view=wanted[1], allowed_mentions=SILENT)
            except discord.NotFound as exc:
                if exc.code != UNKNOWN_MESSAGE:
                    raise

        await self._call(add, "what stands below it", editing=True, dispensable=True)

    async def show(self, view: discord.ui.LayoutView) -> None:
        """Show a view, which is no part of the answer."""

        async def send(client: discord.Client) -> None:
            nonce = f"{self._question.id}.v"
            await self._channel(client).send(view=view, allowed_mentions=SILENT, nonce=nonce, suppress_embeds=True)

        await self._call(send, "a view")

    async def send_directly(self, text: str) -> None:
        """Send a direct message to the asker."""

        async def send(client: discord.Client) -> None:
            channel = await client.create_dm(discord.Object(self._question.asker))
            nonce = f"{self._question.id}.dm"
            await channel.send(text, allowed_mentions=SILENT, nonce=nonce, suppress_embeds=True)

        await self._call(send, "a direct message")

    async def edit(self, shown: Shown, text: str, *, aside: bool = False, stoppable: bool = False) -> None:
        """Replace a message's text, and give it a button or take that away; an `aside` doesn't change the answer."""

        async def edit(client: discord.Client) -> None:
            if not aside:
                await self._confirm()
            message = self._channel(client).get_partial_message(shown.id)
            button: dict[str, Any] = {}
            if shown.stoppable != stoppable:
                button["view"] = self._button() if stoppable else None
            await message.edit(content=text, allowed_mentions=SILENT, **button)

        await self._call(edit, "an edit", editing=True)
        shown.text, shown.stoppable = text, stoppable

    def _button(self) -> discord.ui.View:
        return stop_button(self._question.id, self._question.asker)

    async def delete(self, message_id: int, *, aside: bool = False) -> None:
        """Delete a message, if it still exists."""

        async def delete(client: discord.Client) -> None:
            if not aside:
                await self._confirm()
            try:
                await self._channel(client).get_partial_message(message_id).delete()
            except discord.NotFound as exc:
                if exc.code != UNKNOWN_MESSAGE:
                    raise

        await self._call(delete, "a deletion")

    async def replies(self) -> list[Shown]:
        """The bot's answers to the question among the messages right after it, oldest first, without asides.

        Empty if the history may not be read.
        """

        async def look(client: discord.Client) -> list[Shown]:
            history = self._channel(client).history(
                after=discord.Object(self._question.id), limit=NEAR, oldest_first=True
            )
            return [
                Shown.of(message)
                async for message in history
                if client.user
                and message.author.id == client.user.id
                and not message.flags.suppress_embeds
                and (
                    message.content.startswith(self._question.mark)
                    or (message.reference and message.reference.message_id == self._question.id)
                )
            ]

        try:
            return await self._call(look, "a look into the history")
        except DiscordRefused as exc:
            if exc.code in (MISSING_ACCESS, MISSING_PERMISSIONS):
                return []
            raise

    def _channel(self, client: discord.Client) -> discord.PartialMessageable:
        return client.get_partial_messageable(self._question.channel)

    async def _call(
        self,
        action: Callable[[discord.Client], Awaitable[T]],
        what: str,
        *,
        editing: bool = False,
        dispensable: bool = False,
    ) -> T:
        """Call the action, through reconnects if need be."""
        for attempt in range(1, _TRIES + 1):
            client = await self._online()
            try:
                return await action(client)
            except DISCORD_ERRORS as exc:
                # Don't wait for a limit that lasts for minutes: each attempt would ask Claude again.
                if isinstance(exc, discord.RateLimited) or (
                    isinstance(exc, discord.HTTPException) and not is_transient(exc)
                ):
                    refused = DiscordRefused(exc, editing=editing)
                    level = logging.INFO if refused.other else logging.WARNING
                    level = logging.DEBUG if dispensable else level
                    log.log(level, "discord:%d: %s refused: %s", self._question.id, what, reason(exc))
                    raise refused from exc
                if getattr(exc, "status", 0) == 401 or attempt == _TRIES:
                    raise ConnectionError(f"Discord: {reason(exc)}") from exc
                log.warning("discord:%d: %s failed, retrying: %s", self._question.id, what, reason(exc))
            await asyncio.sleep(Backoff(self._pace.retry).after(attempt))
        raise AssertionError("unreachable")
