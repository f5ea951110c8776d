"""*Ask about this*: a question about a message that somebody chooses, answered to them alone.

Discord delivers the chosen message with the command, even one that the bot couldn't read otherwise. It is held only
in memory, and only until it is answered.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import discord

from adapters.discord import files
from adapters.discord.ephemeral import EphemeralReply
from adapters.discord.events import chosen, person, place_of
from adapters.discord.members import Members, MembershipUnknown
from adapters.discord.messages import DISCORD_ERRORS, SILENT, Online, Pace
from adapters.discord.refusals import ALREADY_ACKNOWLEDGED, reason
from adapters.discord.text import message_key
from adapters.discord.views import question_form
from bot.events import MessageEvent
from bot.logs import describe
from bot.model import Attachment
from bot.ports import Core
from bot.text.clean import clean

log = logging.getLogger(__name__)

#: The command's name in Discord's menu *Apps*.
NAME = "Ask about this"

UNREADABLE = "There is nothing in that message that I can read."
GONE = "I no longer have the message that you asked about. Please choose it again."
TOO_LATE = "I couldn't answer that in the time that Discord gives me. Please ask me again."
STOPPED = "I'm being restarted. Please ask me again in a minute."

#: Most open forms, one per person.
MAX_FORMS = 1000
#: Seconds for a last word when time is up, and when the bot stops.
_LAST_WORD = 20.0
_LAST_WORD_AT_STOP = 2.0


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What is held of a chosen message: its text, and references to its files."""

    text: str
    files: tuple[Attachment, ...]


class Asking:
    """Opens the form for a question and has the question answered, each in `track`, as in `Interactions`."""

    def __init__(
        self,
        core: Core,
        online: Online,
        members: Members,
        pace: Pace,
        track: Callable[[Coroutine[Any, Any, None]], Awaitable[None]],
    ) -> None:
        self._core = core
        self._online = online
        self._members = members
        self._pace = pace
        self._track = track
        #: By person: the form's key, the message, and the end of the wait for the question.
        self._open: dict[int, tuple[str, _Chosen, asyncio.TimerHandle]] = {}

    async def choose(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Ask for the question about a chosen message. Waits for nothing, since Discord allows three seconds."""
        await self._track(self._show_form(interaction, message))

    async def ask(self, interaction: discord.Interaction, key: str, question: str) -> None:
        """Answer a submitted form's question, which may be empty."""
        await self._track(self._answer(interaction, key, question))

    async def _show_form(self, interaction: discord.Interaction, message: discord.Message) -> None:
        me = interaction.client.user
        text = chosen(message, interaction.user, me.id if me else 0)
        try:
            if not text:
                await interaction.response.send_message(UNREADABLE, ephemeral=True, allowed_mentions=SILENT)
                return
            key = str(interaction.id)
            self._hold(interaction.user.id, key, _Chosen(text, tuple(files.of(message))))
            await interaction.response.send_modal(question_form(key))
        except DISCORD_ERRORS as exc:
            # If another process has opened a form for it, the form may be submitted to this one.
            if getattr(exc, "code", 0) != ALREADY_ACKNOWLEDGED:
                self._pop(interaction.user.id, str(interaction.id))
            log.warning("discord: interaction %d: the form could not be opened: %s", interaction.id, reason(exc))

    def _hold(self, user: int, key: str, message: _Chosen) -> None:
        """Hold a message until its question arrives, replacing one that the person chose before."""
        self._drop(user)
        if len(self._open) >= MAX_FORMS:
            self._drop(next(iter(self._open)))
        timer = asyncio.get_running_loop().call_later(self._pace.form, self._open.pop, user, None)
        self._open[user] = key, message, timer

    def _pop(self, user: int, key: str) -> _Chosen | None:
        """A held message, which no longer is; None if there is none."""
        held, message, _ = self._open.get(user, ("", None, None))
        if held != key:
            return None
        self._drop(user)
        return message

    def _drop(self, user: int) -> None:
        if user in self._open:
            self._open.pop(user)[2].cancel()

    async def _answer(self, interaction: discord.Interaction, key: str, question: str) -> None:
        try:
            await interaction.response.defer(ephemeral=True, thinking=True)
        except DISCORD_ERRORS as exc:
            self._pop(interaction.user.id, key)
            log.warning("discord: interaction %d: not answered: %s", interaction.id, reason(exc))
            return
        reply = EphemeralReply(self._online, interaction, self._pace)
        try:
            async with asyncio.timeout(self._pace.interaction):
                if message := self._pop(interaction.user.id, key):
                    await self._core.messages.on_message(await self._event(interaction, message, question), reply)
                else:
                    await reply.whisper(GONE)
        except TimeoutError:
            log.warning("discord: interaction %d: not answered in time", interaction.id)
            await self._say_last(reply, interaction.id, TOO_LATE, _LAST_WORD)
        except asyncio.CancelledError:
            await self._say_last(reply, interaction.id, STOPPED, _LAST_WORD_AT_STOP)
            raise
        except Exception as exc:  # noqa: BLE001 - the interaction's boundary: it affects no other
            log.error("discord: interaction %d failed: %s", interaction.id, describe(exc))

    async def _event(self, interaction: discord.Interaction, message: _Chosen, question: str) -> MessageEvent:
        event = MessageEvent(
            id=message_key(interaction.id),
            person=person(interaction.user),
            place=place_of(interaction),
            text=question,
            name=clean(interaction.user.display_name),
            at=interaction.created_at,
            forwarded=(message.text,),
            confidential=True,
            quoted_files=message.files,
        )
        try:
            return await self._members.with_membership(event)
        except MembershipUnknown as exc:
            return exc.event

    @staticmethod
    async def _say_last(reply: EphemeralReply, interaction: int, sentence: str, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                try:
                    await reply.whisper(sentence)
                except Exception as exc:  # noqa: BLE001 - whatever fails, nothing is left to be said
                    log.warning("discord: interaction %d: the person could not be told: %s", interaction, describe(exc))
