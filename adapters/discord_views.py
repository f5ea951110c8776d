"""The parts of a view that Discord calls components: buttons, a menu, and the form that a button opens.

Which of them was used, and for what, stands in its custom id, so that it is understood after a restart too.
"""

import io
from enum import StrEnum

import discord

from adapters.text import clean
from bot.events import Ask, Button, File, View

#: Discord's limits: buttons in a row, rows, choices of a menu; and characters.
_IN_ROW = 5
_ROWS = 5
_CHOICES = 25
_BUTTON_LABEL = 80
_CHOICE_LABEL = 100
_PLACEHOLDER = 150
_FORM_LABEL = 45
_FORM_TEXT = 4000


class Kind(StrEnum):
    """What a custom id begins with. The action follows: 100 characters at most in all."""

    PRESS = "m:"
    ASK = "a:"
    MENU = "menu"
    FORM = "f:"


def components(view: View) -> discord.ui.View:
    """A view's menu and buttons. It is stopped, so that discord.py keeps nothing of it."""
    shown = discord.ui.View(timeout=None)
    # Two choices of one value are refused.
    choices = {
        option.action: discord.SelectOption(label=_short(option.label, _CHOICE_LABEL), value=option.action)
        for option in view.menu[:_CHOICES]
    }
    if choices:
        placeholder = _short(view.menu_label, _PLACEHOLDER) if view.menu_label.strip() else None
        shown.add_item(
            discord.ui.Select(custom_id=Kind.MENU, placeholder=placeholder, options=list(choices.values()), row=0)
        )
    room = _IN_ROW * (_ROWS - bool(choices))
    for button in view.buttons[:room]:
        shown.add_item(_button(button))
    shown.stop()
    return shown


def _button(button: Button) -> "discord.ui.Button[discord.ui.View]":
    style = discord.ButtonStyle.danger if button.danger else discord.ButtonStyle.secondary
    kind = Kind.ASK if button.asks else Kind.PRESS
    return discord.ui.Button(label=_short(button.label, _BUTTON_LABEL), style=style, custom_id=kind + button.action)


def form(ask: Ask) -> discord.ui.Modal:
    """A form with one field for several lines, stopped like a view's components."""
    most = max(1, min(ask.most, _FORM_TEXT))
    field: discord.ui.TextInput[discord.ui.Modal] = discord.ui.TextInput(
        custom_id="text", style=discord.TextStyle.paragraph, default=clean(ask.value)[:most] or None, max_length=most
    )
    modal = discord.ui.Modal(title=_short(ask.title, _FORM_LABEL), custom_id=Kind.FORM + ask.action)
    modal.add_item(discord.ui.Label(text=_short(ask.label, _FORM_LABEL), component=field))
    modal.stop()
    return modal


def filled_in(components: object) -> str:
    """What was typed into a form, found in its payload: Discord wraps the field in a label, or in a row."""
    if isinstance(components, list):
        return next((text for one in components if (text := filled_in(one))), "")
    if not isinstance(components, dict):
        return ""
    if isinstance(value := components.get("value"), str):
        return clean(value).strip()
    return filled_in(components.get("component")) or filled_in(components.get("components"))


def attachment(file: File) -> discord.File:
    """A view's file, to be sent along."""
    return discord.File(io.BytesIO(file.content), filename=file.name)


def _short(text: str, width: int) -> str:
    """A label as Discord takes it: one line, cut with an ellipsis, never empty."""
    text = " ".join(clean(text).split()) or "…"
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"
