"""The slash commands: for servers and people who install the app, in any channel or DM."""

import discord
from discord import app_commands

from adapters.discord.interactions import Interactions
from adapters.discord.text import LIMIT

#: Characters that `/link` takes: more than any code has.
_CODE = 100


def add_commands(tree: app_commands.CommandTree[discord.AutoShardedClient], interactions: Interactions) -> None:
    """Put them on the tree; each hands its words to `interactions`."""

    @tree.command(name="memories", description="See what I remember about you. Only you see the answer.")
    @app_commands.describe(search="Only memories that hold these words")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def memories(interaction: discord.Interaction, search: app_commands.Range[str, 0, LIMIT] = "") -> None:
        await interactions.command(interaction, "memories", search)

    @tree.command(name="forget", description="Make me forget something, or everything, about you.")
    @app_commands.describe(what="Words, a number from /memories, or a time such as since Monday; empty: everything")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def forget(interaction: discord.Interaction, what: app_commands.Range[str, 0, LIMIT] = "") -> None:
        await interactions.command(interaction, "forget", what)

    @forget.autocomplete("what")
    async def suggest(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return await interactions.suggest(interaction, typed)

    @tree.command(name="link", description="Share my memory of you with your account on the other platform.")
    @app_commands.describe(code="The code that I showed you there; leave it empty to get one")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def link(interaction: discord.Interaction, code: app_commands.Range[str, 0, _CODE] = "") -> None:
        await interactions.command(interaction, "link", code)

    @tree.command(name="unlink", description="Part this account from those it is linked with.")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def unlink(interaction: discord.Interaction) -> None:
        await interactions.command(interaction, "unlink", "")
