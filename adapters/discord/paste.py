"""A long text that Discord's client turned into a file: where that is all there is, it is what was said.

Fetched before the message is written down: a process that ends amid it finds the message in the channel's history.
"""

import asyncio
import logging
from dataclasses import replace

import aiohttp
import discord

from adapters.discord.events import said, to_event
from bot.events import MessageEvent
from bot.network import Connector

log = logging.getLogger(__name__)

#: The name that Discord's client gives such a file.
NAME = "message.txt"
#: How long a text may be, in characters (as on Slack) and in bytes of UTF-8.
CHARACTERS = 40_000
BYTES = 4 * CHARACTERS
#: Seconds for one try at fetching it, and tries.
SECONDS = 4.0
TRIES = 2

TOO_LONG = f"That is longer than the {CHARACTERS:,} characters that I read at once. Could you send it in parts?"
UNFETCHED = "I couldn't get the text that Discord turned into a file. Could you send it again, or in parts?"


async def read(message: discord.Message, me: int) -> MessageEvent | None:
    """The message as an event (`to_event`), with the text of a file that is all there is. Takes a few seconds at most.

    Where that text can't be had, the event's notice says so: `unread` tells.
    """
    event = to_event(message, me)
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
        return event  # a file after all, of which the name is all that is read
    if len(content) > BYTES or len(text) > CHARACTERS:
        return replace(event, notice=TOO_LONG)
    text = said(message, text, me)
    return replace(event, text=text, attachments=()) if text else event


def unread(event: MessageEvent | None) -> bool:
    """Whether an event lacks a text that is there, since it is too long or could not be fetched."""
    return event is not None and event.notice in (TOO_LONG, UNFETCHED)


def pending(message: discord.Message) -> bool:
    """Whether `read` may take its time: there may be a text to fetch."""
    return len(message.attachments) == 1 and message.attachments[0].filename == NAME


def _pasted(message: discord.Message, event: MessageEvent) -> bool:
    if not pending(message) or len(event.attachments) != 1 or event.text or event.forwarded:
        return False
    return (message.attachments[0].content_type or "text/plain").startswith("text/plain")


async def _fetch(url: str) -> bytes:
    """What is at Discord's own address for a file: of that much a little more than may be read; no redirects.

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
