"""Files that come with messages: parsed, and fetched by discord.py's own reader when the message is answered."""

import asyncio
import logging
from collections.abc import Iterable, Iterator

import discord

from adapters.discord.messages import DISCORD_ERRORS, Online, Question
from adapters.discord.refusals import is_transient, reason
from adapters.discord.text import message_key, message_number
from bot.model import Attachment
from bot.ports import CannotOpen
from bot.text.clean import clean

log = logging.getLogger(__name__)

#: Attempts at fetching one file, and seconds between them.
TRIES = 3
PAUSE = 0.3

GONE = "couldn't be downloaded: it is no longer there"


def attachments(files: Iterable[discord.Attachment], message: str = "") -> Iterator[Attachment]:
    """References to files; `message` is the message that they came with, if that isn't the event's."""
    for file in files:
        yield Attachment(
            str(file.id), clean(file.filename), clean(file.content_type or ""), file.size, message, file.url
        )


def stickers(message: discord.Message) -> Iterator[Attachment]:
    """A message's stickers, which are only named."""
    for sticker in message.stickers:
        yield Attachment("", f'sticker "{clean(sticker.name)}"')


def quoted(message: discord.Message, original: discord.Message | None, me: int) -> tuple[Attachment, ...]:
    """Files forwarded with a message, and those of the message replied to (`original`) if that is the author's own."""
    found = [*_forwarded(message)]
    if original is not None and original.author.id in (me, message.author.id):
        found += attachments(original.attachments, message_key(original.id))
    return tuple(found)


def of(message: discord.Message, key: str = "") -> Iterator[Attachment]:
    """All files of a message, those forwarded with it included; `key` as `message` in `attachments`."""
    yield from attachments(message.attachments, key)
    yield from _forwarded(message, key)


def _forwarded(message: discord.Message, key: str = "") -> Iterator[Attachment]:
    for snapshot in message.message_snapshots:
        yield from attachments(snapshot.attachments, key)


async def fetch(online: Online, question: Question | None, file: Attachment, limit: int) -> bytes:
    """A file's content: from where the event says that it is or, once that has expired, where Discord says anew.

    Without a `question`, Discord can't be asked. Raises CannotOpen.
    """
    if not file.id.isdecimal():
        raise CannotOpen
    url = file.url
    for attempt in range(1, TRIES + 1):
        client = await online()
        try:
            if not url:
                url = await _look_up(client, question, file)
            content = await client.http.get_from_cdn(url)
        except (discord.NotFound, discord.Forbidden) as exc:
            if not file.url or url != file.url:
                raise CannotOpen(GONE) from exc
            url = ""  # its signature has expired
            continue
        except DISCORD_ERRORS as exc:
            log.warning("discord:%d: a file could not be fetched: %s", question.id if question else 0, reason(exc))
            if attempt == TRIES or (isinstance(exc, discord.HTTPException) and not is_transient(exc)):
                raise CannotOpen from exc
            await asyncio.sleep(_pause(exc))
            continue
        if len(content) > limit:
            raise CannotOpen(f"is larger than {limit >> 20} MB")
        return content
    raise CannotOpen


def _pause(exc: BaseException) -> float:
    """Seconds until the next attempt: as long as a rate limit asks for."""
    asked = exc.response.headers.get("Retry-After", "") if isinstance(exc, discord.HTTPException) else ""
    return float(asked) if asked.isdecimal() else PAUSE


async def _look_up(client: discord.Client, question: Question | None, file: Attachment) -> str:
    """Where a file of a message can be fetched now."""
    if question is None:
        raise CannotOpen(GONE)
    message = message_number(file.message) if file.message else question.id
    found = await client.get_partial_messageable(question.channel).fetch_message(message)
    url = next((each.url for each in of(found) if each.id == file.id), "")
    if not url:
        raise CannotOpen(GONE)
    return url
