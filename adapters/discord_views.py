"""Slash commands and buttons: interactions become common events, and views are shown to the caller alone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, cast

import discord
from discord import app_commands

from adapters.discord_reply import SILENT, TROUBLE
from adapters.discord_text import LIMIT, person, place, render
from adapters.text import clean
from bot.events import Audience, CommandEvent, Place, PressEvent, View
from bot.ports import Core

log = logging.getLogger(__name__)

SORRY = "Something went wrong on my side. Please try again."

#: Before a button's action in its custom id (100 characters at most), so that it is known after a restart.
_MARK = "m:"
_CHOICES = 25
_CHOICE_LENGTH = 100
#: Discord gives an autocompletion 3 seconds.
_SUGGEST_SECONDS = 2.5


class Interactions:
    """Answers commands, button presses and autocompletions, each within `intake`, which drops those that come late."""

    def __init__(self, core: Core, intake: Callable[[Coroutine[Any, Any, None]], Awaitable[None]]) -> None:
        self._core = core
        self._intake = intake

    async def command(self, interaction: discord.Interaction, name: str, argument: str) -> None:
        """Run a command and show its view, to the caller alone."""

        async def run() -> View:
            await interaction.response.defer(ephemeral=True, thinking=True)
            return await self._core.on_command(_command(interaction, name, argument))

        await self._intake(self._show(interaction, run))

    async def press(self, interaction: discord.Interaction) -> None:
        """Act on one of our buttons for whoever clicked it, and put the outcome in the view's place."""
        data = cast("dict[str, object]", interaction.data or {})
        custom_id = str(data.get("custom_id", ""))
        if interaction.type is not discord.InteractionType.component or not custom_id.startswith(_MARK):
            return
        action = custom_id.removeprefix(_MARK)

        async def run() -> View:
            await interaction.response.defer()
            where = place(interaction.channel, interaction.guild)
            return await self._core.on_press(
                PressEvent(person(interaction.user), where, action, interaction.created_at)
            )

        await self._intake(self._show(interaction, run))

    async def suggest(self, interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        """The caller's memories that match what is typed into `/forget`."""
        try:
            async with asyncio.timeout(_SUGGEST_SECONDS):
                found = await self._core.suggest(_command(interaction, "forget", typed))
        except TimeoutError:
            log.warning("discord: suggestions took too long")
            return []
        texts = dict.fromkeys(clean(text).strip()[:_CHOICE_LENGTH] for text in found)
        return [app_commands.Choice(name=text, value=text) for text in texts if text][:_CHOICES]

    async def _show(self, interaction: discord.Interaction, run: Callable[[], Awaitable[View]]) -> None:
        try:
            view = await run()
            await interaction.edit_original_response(content=render(view), view=_buttons(view), allowed_mentions=SILENT)
        except Exception as exc:  # noqa: BLE001 - the interaction's boundary: the person is told, others go on
            log.error("discord: an interaction failed: %s", type(exc).__name__)
            await _apologise(interaction)


def _place(interaction: discord.Interaction) -> Place:
    where = place(interaction.channel, interaction.guild)
    # A DM or group between people, reached by a user's own installation of the app: not a DM with the bot.
    return replace(where, audience=Audience.MEMBERS, name="") if interaction.context.private_channel else where


def _command(interaction: discord.Interaction, name: str, argument: str) -> CommandEvent:
    return CommandEvent(
        person(interaction.user), _place(interaction), name, clean(argument).strip(), interaction.created_at
    )


def _buttons(view: View) -> discord.ui.View:
    """A view's buttons. It is stopped, so that discord.py keeps nothing of it: presses are known by custom id."""
    shown = discord.ui.View(timeout=None)
    for button in view.buttons[:25]:
        style = discord.ButtonStyle.danger if button.danger else discord.ButtonStyle.secondary
        shown.add_item(discord.ui.Button(label=clean(button.label)[:80], style=style, custom_id=_MARK + button.action))
    shown.stop()
    return shown


async def _apologise(interaction: discord.Interaction) -> None:
    try:
        if interaction.response.is_done():
            await interaction.followup.send(SORRY, ephemeral=True, allowed_mentions=SILENT)
        else:
            await interaction.response.send_message(SORRY, ephemeral=True, allowed_mentions=SILENT)
    except TROUBLE as exc:
        log.warning("discord: nor could an apology be shown: %s", type(exc).__name__)


def add_commands(tree: app_commands.CommandTree[discord.AutoShardedClient], interactions: Interactions) -> None:
    """Put `/memories` and `/forget` on the tree: for servers and people who install the app, in any channel or DM."""

    @tree.command(name="memories", description="See what I remember about you. Only you see the answer.")
    @app_commands.describe(search="Only memories that hold these words")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def memories(interaction: discord.Interaction, search: app_commands.Range[str, 0, LIMIT] = "") -> None:
        await interactions.command(interaction, "memories", search)

    @tree.command(name="forget", description="Make me forget something, or everything, about you.")
    @app_commands.describe(what="Words or a number from /memories; leave it empty to forget everything")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def forget(interaction: discord.Interaction, what: app_commands.Range[str, 0, LIMIT] = "") -> None:
        await interactions.command(interaction, "forget", what)

    @forget.autocomplete("what")
    async def suggest(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return await interactions.suggest(interaction, typed)
