"""Parses Discord's messages and places into the bot's values. A message not for the bot is None."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import discord

from adapters.common.unread import HELLO, NOTHING, unreadable
from adapters.discord import files
from adapters.discord.foot import without
from adapters.discord.text import PLATFORM, message_key, resolved, without_mention
from bot.events import MessageEvent
from bot.model import Audience, Person, Place
from bot.text.clean import clean, one_line

#: Characters read of what is forwarded, and of a message that is replied to.
FORWARDED = 20_000
QUOTED = 2_000

WITHHELD = (
    "Discord shows me only messages that mention me. "
    "Please mention me in your reply, or write to me in a direct message."
)

#: The types of messages that say something, people's and apps'; others are Discord's own notices.
SAID = (
    discord.MessageType.default,
    discord.MessageType.reply,
    discord.MessageType.chat_input_command,
    discord.MessageType.context_menu_command,
)
_VOCAL = (discord.VoiceChannel, discord.StageChannel)


def to_event(
    message: discord.Message, me: int, *, follows: bool = False, readable: bool = False
) -> MessageEvent | None:
    """The message as an event; None if it isn't for the bot (user id `me`).

    People's direct messages, mentions of the bot (or of its own role) and replies to it are for the bot, and what
    `follows` in a thread of the bot's. Other roles and @everyone don't count. If there is nothing in it to answer,
    `notice` says so. `readable`: the bot has the message-content intent.
    """
    if not written(message):
        return None
    spoken_to = addresses(message, me)
    if not (spoken_to or follows):
        return None
    mentioned = any(user.id == me for user in message.mentions)
    text = message_text(message, message.content, me)
    forwarded = tuple(_cut(_forwarded(message), FORWARDED))
    # Otherwise Discord withholds the content.
    shown = readable or mentioned or _direct(message.channel)
    notice = "" if text or forwarded else _notice(message, shown=shown)
    return MessageEvent(
        id=message_key(message.id),
        person=person(message.author),
        place=place(message.channel, message.guild),
        text=text,
        name=clean(message.author.display_name),
        at=message.created_at,
        attachments=(*files.attachments(message.attachments), *files.stickers(message)),
        link=message.jump_url,
        reply_to=_above(message),
        quoted=_own_words(message, _original(message), me),
        forwarded=forwarded,
        notice=notice,
        bare=notice == HELLO and not _direct(message.channel),
        addressed=spoken_to,
        quoted_files=files.quoted(message, _original(message), me),
        bot_name=_called(message),
    )


def _called(message: discord.Message) -> str:
    """What the bot is called where a message was written; empty if that isn't known."""
    me = message.guild.me if message.guild else getattr(message.channel, "me", None)
    return clean(me.display_name) if me else ""


def addresses(message: discord.Message, me: int) -> bool:
    """Whether a message speaks to the bot (user id `me`): directly, by a mention, or as a reply to it."""
    original = _original(message)
    role = message.guild.self_role if message.guild else None
    mentioned = any(user.id == me for user in message.mentions)
    by_role = role is not None and role in message.role_mentions
    to_me = original is not None and original.author.id == me
    return _direct(message.channel) or mentioned or by_role or to_me


def _original(message: discord.Message) -> discord.Message | None:
    """The message that this one replies to, if Discord shows it."""
    replied = message.reference if message.type is discord.MessageType.reply else None
    return replied.resolved if replied and isinstance(replied.resolved, discord.Message) else None


def message_text(message: discord.Message, content: str, me: int) -> str:
    """The text of a message with that content, and its poll, as people read them."""
    role = message.guild.self_role if message.guild else None
    parts = [_resolved(message, without_mention(content, me, role.id if role else None)), _poll(message)]
    return "\n\n".join(part for part in parts if part)


def chosen(message: discord.Message, reader: discord.abc.User, me: int) -> str:
    """The text of a message that `reader` asks about, whoever wrote it; empty if nothing in it can be read.

    It begins with who wrote it and when; of files it has the names.
    """
    content = without(message.content) if message.author.id == me else message.content
    parts = [_resolved(message, content, reader), *_shown(message.components), _poll(message)]
    parts += [f"(A file: {clean(file.filename)})" for file in message.attachments]
    parts += [f'(A sticker: "{clean(sticker.name)}")' for sticker in message.stickers]
    parts += [f"(Forwarded:)\n{text}" if message.message_snapshots else text for text in _forwarded(message, reader)]
    text = "\n".join(_cut(parts, FORWARDED))
    if not text:
        return ""
    author = "you" if message.author.id == me else one_line(clean(message.author.display_name))
    if message.author.id == reader.id:
        author += " (who asks)"
    return f"{author}, {message.created_at:%Y-%m-%d %H:%M} UTC:\n{text}"


def _poll(message: discord.Message) -> str:
    if message.poll is None:
        return ""
    choices = "\n".join(f"- {clean(answer.text or '')}" for answer in message.poll.answers)
    return f"Poll: {clean(message.poll.question or '')}\n{choices}"


def _resolved(message: discord.Message, text: str, reader: discord.abc.User | None = None) -> str:
    """A message's text as people read it; `reader` is who may read it, if not its author."""
    names = {user.id: one_line(clean(user.display_name)) for user in message.mentions}
    return resolved(text, names, message.guild, reader or message.author, message.channel)


def _notice(message: discord.Message, *, shown: bool) -> str:
    """The whole answer to a message without text; empty if the names of its files are something to talk about."""
    if message.flags.voice:
        return unreadable("voice messages")
    if message.attachments or message.stickers:
        return ""
    if not shown and not message.content:
        return WITHHELD
    if message.message_snapshots:
        return unreadable("what you forwarded")
    return HELLO if clean(message.content).strip() else NOTHING


def _forwarded(message: discord.Message, reader: discord.abc.User | None = None) -> Iterator[str]:
    """Texts in a message that somebody else wrote: forwarded messages, and embeds if there is nothing else."""
    for snapshot in message.message_snapshots:
        parts = [_resolved(message, clean(snapshot.content), reader), *_shown(snapshot.components)]
        if not any(parts):
            parts = [_embedded(embed) for embed in snapshot.embeds]
        parts += [f"(A file: {clean(file.filename)})" for file in snapshot.attachments]
        parts += [f'(A sticker: "{clean(sticker.name)}")' for sticker in snapshot.stickers]
        yield "\n".join(part for part in parts if part.strip())
    if not (message.content or message.attachments or message.message_snapshots):
        yield from map(_embedded, message.embeds)


def _shown(components: Iterable[object]) -> Iterator[str]:
    """The texts of a message made of components."""
    for component in components:
        if isinstance(component, discord.TextDisplay):
            yield clean(component.content)
        yield from _shown(getattr(component, "children", ()))


def _embedded(embed: discord.Embed) -> str:
    fields = [text for field in embed.fields for text in (field.name, field.value)]
    parts = [embed.author.name, embed.title, embed.description, *fields, embed.footer.text]
    return clean("\n".join(part for part in parts if part))


def _cut(texts: Iterable[str], room: int) -> Iterator[str]:
    """The texts that aren't blank, cut to `room` characters in total."""
    for text in texts:
        if room > 0 and text.strip():
            yield text if len(text) <= room else f"{text[:room]}…"
        room -= len(text)


def _above(message: discord.Message) -> str | None:
    """The message that this one replies to, or that its thread was started from."""
    if message.type is discord.MessageType.reply and message.reference and message.reference.message_id:
        return message_key(message.reference.message_id)
    # A thread that was started from a message has its id.
    return message_key(message.channel.id) if isinstance(message.channel, discord.Thread) else None


def _own_words(message: discord.Message, original: discord.Message | None, me: int) -> str:
    """The text of the message replied to, if it is the bot's or the author's own."""
    if original is None or original.author.id not in (me, message.author.id):
        return ""
    content = without(original.content) if original.author.id == me else original.content
    return _resolved(message, clean(content))[:QUOTED]


def written(message: discord.Message) -> bool:
    """Whether a person wrote it, not a bot, a webhook or Discord itself."""
    if message.author.bot or message.webhook_id is not None:
        return False
    return message.type in (discord.MessageType.default, discord.MessageType.reply)


def person(user: discord.abc.User) -> Person:
    """The account; Discord's user ids are global, so there is no workspace."""
    return Person(PLATFORM, "", str(user.id))


def place(channel: object, guild: discord.Guild | None) -> Place:
    """Where something was written. If the audience is unknown, it is members only.

    `channel` is any of Discord's channels and threads, even one that isn't cached, or None.
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


def place_of(interaction: discord.Interaction) -> Place:
    """Where a command, button or form was used."""
    where = place(interaction.channel, interaction.guild)
    # A DM or group between people, reached through a user's own installation of the app: not a DM with the bot.
    return replace(where, audience=Audience.MEMBERS, name="") if interaction.context.private_channel else where


def _direct(channel: object) -> bool:
    """Whether it is a direct message's channel, even if only its id and type are known."""
    partial = isinstance(channel, discord.PartialMessageable) and channel.type is discord.ChannelType.private
    return partial or isinstance(channel, discord.DMChannel)


def _audience(channel: object) -> Audience:
    """Public if @everyone can read it; a public thread follows its parent."""
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
