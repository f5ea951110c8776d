"""Discord, by discord.py."""

import re
from typing import TYPE_CHECKING

from adapters.discord.allow_list import GUILDS
from bot.config import Settings
from bot.ports import Adapter, Core, Platform

if TYPE_CHECKING:
    import aiohttp

    from bot.checks import Finding


async def _check(session: "aiohttp.ClientSession", settings: Settings) -> "list[Finding]":
    from adapters.discord import doctor

    return await doctor.check(session, settings)


def _build(settings: Settings, core: Core) -> Adapter:
    from adapters.discord.adapter import DiscordAdapter  # discord.py takes a second to import

    return DiscordAdapter(settings, core)


DISCORD = Platform(
    name="discord",
    label="Discord",
    account="discord:<id>",
    # Exactly as Discord writes ids: ASCII digits only, no line break.
    account_form=re.compile(r"discord:([1-9][0-9]{0,19})"),
    tokens=("discord_token",),
    is_on=lambda settings: settings.discord_token is not None,
    allow_list=GUILDS,
    check=_check,
    build=_build,
)
