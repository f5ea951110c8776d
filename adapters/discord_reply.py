"""The way back to a Discord message: typing, and an answer that grows by edits (`bot.ports.Respond`)."""

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
import discord

from adapters.discord_text import LIMIT, message_key
from adapters.text import clean, split_markdown

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Nothing that the bot writes pings anybody.
SILENT = discord.AllowedMentions.none()

#: What a failing connection raises, below and above discord.py; aiohttp's closed session is a RuntimeError.
TROUBLE = (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError, RuntimeError)

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds: from the first text to its showing, between edits, between signs of typing, before a retry."""

    first: float = 1.0
    every: float = 1.2
    typing: float = 8.0
    retry: float = 0.5


@dataclass(slots=True)
class _Shown:
    """One message of the answer, and its text as Discord has it."""

    id: int
    text: str


class Reply:
    """Answers one message, in its channel, as a reply to it.

    `client` waits for a client that is logged in: an answer under way outlives a reconnect of the gateway.
    """

    def __init__(
        self, client: Callable[[], Awaitable[discord.Client]], channel_id: int, message_id: int, pace: Pace
    ) -> None:
        self._client = client
        self._channel_id = channel_id
        self._message_id = message_id
        self._pace = pace
        self._shown: list[_Shown] = []
        self._latest = ""
        self._shut_out = False

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Show typing, beside the answer's way, until the block ends."""
        typing = asyncio.create_task(self._type())
        try:
            yield
        finally:
            typing.cancel()
            await asyncio.wait([typing])

    async def _type(self) -> None:
        while True:
            try:
                await (await self._channel()).typing()
            except TROUBLE as exc:
                log.warning("discord:%d: typing isn't shown: %s", self._message_id, type(exc).__name__)
            await asyncio.sleep(self._pace.typing)

    async def stream(self, snapshots: AsyncIterator[str]) -> tuple[str, ...]:
        """Show an answer as it grows; an answer that is whole at once costs one request.

        Raises ConnectionError where Discord can't be reached or fails. Where it forbids (no permission, the channel
        is gone) that is logged, and the ids are those that were shown before.
        """
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        timer: asyncio.TimerHandle | None = None
        painters: list[asyncio.Task[None]] = []
        try:
            async for text in snapshots:
                self._latest = text
                if timer is None and text.strip():
                    timer = loop.call_later(
                        self._pace.first, lambda: painters.append(loop.create_task(self._paint(done)))
                    )
        finally:
            done.set()
            if timer:
                timer.cancel()
            for painter in painters:
                await painter  # never cancelled amid a request, whose effect would be unknown
        await self._show(self._latest)
        return tuple(message_key(shown.id) for shown in self._shown)

    async def _paint(self, done: asyncio.Event) -> None:
        """Bring the messages up to date in the set rhythm until the stream is done."""
        while not done.is_set():
            try:
                await self._show(self._latest)
            except ConnectionError as exc:  # the last showing tells whether it went well
                log.warning("discord:%d: an update isn't shown: %s", self._message_id, exc)
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), self._pace.every)

    async def whisper(self, text: str) -> None:
        """Say one sentence as a reply: Discord shows nothing to one person alone but in answer to a command.

        Raises ConnectionError as `stream` does.
        """
        text = clean(text)[:LIMIT]
        # Of the text, too: a later sentence about the same message is another one.
        await self._send(text, f"{self._message_id}.{zlib.crc32(text.encode()) & 0xFFFF:04x}")

    async def _show(self, text: str) -> None:
        """Make the messages of the answer hold the text: edit, send and delete what differs."""
        parts = split_markdown(clean(text), LIMIT)
        if not parts:
            return
        for index, part in enumerate(parts):
            if index == len(self._shown):
                message = await self._send(part, f"{self._message_id}.{index}")
                if message is None:
                    return
                self._shown.append(_Shown(message.id, message.content))
            shown = self._shown[index]
            # A repeated nonce gives the message of an earlier try, with the text it had then.
            if shown.text.strip() != part.strip():
                await self._edit(shown.id, part)
            shown.text = part
        while len(self._shown) > len(parts):
            await self._delete(self._shown.pop().id)

    async def _send(self, text: str, nonce: str) -> discord.Message | None:
        if self._shut_out:
            return None
        reference = discord.MessageReference(
            message_id=self._message_id, channel_id=self._channel_id, fail_if_not_exists=False
        )

        async def send(channel: discord.PartialMessageable) -> discord.Message:
            return await channel.send(
                text, reference=reference, mention_author=False, allowed_mentions=SILENT, nonce=nonce
            )

        message = await self._call(send)
        self._shut_out = message is None
        return message

    async def _edit(self, message_id: int, text: str) -> None:
        async def edit(channel: discord.PartialMessageable) -> None:
            await channel.get_partial_message(message_id).edit(content=text, allowed_mentions=SILENT)

        await self._call(edit)

    async def _delete(self, message_id: int) -> None:
        async def delete(channel: discord.PartialMessageable) -> None:
            await channel.get_partial_message(message_id).delete()

        await self._call(delete)

    async def _channel(self) -> discord.PartialMessageable:
        return (await self._client()).get_partial_messageable(self._channel_id)

    async def _call(self, action: Callable[[discord.PartialMessageable], Awaitable[T]]) -> T | None:
        """Do it, over reconnects if need be; None where Discord forbids it for good."""
        for attempt in range(1, _TRIES + 1):
            channel = await self._channel()
            try:
                return await action(channel)
            except (discord.Forbidden, discord.NotFound) as exc:
                log.warning("discord:%d: not shown: %s %d", self._message_id, type(exc).__name__, exc.code)
                return None
            except TROUBLE as exc:
                passing = not isinstance(exc, discord.HTTPException) or exc.status >= 500 or exc.status == 429
                if not passing or attempt == _TRIES:
                    raise ConnectionError(f"Discord: {type(exc).__name__}") from exc
                log.warning("discord:%d: trying again: %s", self._message_id, type(exc).__name__)
            await asyncio.sleep(self._pace.retry * 2 ** (attempt - 1))
        raise AssertionError("unreachable")
