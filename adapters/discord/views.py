"""Renders views as Discord's components: text, a menu and buttons, and the form that a button opens.

The text is a component, too (Components V2): it can be twice as long as a message's content, and is visible even to
people who have embeds switched off. A button's custom id contains its action, so that it works after a restart.
"""

import io
import re
from collections.abc import Sequence
from enum import StrEnum

import discord

from adapters.discord.lengths import shorten, units
from adapters.discord.text import LIMIT, escape, escape_in_line, without_links
from bot.text.clean import clean, one_line
from bot.views import Button, File, Form, Item, View

_NUMBERED = re.compile(r"\A(\d{1,10})\.")
_WEB = re.compile(r"https?://[^\s<>()]+")

#: Discord's limits: the total text of one message, in UTF-16 units; buttons in a row, rows, choices of a menu.
TEXT = 4000
_IN_ROW = 5
_ROWS = 5
_CHOICES = 25
_BUTTON_LABEL = 80
_CHOICE_LABEL = 100
_PLACEHOLDER = 150
_FORM_LABEL = 45
_FORM_TEXT = 4000
#: The form for a question: its title and its field's label, and the question's length.
_QUESTION = ("Ask about this", "Your question (may be left empty)")
_QUESTION_LENGTH = 2000
#: Lengths in characters: of an item's text, before links are dropped instead; of a title shown large; of a footer and
#: of a note.
_NARROWEST = 40
_HEADING = 150
_FOOTER = 800
_NOTE = 120


class Kind(StrEnum):
    """The prefix of a custom id, before the action; 100 characters at most in total."""

    PRESS = "m:"
    OPEN_FORM = "a:"
    MENU = "menu"
    FORM = "f:"
    QUESTION = "q:"
    STOP = "s:"
    BELOW = "n:"


def layout(view: View) -> discord.ui.LayoutView:
    """A view's text, menu and buttons. It is stopped, so that discord.py doesn't keep it."""
    shown = discord.ui.LayoutView(timeout=None)
    text, footer = render(view)
    shown.add_item(discord.ui.TextDisplay(text))
    if footer:
        if view.items:
            shown.add_item(discord.ui.Separator())
        shown.add_item(discord.ui.TextDisplay(footer))
    # Discord rejects choices with the same value.
    choices = {
        option.action: discord.SelectOption(label=_short(option.label, _CHOICE_LABEL), value=option.action)
        for option in view.menu[:_CHOICES]
    }
    if choices:
        placeholder = _short(view.menu_label, _PLACEHOLDER) if view.menu_label.strip() else None
        menu: discord.ui.Select[discord.ui.LayoutView] = discord.ui.Select(
            custom_id=Kind.MENU, placeholder=placeholder, options=list(choices.values())
        )
        shown.add_item(discord.ui.ActionRow(menu))
    buttons = [_button(button) for button in view.buttons[: _IN_ROW * _ROWS]]
    for first in range(0, len(buttons), _IN_ROW):
        shown.add_item(discord.ui.ActionRow(*buttons[first : first + _IN_ROW]))
    shown.stop()
    return shown


def render(view: View) -> tuple[str, str]:
    """A view's text and its footer, at most 4,000 characters together.

    Long texts are cut with an ellipsis; links are dropped only if that isn't enough.
    """
    footer = _with_code(_short(view.footer, _FOOTER), view.code) if view.footer.strip() else ""
    if footer and view.items:
        footer = f"-# {footer}"
    room = TEXT - units(footer)
    for links in (True, False):
        width = min(TEXT, max(len(text) for text in (view.title, *(item.text for item in view.items))))
        while True:
            text = _body(view, width, links=links)
            if units(text) <= room:
                return text, footer
            if width <= _NARROWEST:
                break
            width = max(_NARROWEST, width * 9 // 10)
    return shorten(text, room, "…"), footer


def plain(view: View) -> str:
    """A view as one message's content, without buttons and links, in case Discord refuses it."""
    text = _body(view, _NARROWEST, links=False)
    footer = _with_code(_short(view.footer, _FOOTER), view.code) if view.footer.strip() else ""
    return shorten(without_links(f"{text}\n{footer}".strip()), LIMIT, "…")


def _body(view: View, width: int, *, links: bool) -> str:
    title = _with_code(_short(view.title, max(width, _HEADING)), view.code)
    # A line that begins with a number and a full stop would start a list.
    large = bool(view.items) and len(view.title) <= _HEADING
    lines = [f"### {title}" if large else _NUMBERED.sub(r"\1\\.", title)]
    for item in view.items:
        lines.append(f"**{item.mark}** {escape(_short(item.text, width))}")
        if about := _about(item, links=links):
            lines.append(f"-# {about}")
    return "\n".join(lines)


def _with_code(text: str, code: str) -> str:
    """Plain text, escaped, with `code` in it as a code span: "Copy text" on a phone copies escapes as well."""
    if not code or "`" in code:
        return escape(text)
    # White space at the ends of the pieces must stay.
    return f"`{code}`".join(escape_in_line(piece) for piece in text.split(code))


def _about(item: Item, *, links: bool) -> str:
    """An item's small print. A link in angle brackets shows no preview."""
    about = [escape(_short(item.note, _NOTE))] if item.note else []
    if links and _WEB.fullmatch(item.link):
        about.append(f"[open](<{item.link}>)")
    return " · ".join(about)


def stop_button(message_id: int, asker: int) -> discord.ui.View:
    """The button under an answer that grows, to a message of that person's (0: whoever can see it)."""
    shown = discord.ui.View(timeout=None)
    action = f"{Kind.STOP}{message_id}.{asker}"
    shown.add_item(discord.ui.Button(label="Stop", style=discord.ButtonStyle.secondary, custom_id=action))
    shown.stop()
    return shown


def below_buttons(buttons: Sequence[Button], asker: int) -> "list[discord.ui.Button[discord.ui.View]]":
    """Buttons below an answer, which only `asker` may press (0: whoever can see them)."""
    style = discord.ButtonStyle.secondary
    return [
        discord.ui.Button(
            label=_short(button.label, _BUTTON_LABEL), style=style, custom_id=f"{Kind.BELOW}{asker}:{button.action}"
        )
        for button in buttons[:_IN_ROW]
    ]


def _button(button: Button) -> "discord.ui.Button[discord.ui.LayoutView]":
    style = discord.ButtonStyle.danger if button.danger else discord.ButtonStyle.secondary
    kind = Kind.OPEN_FORM if button.opens_form else Kind.PRESS
    return discord.ui.Button(label=_short(button.label, _BUTTON_LABEL), style=style, custom_id=kind + button.action)


def modal(form: Form) -> discord.ui.Modal:
    """A form with one multi-line field, stopped like a view's components."""
    return _modal(Kind.FORM, form)


def question_form(key: str) -> discord.ui.Modal:
    """The form for a question about a chosen message; the question may be left out."""
    return _modal(Kind.QUESTION, Form(*_QUESTION, "", key, _QUESTION_LENGTH), required=False)


def _modal(kind: Kind, form: Form, *, required: bool = True) -> discord.ui.Modal:
    limit = max(1, min(form.limit, _FORM_TEXT))
    field: discord.ui.TextInput[discord.ui.Modal] = discord.ui.TextInput(
        custom_id="text",
        style=discord.TextStyle.paragraph,
        default=shorten(clean(form.value), limit) or None,
        max_length=limit,
        required=required,
    )
    shown = discord.ui.Modal(title=_short(form.title, _FORM_LABEL), custom_id=kind + form.action)
    shown.add_item(discord.ui.Label(text=_short(form.label, _FORM_LABEL), component=field))
    shown.stop()
    return shown


def filled_in(components: object) -> str:
    """What was typed into a form, from its payload: Discord wraps the field in a label or a row."""
    if isinstance(components, list):
        return next((text for component in components if (text := filled_in(component))), "")
    if not isinstance(components, dict):
        return ""
    if isinstance(value := components.get("value"), str):
        return clean(value).strip()
    return filled_in(components.get("component")) or filled_in(components.get("components"))


def attachment(file: File) -> discord.File:
    """A view's file, as an attachment."""
    return discord.File(io.BytesIO(file.content), filename=file.name)


def _short(text: str, width: int) -> str:
    """A label as Discord accepts it: one line, cut with an ellipsis, never empty."""
    text = one_line(clean(text)) or "…"
    return shorten(text, width, "…")
