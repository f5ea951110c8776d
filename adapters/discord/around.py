"""Messages around a question: the one it replies to, and those before it in its thread or channel."""

import logging

import discord

from adapters.discord import files
from adapters.discord.events import SAID, message_text, person
from adapters.discord.foot import without
from adapters.discord.messages import DISCORD_ERRORS, Online
from adapters.discord.refusals import reason
from adapters.discord.text import message_key, message_number
from bot.events import MessageEvent
from bot.model import Nearby
from bot.text.clean import clean, one_line

log = logging.getLogger(__name__)

#: Messages of a reply chain that are read in addition to those right before the question.
CHAIN = 4


async def read(online: Online, event: MessageEvent, limit: int) -> list[Nearby]:
    """The messages before a question, its reply chain included; oldest first, `limit` at most.

    Empty without the message-content intent: Discord then hides what others say to each other.
    """
    client = await online()
    if not client.intents.message_content or client.user is None:
        return []
    try:
        number = int(event.place.channel)
        channel = client.get_channel(number) or await client.fetch_channel(number)
        if not isinstance(channel, discord.abc.Messageable):
            return []
        before = discord.Object(message_number(event.id))
        found = {message.id: message async for message in channel.history(limit=limit, before=before)}
        chain = await _chain(channel, event, found)
    except DISCORD_ERRORS as exc:
        log.info("%s: what stands around it could not be read: %s", event.id, reason(exc))
        return []
    above = chain[0].id if chain and event.reply_to == message_key(chain[0].id) else 0
    found |= {message.id: message for message in chain}
    written = [found[key] for key in sorted(found) if found[key].type in SAID]
    chain_ids = {message.id for message in chain}
    kept = [message for message in written if message.id in chain_ids]
    kept += [message for message in written if message not in kept][-max(limit - len(kept), 0) :] if limit else []
    return [_nearby(message, client.user.id, above) for message in sorted(kept, key=lambda message: message.id)]


async def _chain(
    channel: discord.abc.Messageable, event: MessageEvent, found: dict[int, discord.Message]
) -> list[discord.Message]:
    """The message that a question replies to, the one that this replies to, and so on; nearest first."""
    chain: list[discord.Message] = []
    wanted = message_number(event.reply_to) if event.reply_to else None
    while wanted is not None and len(chain) < CHAIN:
        message = found.get(wanted) or await _fetch(channel, wanted)
        if message is None:
            break
        chain.append(message)
        reference = message.reference if message.type is discord.MessageType.reply else None
        wanted = reference.message_id if reference is not None else None
    return chain


async def _fetch(channel: discord.abc.Messageable, number: int) -> discord.Message | None:
    """A channel's message, or None if it is gone. The one that a thread was started from is in the parent channel."""
    started = isinstance(channel, discord.Thread) and number == channel.id
    where = channel.parent if started and isinstance(channel, discord.Thread) else channel
    if not isinstance(where, discord.abc.Messageable):
        return None
    try:
        return await where.fetch_message(number)
    except (discord.NotFound, discord.Forbidden):
        return None


def _nearby(message: discord.Message, me: int, above: int) -> Nearby:
    own = message.author.id == me
    parts = [message_text(message, without(message.content) if own else message.content, me)]
    parts += [f"(A file: {clean(file.filename)})" for file in message.attachments]
    key = message_key(message.id)
    return Nearby(
        id=key,
        author="" if own else one_line(clean(message.author.display_name)) or "somebody",
        person_key="" if own or message.author.bot else person(message.author).key,
        text="\n".join(part for part in parts if part),
        at=message.created_at,
        above=message.id == above,
        files=tuple(files.of(message, key)) if message.id == above else (),
    )
