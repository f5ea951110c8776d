"""The slash commands and *Ask about this*, for servers and people who install the app, in any channel or DM."""

from typing import Any

import discord
from discord import app_commands

from adapters.discord.asking import NAME
from adapters.discord.interactions import Interactions
from adapters.discord.text import LIMIT
from bot.commands.registry import COMMANDS, Command

Group = Any  # a type parameter of discord.py's callbacks


def add_commands(tree: app_commands.CommandTree[discord.AutoShardedClient], interactions: Interactions) -> None:
    """Add the registry's commands to the tree, and the one in the menu of every message."""
    for command in COMMANDS:
        tree.add_command(_made(command, interactions))
    tree.add_command(_message_command(interactions))


def _message_command(interactions: Interactions) -> app_commands.ContextMenu:
    async def choose(interaction: discord.Interaction, message: discord.Message) -> None:
        await interactions.asking.choose(interaction, message)

    return app_commands.ContextMenu(
        name=NAME, callback=choose, allowed_installs=_everybody(), allowed_contexts=_everywhere()
    )


def _everybody() -> app_commands.AppInstallationType:
    return app_commands.AppInstallationType(guild=True, user=True)


def _everywhere() -> app_commands.AppCommandContext:
    return app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True)


def _made(command: Command, interactions: Interactions) -> app_commands.Command[Group, Any, None]:
    made: app_commands.Command[Group, Any, None]
    argument = command.argument
    if argument is None:

        async def run(interaction: discord.Interaction) -> None:
            await interactions.command(interaction, command.name, "")

        made = app_commands.Command(name=command.name, description=command.summary, callback=run)
    else:

        @app_commands.rename(words=argument.name)
        @app_commands.describe(words=argument.description)
        async def run_with(interaction: discord.Interaction, words: app_commands.Range[str, 0, LIMIT] = "") -> None:
            await interactions.command(interaction, command.name, words)

        made = app_commands.Command(name=command.name, description=command.summary, callback=run_with)
        if argument.suggested:

            @made.autocomplete("words")
            async def suggest(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
                return await interactions.suggest(interaction, command.name, typed)

    made.allowed_installs = _everybody()
    made.allowed_contexts = _everywhere()
    return made
