"""Threads in which one person talks with the bot alone: with the message-content intent, no mention is needed there."""

import asyncio

import discord
from cachetools import TTLCache

from adapters.discord.events import addresses, written
from adapters.discord.history import Channels, Unreadable

#: Earlier messages of a thread that are looked at for who writes there; seconds for Discord to show them.
LOOK_BACK = 100
LOOK_SECONDS = 10.0
#: How many threads are remembered, and for how many seconds.
KNOWN = 10_000
REMEMBERED = 3600.0

#: Instead of the one person's id.
_SEVERAL = 0
_SPOKEN = (
    discord.MessageType.default,
    discord.MessageType.reply,
    discord.MessageType.chat_input_command,
    discord.MessageType.context_menu_command,
)


class Followups:
    """Tells which unmentioned messages are for the bot.

    Those are the messages of a person in a thread in whose last hundred messages only they and the bot have written,
    unless they mention somebody else. Another bot counts as somebody else.

    Attributes:
        readable: Whether the bot has the message-content intent; without it, no such message can be read.
    """

    def __init__(self, channels: Channels, *, readable: bool) -> None:
        self.readable = readable
        self._channels = channels
        #: By thread, the one person who writes there.
        self._alone: TTLCache[int, int] = TTLCache(KNOWN, REMEMBERED, lambda: asyncio.get_running_loop().time())

    def forget(self) -> None:
        """Messages may have been missed: look again."""
        self._alone.clear()

    def may_have(self, message: discord.Message) -> bool:
        """Whether an edited message may have been for the bot without a mention, whoever writes there by now."""
        return self.readable and isinstance(message.channel, discord.Thread)

    def has_to_look(self, message: discord.Message, me: int, *, missed: bool = False) -> bool:
        """Whether `follows` has to read the thread's history. `missed`: Discord may not say what the bot has joined."""
        thread = message.channel
        if not self.readable or not isinstance(thread, discord.Thread) or thread.id in self._alone:
            return False
        return (missed or thread.me is not None) and _may_follow(message, me)

    async def follows(self, message: discord.Message, me: int, *, missed: bool = False) -> bool:
        """Whether a message is for the bot though it doesn't speak to it. Call this for each message, in order."""
        thread, author = message.channel.id, message.author.id
        if author != me and message.type in _SPOKEN and self._alone.get(thread, author) != author:
            self._alone[thread] = _SEVERAL
        if self.has_to_look(message, me, missed=missed):
            alone = await self._look(message, me)
            if alone is not None:
                self._alone[thread] = alone
        return self._alone.get(thread) == author and _may_follow(message, me)

    async def _look(self, message: discord.Message, me: int) -> int | None:
        """Who alone has written in a thread beside the bot. None if the bot hasn't, or Discord doesn't say."""

        async def look(client: discord.Client, channel: discord.abc.Messageable) -> int | None:
            people, joined = {message.author.id}, False
            async for earlier in channel.history(limit=LOOK_BACK, before=message):
                author = _author(earlier)
                if author == me:
                    joined = True
                elif author is not None:
                    people.add(author)
            if not joined:
                return None
            return message.author.id if len(people) == 1 else _SEVERAL

        guild = message.guild.id if message.guild else 0
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await self._channels.read(message.channel.id, guild, look)
        except (Unreadable, TimeoutError):
            return None


def _may_follow(message: discord.Message, me: int) -> bool:
    """Whether it is a person's, and speaks to nobody."""
    others = message.mentions or message.role_mentions or message.mention_everyone
    return written(message) and not others and not addresses(message, me)


def _author(message: discord.Message) -> int | None:
    """Who says something in a thread by a message; None if that is Discord."""
    if message.type is discord.MessageType.thread_starter_message:
        original = message.reference and message.reference.resolved
        return original.author.id if isinstance(original, discord.Message) else None
    return message.author.id if message.type in _SPOKEN else None
