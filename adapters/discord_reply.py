"""The way back to a Discord message: typing, and an answer that grows by edits (`bot.ports.Respond`).

An answer that isn't whole ends with a cursor in at least one of its messages, at every instant: whoever finds it after
a crash can tell that, and finish it in place.
"""

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from adapters.discord_markdown import Growing
from adapters.discord_messages import TROUBLE, Confirm, Messages, Online, Pace, Shown
from adapters.discord_text import LIMIT, message_key
from adapters.text import clean, split_markdown
from bot.ports import JournalUnavailable

log = logging.getLogger(__name__)

#: Ends a message of an answer that is still growing.
CURSOR = "▌"
#: What a part may take, so that a cursor fits behind it; the same for whole answers, whose parts stay where they were.
_ROOM = LIMIT - len(CURSOR) - 1


def growing(text: str) -> str:
    """The text with the cursor; on a line of its own behind a code block, whose end it would spoil."""
    return text if grows(text) else text + ("\n" if text.endswith(("```", "~~~")) else " ") + CURSOR


def grows(text: str) -> bool:
    """Whether a message's text is that of an answer still growing."""
    return text.rstrip().endswith(CURSOR)


class Reply:
    """Answers one message, in its channel, as a reply to it.

    With `again` there may be an answer by an earlier process or try, whole or in part: it is looked for before
    anything is sent, and taken over. Every method but `working` lets through what `confirm` raises.
    """

    def __init__(
        self, online: Online, channel_id: int, message_id: int, pace: Pace, confirm: Confirm, *, again: bool = False
    ) -> None:
        self._messages = Messages(online, channel_id, message_id, pace, confirm)
        self._message_id = message_id
        self._pace = pace
        self._shown: list[Shown] = []
        self._again = again
        self._latest = ""
        self._growing = Growing()
        # Characters that were there before: they stay until the new text is as long.
        self._floor = 0
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
                await self._messages.typing()
            except TROUBLE as exc:
                log.warning("discord:%d: typing isn't shown: %s", self._message_id, type(exc).__name__)
            await asyncio.sleep(self._pace.typing)

    async def stream(self, snapshots: AsyncIterator[str]) -> tuple[str, ...]:
        """Show an answer as it grows; an answer that is whole at once and fits one message costs one request.

        Raises ConnectionError where Discord can't be reached or fails. Where it forbids (no permission, the channel
        is gone) that is logged, and the ids are those that were shown before.
        """
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        self._floor = self._shown_length()
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
        await self._show(self._latest, whole=True)
        return self._ids()

    async def found(self) -> tuple[str, tuple[str, ...]] | None:
        """The whole answer that is already there: its text, one line break between its messages, and their ids.

        Raises ConnectionError as `stream` does.
        """
        await self._adopt()
        if not self._shown or any(grows(shown.text) for shown in self._shown):
            return None
        return "\n".join(shown.text for shown in self._shown), self._ids()

    async def whisper(self, text: str) -> None:
        """Say one sentence as a reply: Discord shows nothing to one person alone but in answer to a command.

        Raises ConnectionError as `stream` does.
        """
        if self._shut_out:
            return
        text = clean(text)[:LIMIT]
        # Of the text, too: a later sentence about the same message is another one.
        nonce = f"{self._message_id}.{zlib.crc32(text.encode()) & 0xFFFF:04x}"
        self._shut_out = await self._messages.send(text, nonce, aside=True) is None

    def _ids(self) -> tuple[str, ...]:
        return tuple(message_key(shown.id) for shown in self._shown)

    async def _paint(self, done: asyncio.Event) -> None:
        """Bring the messages up to date in the set rhythm until the stream is done."""
        while not done.is_set():
            try:
                await self._show(self._latest, whole=False)
            except (ConnectionError, JournalUnavailable) as exc:  # the last showing tells whether it went well
                log.warning("discord:%d: an update isn't shown: %s", self._message_id, exc)
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), self._pace.every)

    async def _adopt(self) -> None:
        """Take over what is there of the answer. Where the history may not be read, the nonce alone helps."""
        known = {shown.id: shown for shown in self._shown}
        known |= {shown.id: shown for shown in await self._messages.replies() or ()}
        self._shown = [known[message_id] for message_id in sorted(known)]
        self._again = False
        self._floor = self._shown_length()

    async def _show(self, text: str, *, whole: bool) -> None:
        """Make the messages of the answer hold the text: edit, send and delete what differs.

        Where that takes several requests, a message with a cursor is changed last: a crash between two of them leaves
        an answer that shows it isn't whole.
        """
        if self._again:
            await self._adopt()
        wanted = split_markdown(self._growing.markdown(text), _ROOM)
        if not wanted or (not whole and len(text) < self._floor):
            return
        if not whole:
            wanted[-1] = growing(wanted[-1])
        spare = self._shown[len(wanted) :]
        due = [index for index, part in enumerate(wanted) if self._text(index) != part.strip()]
        held = next((index for index in due if grows(self._text(index))), due[0] if due else 0)
        if len(due) + len(spare) > 1 and due and not grows(self._text(held)):
            await self._put(held, growing(wanted[held]))
        for index in due:
            if index != held:
                await self._put(index, wanted[index])
        for shown in spare:
            await self._messages.delete(shown.id)
            self._shown.remove(shown)
        if due:
            await self._put(held, wanted[held])

    def _shown_length(self) -> int:
        return sum(len(shown.text) for shown in self._shown)

    def _text(self, index: int) -> str:
        """What Discord shows in a message of the answer, empty where there is none yet."""
        return self._shown[index].text.strip() if index < len(self._shown) else ""

    async def _put(self, index: int, text: str) -> None:
        """Make one message of the answer hold the text; the messages before it are there."""
        if index >= len(self._shown):
            if self._shut_out:
                return
            try:
                sent = await self._messages.send(text, f"{self._message_id}.{index}")
            except ConnectionError:
                self._again = True  # it may have arrived all the same
                raise
            self._shut_out = sent is None
            if sent is None:
                return
            self._shown.append(sent)
        # A repeated nonce gives the message of an earlier try, with the text it had then.
        if self._text(index) != text.strip():
            await self._messages.edit(self._shown[index].id, text)
            self._shown[index].text = text
