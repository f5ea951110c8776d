"""What stands below an answer on Discord: a line of small print and buttons, added to its last message."""

from collections.abc import Iterable

import discord

from adapters.discord.lengths import units
from adapters.discord.text import LIMIT, escape
from adapters.discord.views import below_buttons
from bot.views import Foot

#: How small print begins. In an answer's own text it is escaped.
_SMALL = "-# "
#: Rows of buttons that a message may have.
_ROWS = 5


def without(content: str) -> str:
    """A message's text without the lines below the answer."""
    lines = content.split("\n")
    while len(lines) > 1 and lines[-1].startswith(_SMALL):
        lines.pop()
    return "\n".join(lines)


def with_line(content: str, line: str) -> str:
    """A message's text with one more line below the answer, once, if there is room for it."""
    if f"{_SMALL}{escape(line)}" in content.split("\n")[1:]:
        return content
    below = f"{content}\n{_SMALL}{escape(line)}"
    return below if line and units(below) <= LIMIT else content


def with_foot(
    content: str, components: Iterable[discord.Component], foot: Foot, asker: int
) -> tuple[str, discord.ui.View | None] | None:
    """A message's text and buttons with a foot below it; None if it is there already, or there is no room for it.

    `asker` is who may press its buttons (0: whoever can see them).
    """
    rows = [row for row in components if isinstance(row, discord.ActionRow)]
    there = {button.custom_id for row in rows for button in row.children if isinstance(button, discord.Button)}
    added = below_buttons(foot.buttons, asker)
    text = with_line(content, foot.line)
    if added:
        if any(button.custom_id in there for button in added) or len(rows) >= _ROWS:
            return None
    elif text == content:
        return None
    shown = discord.ui.View(timeout=None)
    for number, row in enumerate(rows):
        for item in row.children:
            if isinstance(item, discord.Button):
                old: discord.ui.Button[discord.ui.View] = discord.ui.Button(
                    label=item.label, style=item.style, custom_id=item.custom_id, row=number
                )
                shown.add_item(old)
    for button in added:
        button.row = len(rows)
        shown.add_item(button)
    shown.stop()
    return text, shown if shown.children else None
