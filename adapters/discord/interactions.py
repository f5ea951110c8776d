"""Turns interactions into the core's events, and shows views to the caller alone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

import discord
from discord import app_commands

from adapters.common.foot import NOT_YOURS as NOT_YOURS_TO_OPEN
from adapters.discord.asking import Asking
from adapters.discord.events import person, place_of
from adapters.discord.lengths import shorten
from adapters.discord.messages import DISCORD_ERRORS, SILENT
from adapters.discord.refusals import (
    OVER,
    REFUSALS,
    UNKNOWN,
    UNKNOWN_MESSAGE,
    is_transient,
    reason,
)
from adapters.discord.text import message_key
from adapters.discord.views import Kind, attachment, filled_in, layout, modal, plain
from bot.events import CommandEvent, PressEvent, SubmitEvent
from bot.logs import describe
from bot.ports import Core
from bot.text.clean import clean
from bot.views import File, Form, View

log = logging.getLogger(__name__)

NOT_YOURS = "Only whoever asked can stop this answer."
SORRY = "Something went wrong on my side. Please try again."
NOT_SHOWN = "Discord doesn't let me show my answer here. Please try it in a direct message with me."
NOT_HANDED_OVER = (
    "Discord doesn't take the file here. Please ask me for it in a direct message, or ask whoever runs me."
)

_CHOICES = 25
_CHOICE_LENGTH = 100
#: Discord allows 3 seconds for autocompletion, and for opening a form.
_ANSWER_SECONDS = 2.5


class Interactions:
    """Answers interactions, each in `track`, which ignores them once the bot is stopping. Always about the caller."""

    def __init__(
        self, core: Core, asking: Asking, track: Callable[[Coroutine[Any, Any, None]], Awaitable[None]]
    ) -> None:
        """`asking` answers questions about chosen messages."""
        self._core = core
        self.asking = asking
        self._track = track

    async def command(self, interaction: discord.Interaction, name: str, argument: str) -> None:
        """Run a command and show its view, to the caller alone."""

        async def run() -> View:
            await interaction.response.defer(ephemeral=True, thinking=True)
            return await self._core.interactions.on_command(_command(interaction, name, argument))

        await self._track(_show(interaction, run))

    async def used(self, interaction: discord.Interaction) -> None:
        """One of our buttons, menus or forms was used: the result replaces the view that it belongs to."""
        data = cast("dict[str, Any]", interaction.data or {})
        custom_id = str(data.get("custom_id", ""))
        kind = next((kind for kind in Kind if custom_id.startswith(kind)), None)
        action = custom_id.removeprefix(kind or "")
        if interaction.type is discord.InteractionType.modal_submit and kind is Kind.FORM:
            await self._submit(interaction, action, filled_in(data.get("components")))
        elif interaction.type is discord.InteractionType.modal_submit and kind is Kind.QUESTION:
            await self.asking.ask(interaction, action, filled_in(data.get("components")))
        elif interaction.type is discord.InteractionType.component and kind is Kind.OPEN_FORM:
            await self._open_form(interaction, action)
        elif interaction.type is discord.InteractionType.component and kind is Kind.MENU:
            await self._press(interaction, str((data.get("values") or [""])[0]))
        elif interaction.type is discord.InteractionType.component and kind is Kind.STOP:
            await self._stop(interaction, action)
        elif interaction.type is discord.InteractionType.component and kind is Kind.BELOW:
            await self._below(interaction, action)
        elif interaction.type is discord.InteractionType.component and kind is Kind.PRESS:
            await self._press(interaction, action)

    async def _press(self, interaction: discord.Interaction, action: str) -> None:
        async def run() -> View:
            await interaction.response.defer()
            return await self._core.interactions.on_press(_pressed(interaction, action))

        await self._track(_show(interaction, run))

    async def _stop(self, interaction: discord.Interaction, action: str) -> None:
        """Stop an answer that grows; it says so itself, unless another person's is meant."""

        async def run() -> None:
            question, _, asker = action.partition(".")
            if asker not in ("0", str(interaction.user.id)):
                await interaction.response.send_message(NOT_YOURS, ephemeral=True, allowed_mentions=SILENT)
                return
            await interaction.response.defer()
            await self._core.messages.on_stop(message_key(int(question)), person(interaction.user))

        await self._track(_show(interaction, run))

    async def _below(self, interaction: discord.Interaction, owned: str) -> None:
        """Open what a button below an answer is for, beside the answer, for whoever asked alone."""
        asker, _, action = owned.partition(":")

        async def run() -> View | None:
            if asker not in ("0", str(interaction.user.id)):
                await interaction.response.send_message(NOT_YOURS_TO_OPEN, ephemeral=True, allowed_mentions=SILENT)
                return None
            await interaction.response.defer(ephemeral=True, thinking=True)
            return await self._core.interactions.on_press(_pressed(interaction, action))

        await self._track(_show(interaction, run))

    async def _open_form(self, interaction: discord.Interaction, action: str) -> None:
        async def run() -> View | None:
            async with asyncio.timeout(_ANSWER_SECONDS):
                opened = await self._core.interactions.open_form(_pressed(interaction, action))
            if isinstance(opened, Form):
                await interaction.response.send_modal(modal(opened))
                return None
            await interaction.response.defer()
            return opened

        await self._track(_show(interaction, run))

    async def _submit(self, interaction: discord.Interaction, action: str, text: str) -> None:
        async def run() -> View:
            await interaction.response.defer()
            return await self._core.interactions.on_submit(
                SubmitEvent(person(interaction.user), place_of(interaction), action, text, interaction.created_at)
            )

        await self._track(_show(interaction, run))

    async def suggest(self, interaction: discord.Interaction, name: str, typed: str) -> list[app_commands.Choice[str]]:
        """The caller's memories that match the argument typed so far."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                found = await self._core.interactions.suggest(_command(interaction, name, typed))
        except TimeoutError:
            log.warning("discord: autocompletion timed out")
            return []
        texts = dict.fromkeys(shorten(clean(text).strip(), _CHOICE_LENGTH) for text in found)
        return [app_commands.Choice(name=text, value=text) for text in texts if text][:_CHOICES]


def _command(interaction: discord.Interaction, name: str, argument: str) -> CommandEvent:
    user, words = interaction.user, clean(argument).strip()
    called = clean(f"{user.display_name} (@{user.name})")
    return CommandEvent(person(user), place_of(interaction), name, words, interaction.created_at, called)


def _pressed(interaction: discord.Interaction, action: str) -> PressEvent:
    return PressEvent(person(interaction.user), place_of(interaction), action, interaction.created_at)


async def _show(interaction: discord.Interaction, run: Callable[[], Awaitable[View | None]]) -> None:
    try:
        view = await run()
        if view is None:
            return
        await _put(interaction, view)
        if view.file:
            await _hand_over(interaction, view.file)
    except discord.HTTPException as exc:
        if exc.code in OVER:
            log.warning("discord: interaction %d expired: %s", interaction.id, reason(exc))
            return
        log.error("discord: interaction %d: response refused: %s", interaction.id, reason(exc))
        refusal = REFUSALS.get(exc.code, UNKNOWN)
        await _say(interaction, SORRY if is_transient(exc) else refusal.sentence or NOT_SHOWN)
    except Exception as exc:  # noqa: BLE001 - the interaction's boundary: tell the person, don't affect others
        log.error("discord: interaction %d failed: %s", interaction.id, describe(exc))
        await _say(interaction, SORRY)


async def _put(interaction: discord.Interaction, view: View) -> None:
    """Replace the original response by a view; if Discord refuses that, show it in another form."""
    try:
        # Clear the content: an earlier version of the bot may have written some into this message.
        await interaction.edit_original_response(content=None, view=layout(view), allowed_mentions=SILENT)
    except discord.HTTPException as exc:
        if is_transient(exc) or exc.code in OVER:
            raise
        log.warning("discord: interaction %d: view refused: %s", interaction.id, reason(exc))
        if exc.code == UNKNOWN_MESSAGE:  # the caller has dismissed it
            await interaction.followup.send(view=layout(view), ephemeral=True, allowed_mentions=SILENT)
        else:
            await interaction.followup.send(plain(view), ephemeral=True, allowed_mentions=SILENT)


async def _hand_over(interaction: discord.Interaction, file: File) -> None:
    """Send the file to the caller alone; if Discord refuses it (its size, the channel's permissions), say so."""
    try:
        await interaction.followup.send(file=attachment(file), ephemeral=True, allowed_mentions=SILENT)
    except discord.HTTPException as exc:
        if exc.code in OVER:
            raise
        log.error(
            "discord: interaction %d: file of %d bytes refused: %s",
            interaction.id,
            len(file.content),
            reason(exc),
        )
        await interaction.followup.send(NOT_HANDED_OVER, ephemeral=True, allowed_mentions=SILENT)


async def _say(interaction: discord.Interaction, sentence: str) -> None:
    """Say a sentence to the caller alone."""
    try:
        if interaction.response.is_done():
            await interaction.followup.send(sentence, ephemeral=True, allowed_mentions=SILENT)
        else:
            await interaction.response.send_message(sentence, ephemeral=True, allowed_mentions=SILENT)
    except DISCORD_ERRORS as exc:
        log.warning("discord: interaction %d: the person could not be told: %s", interaction.id, reason(exc))
