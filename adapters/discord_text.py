"""Discord's messages and places as the common ones, and plain text as Discord's Markdown."""

import re

import discord

from adapters.text import clean
from bot.events import Audience, MessageEvent, Person, Place

#: Discord's limit for a message, in characters.
LIMIT = 2000

PLATFORM = "discord"

_VOCAL = (discord.VoiceChannel, discord.StageChannel)
_MARKUP = re.compile(r"<(?:@!?(?P<user>\d+)|@&(?P<role>\d+)|#(?P<channel>\d+)|a?:(?P<emoji>\w+):\d+)>")
_PUNCTUATION = re.compile(r"([\\`*_~|<>\[\]()#@:+-])")


def to_event(message: discord.Message, me: int) -> MessageEvent | None:
    """The message as an event; None where it is not for the bot (user id `me`) or holds nothing to answer.

    For the bot are direct messages, mentions of it and replies to it, from people. Roles and @everyone are no mention.
    """
    if not written(message):
        return None
    replied = message.reference
    answered = replied.resolved if replied and message.type is discord.MessageType.reply else None
    to_me = isinstance(answered, discord.Message) and answered.author.id == me
    mentioned = any(user.id == me for user in message.mentions)
    if not (_direct(message.channel) or mentioned or to_me):
        return None
    # Without the message-content intent, what doesn't mention the bot arrives empty and is let pass here.
    text = readable(message, me)
    attachments = tuple(clean(attachment.filename) for attachment in message.attachments)
    if not text and not attachments:
        return None
    reply_to = replied.message_id if replied and message.type is discord.MessageType.reply else None
    return MessageEvent(
        id=message_key(message.id),
        person=person(message.author),
        place=place(message.channel, message.guild),
        text=text,
        name=clean(message.author.display_name),
        at=message.created_at,
        attachments=attachments,
        link=message.jump_url,
        reply_to=message_key(reply_to) if reply_to else None,
    )


def written(message: discord.Message) -> bool:
    """Whether a person wrote it: no bot, no webhook, and not Discord itself."""
    if message.author.bot or message.webhook_id is not None:
        return False
    return message.type in (discord.MessageType.default, discord.MessageType.reply)


def message_key(message_id: int) -> str:
    """A message's identity among all platforms' messages."""
    return f"{PLATFORM}:{message_id}"


def person(user: discord.abc.User) -> Person:
    """The account; Discord's user ids are global, so there is no workspace."""
    return Person(PLATFORM, "", str(user.id))


def readable(message: discord.Message, me: int) -> str:
    """What was said, the bot's mention stripped at both ends, and other mentions as people read them."""
    mine = rf"<@!?{me}>"
    text = re.sub(rf"\A(?:\s*{mine})+[\s,:]*|(?:\s*{mine})+\s*\Z", "", clean(message.content))
    names = {user.id: user.display_name for user in message.mentions}
    guild = message.guild

    def name(found: re.Match[str]) -> str:
        if found["emoji"]:
            return f":{found['emoji']}:"
        if found["user"]:
            return "@" + names.get(int(found["user"]), "someone")
        if found["role"]:
            role = guild.get_role(int(found["role"])) if guild else None
            return "@" + (role.name.lstrip("@") if role else "role")
        channel = guild.get_channel_or_thread(int(found["channel"])) if guild else None
        return "#" + (channel.name if channel else "channel")

    return clean(_MARKUP.sub(name, text)).strip()


def place(channel: object, guild: discord.Guild | None) -> Place:
    """Where something was written. What can't be told is taken for a place of members only.

    `channel` is any of Discord's channels and threads, also one that isn't cached, or None.
    """
    channel_id = str(getattr(channel, "id", "") or "")
    guild_id = guild.id if guild else getattr(channel, "guild_id", None)
    if _direct(channel) and guild_id is None:
        return Place(PLATFORM, "", channel_id, None, Audience.PRIVATE, "DM")
    name = getattr(channel, "name", None)
    return Place(
        PLATFORM,
        str(guild_id or ""),
        channel_id,
        channel_id if isinstance(channel, discord.Thread) else None,
        _audience(channel),
        f"#{clean(name)}" if name else "",
    )


def _direct(channel: object) -> bool:
    """Whether it is a direct message's channel, of which no more than id and type need be known."""
    partial = isinstance(channel, discord.PartialMessageable) and channel.type is discord.ChannelType.private
    return partial or isinstance(channel, discord.DMChannel)


def _audience(channel: object) -> Audience:
    """Public is what @everyone can read; a public thread follows its parent."""
    if isinstance(channel, discord.Thread):
        if channel.is_private() or channel.parent is None:
            return Audience.MEMBERS
        return _audience(channel.parent)
    if not isinstance(channel, discord.abc.GuildChannel):
        return Audience.MEMBERS
    everyone = channel.guild.get_role(channel.guild.id)
    if everyone is None:
        return Audience.MEMBERS
    may = channel.permissions_for(everyone)
    visible = may.view_channel and (may.connect or not isinstance(channel, _VOCAL))
    return Audience.PUBLIC if visible else Audience.MEMBERS


def escape(text: str) -> str:
    """Plain text on one line, as Markdown that shows it unchanged: nothing in it formats, links or mentions."""
    return escape_in_line(" ".join(clean(text).split()))


def escape_in_line(text: str) -> str:
    """A piece of a line as Markdown that shows it unchanged; its white space stays."""
    return _PUNCTUATION.sub(r"\\\1", text)
