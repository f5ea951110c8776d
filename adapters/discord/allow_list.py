"""The servers that the bot is restricted to."""

import re

from bot.model import Audience, Place
from bot.ports import AllowList


def _guild(place: Place) -> str | None:
    """A place's server; None for direct messages, which are served to members (`adapters.discord.members`)."""
    return None if place.audience is Audience.PRIVATE else place.workspace


GUILDS = AllowList("discord_guilds", re.compile(r"[1-9][0-9]{0,19}"), "server ids such as 197038439483310086", _guild)
