"""Renders views in Slack's Block Kit: as plain text throughout, so that no memory can format, link or ping."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.slack.text import TEXT, escape, literal, parts
from bot.text.clean import clean
from bot.views import Button, Form, Item, Option, View

Block = dict[str, Any]

BLOCKS = 50
#: Characters of all blocks of a message: Slack rejects more than some 13,200 (msg_blocks_too_long).
ALL_BLOCKS = 12_000
SECTION = 3_000
HEADER = 150
LABEL = 75
BUTTONS = 25
MENU_LABEL = 150
OPTIONS = 100
HOME_BLOCKS = 100
FORM_TITLE = 24
FORM_LABEL = 48
FORM_TEXT = 3_000
#: The prefix of our buttons' and menus' action ids, and that of buttons that open a form.
PREFIX = "m:"
OPENS_FORM = "m:ask:"
#: That of buttons below an answer, followed by whose they are.
BELOW = "m:below:"
#: The callback id of our forms.
FORM = "m:form"
#: The name of a form's one field.
_FIELD = "text"


def blocks(view: View) -> list[Block]:
    """The view's blocks, at most 50 (a longer list has no links, and several items per block).

    If the items are too long together, all are cut to the same length.
    """
    head: list[Block] = []
    if len(view.title) <= HEADER and view.items and not view.code:
        head.append({"type": "header", "text": _plain(view.title, HEADER)})
    elif view.title:
        head.append({"type": "section", "text": _with_code(view.title, view.code)})
    tail: list[Block] = []
    if view.menu:
        tail.append({"type": "actions", "elements": [_menu(view.menu_label, view.menu)]})
    if view.footer:
        tail.append({"type": "context", "elements": [_with_code(view.footer, view.code)]})
    if view.buttons:
        buttons = [_button(index, button) for index, button in enumerate(view.buttons[:BUTTONS])]
        tail.append({"type": "actions", "elements": buttons})
    room = BLOCKS - len(head) - len(tail)
    items = _cut(view)
    rows = [block for item in items for block in _item(item)]
    return head + (rows if len(rows) <= room else _dense(items, room)) + tail


def text(view: View) -> str:
    """The view as text, for notifications and clients that don't show blocks."""
    whole = escape("\n".join(view.lines()))
    return whole if len(whole) <= TEXT else f"{whole[: TEXT - 1]}…"


def texts(view: View) -> list[str]:
    """The whole view as texts, in case Slack refuses its blocks."""
    return [escape(part) for part in parts("\n".join(view.lines()))]


def home(view: View, beneath: View | None, metadata: str) -> Block:
    """The App Home with a view and, optionally, another one beneath it."""
    content = blocks(view)
    if beneath is not None:
        rest = blocks(beneath)
        content += [{"type": "divider"}, *rest][: HOME_BLOCKS - len(content)]
    return {"type": "home", "private_metadata": metadata, "blocks": content}


def modal(form: Form, metadata: str) -> Block:
    """A form as a modal with one field."""
    limit = min(max(form.limit, 1), FORM_TEXT)
    element: Block = {"type": "plain_text_input", "action_id": _FIELD, "multiline": True, "max_length": limit}
    if value := clean(form.value)[:limit]:
        element["initial_value"] = value
    return {
        "type": "modal",
        "callback_id": FORM,
        "title": _plain(form.title, FORM_TITLE),
        "submit": _plain(form.send, FORM_TITLE),
        "close": _plain("Cancel", FORM_TITLE),
        "private_metadata": metadata,
        "blocks": [{"type": "input", "block_id": _FIELD, "label": _plain(form.label, FORM_LABEL), "element": element}],
    }


def filled_in(view: Mapping[str, Any]) -> str:
    """The content of a submitted form's field."""
    values = (view.get("state") or {}).get("values") or {}
    return clean(str(((values.get(_FIELD) or {}).get(_FIELD) or {}).get("value") or ""))


def _plain(value: str, limit: int) -> Block:
    value = clean(value).strip() or "-"
    return {"type": "plain_text", "text": value if len(value) <= limit else value[: limit - 1] + "…", "emoji": False}


def _with_code(value: str, code: str) -> Block:
    """Text in which `code` is shown as code, and the rest verbatim."""
    if not code or "`" in code or code not in value:
        return _plain(value, SECTION)
    marked = f"`{escape(code)}`".join(literal(piece) for piece in value.split(code))
    return {"type": "mrkdwn", "text": marked, "verbatim": True} if len(marked) <= SECTION else _plain(value, SECTION)


def plain(value: str) -> Block:
    """A text as it is, of any length that a context block holds."""
    return _plain(value, SECTION)


def owned(buttons: Sequence[Button], user: str) -> list[Block]:
    """Buttons below an answer, which only that user may press."""
    kept = f"{BELOW}{user}:"
    return [{**_button(index, button), "action_id": f"{kept}{index}"} for index, button in enumerate(buttons[:BUTTONS])]


def owner(action_id: str) -> str | None:
    """Whose a button below an answer is; None for any other button."""
    return action_id.removeprefix(BELOW).partition(":")[0] if action_id.startswith(BELOW) else None


def _section(value: str) -> Block:
    return {"type": "section", "text": _plain(value, SECTION)}


def _cut(view: View) -> tuple[Item, ...]:
    """The view's items, cut if the view would be too long for a message."""
    labels = [button.label for button in view.buttons] + [option.label for option in view.menu]
    room = ALL_BLOCKS - len(view.title) - len(view.footer) - sum(map(len, labels))
    beside = [len(f"{item.mark} ") + len(item.note) + 5 for item in view.items]
    if not view.items or sum(min(len(item.text), SECTION) for item in view.items) + sum(beside) <= room:
        return view.items
    limit = max(2, (room - sum(beside)) // len(view.items))
    return tuple(
        item if len(item.text) <= limit else dataclasses.replace(item, text=f"{item.text[: limit - 1]}…")
        for item in view.items
    )


def _item(item: Item) -> list[Block]:
    row = _section(f"{item.mark} {item.text}")
    if not item.note:
        return [row]
    if not item.link.startswith(("https://", "http://")):
        return [row, {"type": "context", "elements": [_plain(item.note, SECTION)]}]
    # The only markup: our own link. Its label is escaped, and can't end it.
    target = escape(item.link).replace("|", "%7C")
    label = escape(item.note).replace("|", "¦")
    return [row, {"type": "context", "elements": [{"type": "mrkdwn", "text": f"<{target}|{label}>", "verbatim": True}]}]


def _dense(items: tuple[Item, ...], room: int) -> list[Block]:
    lines = [f"{item.mark} {item.text}" + (f"  ({item.note})" if item.note else "") for item in items]
    sections = [""]
    for line in lines:
        if sections[-1] and len(sections[-1]) + len(line) + 1 > SECTION:
            sections.append("")
        sections[-1] = f"{sections[-1]}\n{line}" if sections[-1] else line
    return [_section(section) for section in sections[:room]]


def _button(index: int, button: Button) -> Block:
    block: Block = {
        "type": "button",
        "action_id": f"{OPENS_FORM if button.opens_form else PREFIX}{index}",
        "text": _plain(button.label, LABEL),
        "value": button.action,
    }
    if button.danger:
        block["style"] = "danger"
    return block


def _menu(label: str, options: tuple[Option, ...]) -> Block:
    return {
        "type": "static_select",
        "action_id": f"{PREFIX}menu",
        "placeholder": _plain(label or "Choose", MENU_LABEL),
        "options": [{"text": _plain(option.label, LABEL), "value": option.action} for option in options[:OPTIONS]],
    }
