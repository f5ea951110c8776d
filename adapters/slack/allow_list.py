"""The channels that the bot is restricted to."""

import re

from bot.model import Audience, Place
from bot.ports import AllowList


def _channel(place: Place) -> str | None:
    """A place's channel; None for direct messages, whose members are in the workspace."""
    return None if place.audience is Audience.PRIVATE else place.channel


CHANNELS = AllowList("slack_channels", re.compile(r"[CG][A-Z0-9]{1,39}"), "channel ids such as C0123ABCDEF", _channel)
