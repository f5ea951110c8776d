"""The reply handle of a Discord message: typing, an answer that grows by edits, whispers (`bot.ports.ReplyHandle`)."""

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext

import discord

from adapters.common.growing_answer import GrowingAnswer
from adapters.discord import files
from adapters.discord.answer import Answer
from adapters.discord.lengths import shorten
from adapters.discord.messages import DISCORD_ERRORS, Confirm, Messages, Online, Pace, Question
from adapters.discord.rates import Rates, background
from adapters.discord.recent import Places
from adapters.discord.refusals import GONE, UNKNOWN_MESSAGE, AnswerForm, DiscordRefused, is_transient, reason
from adapters.discord.text import LIMIT, message_number
from adapters.discord.views import layout
from bot.model import Attachment, Nearby
from bot.ports import PlatformRefused
from bot.text.clean import clean
from bot.views import Foot, View

log = logging.getLogger(__name__)

#: Seconds until typing is tried again if there was no room for it.
_TYPING_AGAIN = 1.0


class Reply:
    """Answers one message in its channel: as a reply to it, or else in a message that says whose question it answers.

    With `again`, an earlier process or attempt may have answered it, fully or partly: that is looked for before
    anything is sent, and taken over. Every method except `working` raises what `confirm` raises, ConnectionError if
    Discord is unreachable or fails, and PlatformRefused if it refuses for good.
    """

    def __init__(
        self,
        online: Online,
        channel_id: int,
        message_id: int,
        pace: Pace,
        confirm: Confirm,
        *,
        again: bool = False,
        asker: int = 0,
        link: str = "",
        rates: Rates | None = None,
        places: Places | None = None,
        around: Callable[[int], Awaitable[list[Nearby]]] | None = None,
    ) -> None:
        """`asker` gets a direct message if the bot can't write in the channel; 0: nobody. `around` reads the messages
        around this one."""
        self._question = Question(channel_id, message_id, asker, link)
        self._online = online
        self._messages = Messages(online, self._question, pace, confirm)
        self._pace = pace
        self._rates = rates or Rates()
        self._places = places or Places()
        self._answer = Answer(self._messages, self._question, self._places, pace, again=again)
        self._growing = GrowingAnswer(
            self._answer.grow, self._answer.finish, first=pace.first, turn=lambda: self._rates.growing(channel_id)
        )
        self._around = around
        self._shut: DiscordRefused | None = None
        self._footed: set[int] = set()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Show typing until the block ends."""
        typing = asyncio.create_task(self._type())
        try:
            yield
        finally:
            typing.cancel()
            await asyncio.wait([typing])

    async def _type(self) -> None:
        while True:
            with self._rates.spare() as free:
                if free:
                    try:
                        await self._messages.typing()
                    except DISCORD_ERRORS as exc:
                        log.warning("discord:%d: typing could not be shown: %s", self._question.id, reason(exc))
                        if isinstance(exc, discord.HTTPException) and not is_transient(exc):
                            return
            await asyncio.sleep(self._pace.typing if free else min(_TYPING_AGAIN, self._pace.typing))

    async def stream(self, snapshots: AsyncIterator[str]) -> tuple[str, ...]:
        """Show an answer as it grows; a complete answer that fits one message costs one request."""
        async with self._refusals():
            self._answer.begin()
            await self._growing.show(snapshots)
        return self._answer.ids

    @asynccontextmanager
    async def _refusals(self) -> AsyncIterator[None]:
        try:
            yield
        except DiscordRefused as exc:
            if exc.shut and exc.code != UNKNOWN_MESSAGE:
                self._shut = exc
            await self._give_up()
            raise PlatformRefused(str(exc.code), exc.sentence) from exc

    async def found(self) -> tuple[str, tuple[str, ...]] | None:
        """The complete answer that is already shown: its text, with one line break between messages, and their ids.

        Shows an answer that was complete and only failed to be shown, so that Claude need not be asked again.
        """
        async with self._refusals():
            await self._answer.adopt()
            if self._answer.whole is None:
                await self._growing.retry()
        text = self._answer.whole
        return None if text is None else (text, self._answer.ids)

    async def around(self, limit: int) -> list[Nearby]:
        """The messages around this one, oldest first; empty without the message-content intent."""
        return await self._around(limit) if self._around is not None else []

    @property
    def begun(self) -> bool:
        """Whether something of an answer is shown."""
        return bool(self._answer.ids)

    async def withdraw(self) -> None:
        """Delete what is shown of the answer."""
        async with self._refusals():
            await self._answer.withdraw()

    async def below(self, message_ids: Sequence[str], foot: Foot) -> None:
        """Add a line and buttons to the last message; once the answer is older, other requests go first."""
        if not message_ids:
            return
        number = message_number(message_ids[-1])
        content = None if number in self._footed else self._answer.shown_in(number)
        self._footed.add(number)
        try:
            if content is not None:
                await self._messages.below(number, foot, nullcontext, content)
                return
            with background():
                await self._messages.below(number, foot, lambda: self._rates.growing(self._question.channel))
        except DiscordRefused as exc:
            raise PlatformRefused(str(exc.code), exc.sentence) from exc

    async def show(self, view: View) -> None:
        """Send a view, in a direct message."""
        try:
            await self._messages.show(layout(view))
        except DiscordRefused as exc:
            raise PlatformRefused(str(exc.code), exc.sentence) from exc

    async def open(self, file: Attachment, limit: int) -> bytes:
        """Fetch a file that came with the message, or with the one that it replies to."""
        return await files.fetch(self._online, self._question, file, limit)

    async def whisper(self, text: str) -> None:
        """Say one sentence as a reply: Discord can show something to one person alone only in response to a command.

        This ends the exchange: a partial answer loses its cursor. If the bot may not write in the channel, the person
        is told so by a direct message.
        """
        await self._give_up()
        if self._shut:
            await self._whisper_directly(self._shut)
            return
        text = shorten(clean(text), LIMIT)
        # Includes the text: a later sentence about the same message is a different one.
        nonce = f"{self._question.id}.{zlib.crc32(text.encode()) & 0xFFFF:04x}"
        try:
            if self._question.channel not in self._places.plain:
                try:
                    await self._messages.send(text, nonce, aside=True)
                    return
                except DiscordRefused as exc:
                    if exc.other is not AnswerForm.PLAIN:
                        raise
            text = shorten(f"{self._question.mark}\n{text}", LIMIT)
            await self._messages.send(text, nonce, reply=False, aside=True)
        except DiscordRefused as exc:
            await self._whisper_directly(exc)

    async def _whisper_directly(self, refusal: DiscordRefused) -> None:
        question = self._question
        if not question.asker or refusal.code in GONE:
            raise PlatformRefused(str(refusal.code)) from refusal
        if (question.asker, question.channel) in self._places.notified:
            log.info("discord:%d: the person was told before that I can't write there", question.id)
            return
        self._places.notified.note((question.asker, question.channel))
        where = question.link or "the channel where you wrote to me"
        try:
            await self._messages.send_directly(
                f"I can't answer you in {where}: Discord doesn't let me write there. Its moderators can change that."
            )
        except DiscordRefused as exc:
            raise PlatformRefused(f"{refusal.code}, directly {exc.code}") from exc

    async def _give_up(self) -> None:
        """Remove the cursors from an answer that won't be completed."""
        try:
            await self._answer.remove_cursors()
        except (ConnectionError, DiscordRefused) as exc:
            log.warning("discord:%d: the answer stays incomplete: %s", self._question.id, str(exc))
