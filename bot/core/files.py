"""A message's files: fetched when it is answered, held in memory until then, and dropped."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from bot.aio.room import Room
from bot.events import MessageEvent
from bot.files.pdf import PAGES
from bot.files.reading import read
from bot.files.text import cut
from bot.files.values import Document, File, TextFile, Unopened
from bot.logs import describe
from bot.model import Attachment, Nearby
from bot.ports import CannotOpen, ReplyHandle

log = logging.getLogger(__name__)

#: Most files of one message that are opened, and their most bytes together.
FILES = 10
BYTES = 20 * 2**20
#: Most characters of a message's text files together.
TEXT = 100_000
#: Seconds for a message's files to arrive, and for one of them to be decoded.
FETCHING = 30.0
READING = 10.0
#: Most bytes of files held by all answers in progress, and files decoded at once.
IN_MEMORY = 64 * 2**20
DECODED_AT_ONCE = 2
#: Seconds that the files of a message around a question wait for memory.
SOON = 3.0
#: Files of one message that are fetched at once.
FETCHED_AT_ONCE = 3

_LARGE = f"is larger than {BYTES >> 20} MB"
_LARGE_TOGETHER = f"is, with the files before it, larger than {BYTES >> 20} MB"


class FileReader:
    """Opens messages' files; none unless `enabled`."""

    def __init__(self, *, enabled: bool = True, fetching: float = FETCHING) -> None:
        self._enabled = enabled
        self._fetching = fetching
        self._room = Room(IN_MEMORY)
        self._decoding = asyncio.Semaphore(DECODED_AT_ONCE)

    @asynccontextmanager
    async def room(self, event: MessageEvent) -> AsyncIterator[None]:
        """Hold the memory that the message's files may take, once there is enough."""
        files = self._of(event)
        if not files:
            yield
            return
        async with self._room.taken(_bytes(files)):
            yield

    async def open(self, event: MessageEvent, reply: ReplyHandle) -> tuple[File, ...]:
        """What the model is shown of the message's files, in order."""
        return _fitted(await self._fetched(self._of(event), reply))

    @asynccontextmanager
    async def with_nearby(
        self, opened: Sequence[File], event: MessageEvent, nearby: Sequence[Nearby], reply: ReplyHandle
    ) -> AsyncIterator[tuple[File, ...]]:
        """The message's files, then those of the messages around it that it is about, within one limit.

        If memory for the latter isn't free soon, they are only named: whoever waits for it already holds some.
        """
        own = self._of(event)
        own_ids = {file.id for file in own}
        others = [file for message in nearby for file in message.files if self._enabled and file.id not in own_ids]
        async with AsyncExitStack() as held:
            if others:
                try:
                    async with asyncio.timeout(SOON):
                        await held.enter_async_context(self._room.taken(_bytes(others)))
                except TimeoutError:
                    others = []
            yield _fitted([*opened, *await self._fetched(others, reply, own)])

    async def _fetched(
        self, files: Sequence[Attachment], reply: ReplyHandle, before: Sequence[Attachment] = ()
    ) -> list[File]:
        """The files, each opened unless that would exceed a limit that it shares with those before it."""
        until = asyncio.get_running_loop().time() + self._fetching
        turns = asyncio.Semaphore(FETCHED_AT_ONCE)
        left = BYTES - _bytes(before)
        work = []
        for index, file in enumerate(files, len(before)):
            reason = _refusal(file, index, left)
            left -= 0 if reason else file.size
            work.append(self._opened(file, reason, reply, turns, until))
        return await asyncio.gather(*work)

    def _of(self, event: MessageEvent) -> tuple[Attachment, ...]:
        return (*event.attachments, *event.quoted_files) if self._enabled else ()

    async def _opened(
        self, file: Attachment, reason: str, reply: ReplyHandle, turns: asyncio.Semaphore, until: float
    ) -> File:
        name = file.quoted_name
        if reason:
            return Unopened(name, reason)
        try:
            async with asyncio.timeout_at(until), turns:
                content = await reply.open(file, BYTES)
        except CannotOpen as exc:
            return Unopened(name, exc.reason)
        except TimeoutError:
            return Unopened(name, "couldn't be downloaded in time")
        if len(content) > BYTES:
            return Unopened(name, _LARGE)
        try:
            async with self._decoding, asyncio.timeout(READING):
                return await asyncio.to_thread(read, name, content)
        except TimeoutError:
            return Unopened(name, "took too long to decode")
        except Exception as exc:  # noqa: BLE001 - a message is answered whatever its files hold
            log.error("a file could not be read: %s", describe(exc))
            return Unopened(name, "couldn't be read")


def _bytes(files: Sequence[Attachment]) -> int:
    """The most bytes that files can take, within the limit."""
    return min(sum(file.size or BYTES for file in files), BYTES)


def _refusal(file: Attachment, index: int, left: int) -> str:
    """Why a file isn't fetched; empty if it is."""
    if index >= FILES:
        return f"isn't among the first {FILES} files of the message"
    if not file.id:
        return "can't be opened"
    if file.size > left:
        return _LARGE if file.size > BYTES else _LARGE_TOGETHER
    return ""


def _fitted(files: Sequence[File]) -> tuple[File, ...]:
    """The files, held to the limits that they share."""
    texts = sum(isinstance(file, TextFile) for file in files)
    left = PAGES
    fitted: list[File] = []
    for file in files:
        if isinstance(file, TextFile):
            fitted.append(replace(file, text=cut(file.text, TEXT // texts)))
        elif isinstance(file, Document) and file.pages and file.pages > left:
            fitted.append(Unopened(file.name, f"has, with the PDFs before it, more than {PAGES} pages"))
        else:
            left -= file.pages or 0 if isinstance(file, Document) else 0
            fitted.append(file)
    return tuple(fitted)
