"""`/help`: what the bot can do here, what it keeps, and its commands."""

from collections.abc import Iterable
from typing import Protocol

from bot.actions import Page
from bot.events import CommandEvent
from bot.model import Audience
from bot.views import Button, Item, View

TITLE = "I answer what you ask, and I remember what you tell me."
HOW = "Write to me in a direct message, or mention me in a channel; reply to me, and I go on from there."
PRIVATE = "What I learn in this direct message I use in direct messages with you alone, unless you share it."
MEMBERS = "What I learn in this channel I use here and in direct messages with you."
PUBLIC = (
    "What I learn in this public channel I use in the channels of this workspace or server, and in direct messages "
    "with you."
)
NOBODY = "Nobody else is answered with what I remember about you."


class Listed(Protocol):
    """A command, as listed."""

    @property
    def usage(self) -> str: ...

    @property
    def summary(self) -> str: ...


async def show(event: CommandEvent, commands: Iterable[Listed], kept: str) -> View:
    """Answer `/help`. `kept` is the sentence that says what is kept, where and for how long."""
    audience = Audience.MEMBERS if event.place.external else event.place.audience
    where = {Audience.PRIVATE: PRIVATE, Audience.MEMBERS: MEMBERS, Audience.PUBLIC: PUBLIC}[audience]
    items = [Item(0, HOW), Item(0, f"{where} {NOBODY}")]
    items += [Item(0, f"{command.usage}: {command.summary}") for command in commands]
    return View(TITLE, tuple(items), kept, (Button("Show memories", str(Page())),))
