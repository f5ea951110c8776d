"""Long texts that Discord's client turned into a file: if there is nothing else, the file is the message's text.

It is fetched before the message is admitted: if the process dies meanwhile, catch-up finds the message again.
"""

import asyncio
import logging
from dataclasses import replace

import aiohttp
import discord

from adapters.discord.events import message_text, to_event
from bot.events import MessageEvent
from bot.network import Connector

log = logging.getLogger(__name__)

#: The name that Discord's client gives such a file.
NAME = "message.txt"
#: The length limit in characters (as on Slack) and in bytes of UTF-8.
CHARACTERS = 40_000
BYTES = 4 * CHARACTERS
#: Seconds per attempt at fetching it, and attempts.
SECONDS = 4.0
TRIES = 2

TOO_LONG = f"That is longer than the {CHARACTERS:,} characters that I read at once. Could you send it in parts?"
UNFETCHED = "I couldn't get the text that Discord turned into a file. Could you send it again, or in parts?"


async def read(
    message: discord.Message, me: int, *, follows: bool = False, readable: bool = False
) -> MessageEvent | None:
    """The message as an event (`to_event`), with the file's text if there is nothing else. Takes a few seconds at most.

    If that text can't be read, the event's notice says so, and `unread` is true.
    """
    event = to_event(message, me, follows=follows, readable=readable)
    if event is None or not _pasted(message, event):
        return event
    file = message.attachments[0]
    if file.size > BYTES:
        return replace(event, notice=TOO_LONG)
    try:
        content = await _fetch(file.url)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
        log.warning("%s: its text, a file, could not be fetched: %s", event.id, type(exc).__name__)
        return replace(event, notice=UNFETCHED)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return event  # a file after all: only its name counts
    if len(content) > BYTES or len(text) > CHARACTERS:
        return replace(event, notice=TOO_LONG)
    text = message_text(message, text, me)
    return replace(event, text=text, attachments=()) if text else event


def unread(event: MessageEvent | None) -> bool:
    """Whether an event lacks its text because that was too long or couldn't be fetched."""
    return event is not None and event.notice in (TOO_LONG, UNFETCHED)


def pending(message: discord.Message) -> bool:
    """Whether `read` may take a while, as there may be a text to fetch."""
    return len(message.attachments) == 1 and message.attachments[0].filename == NAME


def _pasted(message: discord.Message, event: MessageEvent) -> bool:
    if not pending(message) or len(event.attachments) != 1 or event.text or event.forwarded:
        return False
    return (message.attachments[0].content_type or "text/plain").startswith("text/plain")


async def _fetch(url: str) -> bytes:
    """Fetch a file from Discord's own address, stopping just past the size limit, without redirects.

    Raises ClientError, TimeoutError or ValueError.
    """
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, connector=Connector()) as http:
        for attempt in range(1, TRIES + 1):
            try:
                async with http.get(url, allow_redirects=False) as response:
                    response.raise_for_status()
                    if response.status != 200:
                        raise ValueError(f"HTTP {response.status}")
                    return await _bounded(response.content)
            except (aiohttp.ClientError, TimeoutError, OSError):
                if attempt == TRIES:
                    raise
            await asyncio.sleep(0.2)
    raise AssertionError("unreachable")


async def _bounded(stream: aiohttp.StreamReader) -> bytes:
    content = bytearray()
    async for piece in stream.iter_chunked(16_384):
        content += piece
        if len(content) > BYTES:
            break
    return bytes(content)
