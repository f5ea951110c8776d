"""A conversation on Slack or Discord as HTML, about as the two apps show it, and the picture that is asked about."""

import base64
import functools
import html
import io
import re
from dataclasses import dataclass, field
from typing import Any

from markdown_it import MarkdownIt
from PIL import Image, ImageDraw, ImageFont

from docs import draw_views

WIDTH = 640
NOTE = "Drawn from what the app holds; not a screenshot. Claude’s words are made up for the picture."
STYLE = """
.message {display: flex; gap: 11px; padding: 5px 0}
.message + .message {margin-top: 4px}
.face {flex: none; width: 36px; height: 36px; border-radius: 7px; text-align: center}
.face {color: #fff; font: 700 17px/36px Arial}
.discord .face {border-radius: 50%}
.words {min-width: 0; flex: 1} .words p {margin: 0 0 7px} .words p:last-child {margin: 0}
.words .who {margin: 0 0 2px}
.words img {display: block; margin-top: 6px; border-radius: 8px; width: 420px}
mark {border-radius: 3px; padding: 0 2px}
table {border-collapse: collapse; margin: 5px 0 9px} th, td {text-align: left; padding: 6px 12px; border: 1px solid}
.channel {font-weight: 700; padding-bottom: 9px; margin-bottom: 9px; border-bottom: 1px solid}
.count {font-size: 12.5px; border-bottom: 1px solid; margin: 6px 0 4px; padding-bottom: 5px}
.slack .channel, .slack .count, .slack th, .slack td {border-color: #ddd} .slack .count {color: #616061}
.slack mark {background: #fdf3d8; color: #1264a3} .slack th {background: #f8f8f8}
.discord .channel {border-color: #3f4147; color: #f2f3f5}
.reply {font-size: 12.5px; color: #a3a6aa; margin-bottom: 2px}
"""
_COLOURS = {"Ann": "#2e7d6b", "Tom": "#b5562b", "Priya": "#6a4c93", "memory": "#3d5a98"}
#: Time, destination, platform and remark.
DEPARTURES = (
    ("16:22", "Bristol Temple Meads", "3", "On time"),
    ("16:37", "Bristol Temple Meads", "3", "On time"),
    ("16:41", "Swindon", "1", "On time"),
    ("16:52", "Bristol Temple Meads", "3", "On time"),
    ("17:22", "Bristol Temple Meads", "3", "15 min late"),
)


@dataclass(frozen=True, slots=True)
class Said:
    """One message: who wrote it, its text, what Slack shows in its place or Discord below it, and its files' names."""

    who: str
    is_bot: bool
    text: str
    parts: list[dict[str, Any]] = field(default_factory=list)
    files: tuple[str, ...] = ()

    @property
    def lasting(self) -> dict[str, Any]:
        """The message, but for what is named anew each time."""
        parts = [_without_ids(part) for part in self.parts]
        return {"who": self.who, "text": self.text, "parts": parts, "files": list(self.files)}


def _without_ids(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_ids(item) for item in part]
    if isinstance(part, dict):
        passing = ("custom_id", "action_id", "block_id", "value", "id")
        return {key: _without_ids(value) for key, value in part.items() if key not in passing}
    return part


@functools.cache
def board() -> bytes:
    """A station's departures, as a picture."""
    picture = Image.new("RGB", (880, 420), "#10141a")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 880, 74), fill="#1d3557")
    draw.text((28, 18), "Departures", fill="#ffffff", font=ImageFont.load_default(34))
    draw.text((700, 18), "Thursday", fill="#ffffff", font=ImageFont.load_default(34))
    for number, row in enumerate(DEPARTURES):
        for left, text in zip((28, 150, 560, 660), row, strict=True):
            colour = "#ff9f43" if text.endswith("late") else "#ffe66d" if left < 100 else "#f1f1f1"
            draw.text((left, 96 + 63 * number), text, fill=colour, font=ImageFont.load_default(30))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def page(platform: str, said: list[Said]) -> str:
    """A whole page with one conversation."""
    rows = [_message(platform, each) for each in said]
    if platform == "slack":
        rows.insert(1, f"<p class=count>{len(said) - 1} replies</p>")
    place = "Thread in #launch" if platform == "slack" else "@memory"
    body = f"<div class='frame talk'><p class=channel>{place}</p>{''.join(rows)}</div>"
    style = f"{draw_views.STYLE}{STYLE}body {{width: {WIDTH}px}}"
    note = f"<p class=note>{NOTE}</p>"
    return f"<!doctype html><meta charset=utf-8><style>{style}</style><body class={platform}>{body}{note}"


def _message(platform: str, said: Said) -> str:
    badge = "<i>APP</i>" if said.is_bot else ""
    face = f"<span class=face style='background: {_COLOURS[said.who]}'>{said.who[0].upper()}</span>"
    words = _slack(said) if platform == "slack" else _discord(said)
    return f"<div class=message>{face}<div class=words><p class=who>{said.who}{badge}</p>{words}</div></div>"


def _slack(said: Said) -> str:
    if not said.parts:
        return f"<p>{re.sub('<@[A-Z0-9]+>', '<mark>@memory</mark>', said.text)}</p>"  # Slack has escaped the rest
    drawn = [_markdown(part["text"]) if part["type"] == "markdown" else draw_views.drawn(part) for part in said.parts]
    return "".join(drawn)


def _discord(said: Said) -> str:
    text, _, below = said.text.partition("\n-# ")
    drawn = _markdown(text)
    drawn += "".join(f"<img src='data:image/png;base64,{base64.b64encode(board()).decode()}'>" for _ in said.files)
    drawn += f"<small>{html.escape(below)}</small>" if below else ""
    return drawn + "".join(draw_views.drawn(part, "discord") for part in said.parts)


def _markdown(text: str) -> str:
    return str(MarkdownIt("commonmark").enable("table").render(text))
