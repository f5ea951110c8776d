"""Which unmentioned messages of a thread are for the bot, where it has the message-content intent: one person's alone,
until somebody else writes there.
"""

import asyncio

import discord
from cachetools import LRUCache

from adapters.discord.events import SAID, addresses, written
from adapters.discord.history import Channels, Unreadable

#: Earlier messages of a thread that are looked at for who talks with the bot; seconds for Discord to show them.
LOOK_BACK = 100
LOOK_SECONDS = 10.0
#: How many threads are remembered.
KNOWN = 10_000

#: Instead of a person's id: somebody else has written since the bot was last spoken to.
_NOBODY = 0


class Followups:
    """Tells which messages are for the bot though they don't speak to it.

    Those are the messages, in a thread, of whoever has spoken to the bot there last, as long as nobody else has written
    since (another bot counts), unless they mention somebody else.

    Attributes:
        readable: Whether the bot has the message-content intent; without it, no such message can be read.
    """

    def __init__(self, channels: Channels, *, readable: bool) -> None:
        self.readable = readable
        self._channels = channels
        #: By thread, the person whose messages are for the bot, as of the newest message that was heard, and its id.
        self._heard: LRUCache[int, tuple[int, int]] = LRUCache(KNOWN)

    def forget(self) -> None:
        """Messages may have been missed: look again."""
        self._heard.clear()

    def may_have(self, message: discord.Message) -> bool:
        """Whether an edited message may have been for the bot without a mention, whoever writes there by now."""
        return self.readable and isinstance(message.channel, discord.Thread)

    def has_to_look(self, message: discord.Message, me: int, *, missed: bool = False) -> bool:
        """Whether `follows` has to read the thread's history. `missed`: Discord may not say what the bot has joined."""
        thread = message.channel
        if not self.readable or not isinstance(thread, discord.Thread) or not _may_follow(message, me):
            return False
        heard = self._heard.get(thread.id)
        return (heard is None or message.id < heard[1]) and (missed or thread.me is not None)

    async def follows(self, message: discord.Message, me: int, *, missed: bool = False) -> bool:
        """Whether a message is for the bot though it doesn't speak to it. Call this for each message."""
        if not self.may_have(message):
            return False
        thread, author = message.channel.id, message.author.id
        partner = await self._look(message, me) if self.has_to_look(message, me, missed=missed) else None
        known, newest = self._heard.get(thread, (None, 0))
        late = message.id < newest  # a missed message, after new ones
        if not late and known is not None:
            partner = known
        if partner is None and not addresses(message, me):
            return False
        after = _after(partner, message, me)
        if not late:
            self._heard[thread] = after, message.id
        return after == author and _may_follow(message, me)

    async def _look(self, message: discord.Message, me: int) -> int | None:
        """Whose messages were for the bot right before this one; None if Discord doesn't say."""

        async def look(client: discord.Client, channel: discord.abc.Messageable) -> int:
            earlier = [found async for found in channel.history(limit=LOOK_BACK, before=message)]
            partner = _NOBODY
            for found in reversed(earlier):
                partner = _after(partner, _spoken(found), me)
            return partner

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


def _after(partner: int | None, message: discord.Message, me: int) -> int:
    """Whose messages are for the bot after this one, if they were `partner`'s before."""
    author = message.author.id
    if written(message) and addresses(message, me):
        return author
    if author in (me, partner) or message.type not in SAID:
        return partner or _NOBODY
    return _NOBODY


def _spoken(message: discord.Message) -> discord.Message:
    """The message itself or, at a thread's beginning, the one that it was started from."""
    original = message.reference and message.reference.resolved
    begins = message.type is discord.MessageType.thread_starter_message
    return original if begins and isinstance(original, discord.Message) else message
