"""Slack's blocks and Discord's messages and components as HTML, about as the two apps show them."""

import html
import re
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

Part = dict[str, Any]

#: Pixels of a page from side to side.
WIDTH = 1180
STYLE = """
* {box-sizing: border-box; margin: 0}
body {width: 1180px; padding: 24px; font: 14.5px/1.42 'Liberation Sans', Arial, sans-serif}
main {display: flex; gap: 24px}
.column {flex: 1; min-width: 0; display: flex; flex-direction: column; gap: 22px}
.done {font-weight: 700; margin-bottom: 7px} .frame {border-radius: 8px; padding: 12px 16px 14px}
.only, .note, small {font-size: 12.5px; display: block}
.note {margin-top: 20px}
.who {font-weight: 700; margin-bottom: 3px}
.who i {font: 700 9.5px Arial; padding: 1px 4px; border-radius: 3px; margin-left: 5px}
a {text-decoration: none} h3 {font-size: 17px; margin-bottom: 6px} .row {margin: 4px 0 6px}
button, .menu, .field {font: 700 13px Arial; border-radius: 5px; padding: 7px 13px; border: 1px solid; margin-top: 5px}
button + button {margin-left: 8px}
.menu, .field {font-weight: 400; display: inline-block; min-width: 250px}
.menu:after {content: '▾'; float: right}
.field {display: block; min-height: 84px}
.keys {text-align: right; margin-top: 10px}
.slack {background: #f4f4f5; color: #1d1c1d} .slack a {color: #1264a3}
.slack .frame {background: #fff; border: 1px solid #ddd}
.slack .only, .slack small, .slack .note {color: #616061}
.slack .who i {background: #e8e8e8; color: #616061}
.slack button, .slack .menu, .slack .field {border-color: #bbb; background: #fff; color: #1d1c1d}
.slack .said {margin-top: 6px}
.slack .danger {color: #e01e5a; border-color: #e01e5a} .slack .save {background: #007a5a; color: #fff}
.discord {background: #1e1f22; color: #dbdee1} .discord a {color: #00a8fc} .discord .frame {background: #313338}
.discord .only, .discord small, .discord .note {color: #a3a6aa}
.discord .who i {background: #5865f2; color: #fff}
.discord b, .discord .who {color: #f2f3f5}
.discord button {background: #4e5058; color: #fff; border-color: transparent}
.discord .menu, .discord .field {background: #1e1f22; color: #dbdee1; border-color: #1e1f22}
.discord .menu {min-width: 80%; padding: 9px 13px}
.discord hr {border: 0; border-top: 1px solid #4e5058; margin: 8px 0}
.discord .danger {background: #da373c} .discord .save {background: #5865f2}
"""
NOTE = "Drawn from the payload that the bot sends; not a screenshot of the app."


def page(platform: str, columns: list[list[tuple[str, Any]]]) -> str:
    """A whole page: frames in columns, each with what was done to see it."""
    drawn = ("".join(_frame(platform, *view) for view in column) for column in columns)
    shown = "".join(f"<div class=column>{column}</div>" for column in drawn)
    body = f"<main>{shown}</main><p class=note>{NOTE}</p>"
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><body class={platform}>{body}"


def _frame(platform: str, done: str, payload: Any) -> str:
    drawn = _slack(payload) if platform == "slack" else _discord(payload)
    if "content" in payload or (isinstance(payload, dict) and payload.get("type") == "answer"):
        drawn = f"<p class=who>memory<i>APP</i></p>{drawn}"
    elif platform == "slack" and isinstance(payload, list):
        drawn = f"<p class=only>Only visible to you</p><p class=who>memory<i>APP</i></p>{drawn}"
    elif "flags" in payload:
        drawn = f"<p class=who>memory<i>APP</i></p>{drawn}<p class=only>Only you can see this</p>"
    return f"<div><p class=done>{html.escape(done)}</p><div class=frame>{drawn}</div></div>"


def _form(title: str, field: str, save: str) -> str:
    return f"<h3>{title}</h3>{field}<p class=keys><button>Cancel</button><button class=save>{save}</button></p>"


def _field(label: str, value: str) -> str:
    return f"<p><b>{html.escape(label)}</b></p><div class=field>{html.escape(value)}</div>"


def _button(label: str, *, danger: bool) -> str:
    return f"<button class={'danger' if danger else 'plain'}>{html.escape(label)}</button>"


def _slack(part: Any) -> str:
    """Blocks, a block, an element or a text of Block Kit."""
    if isinstance(part, list):
        return "".join(_slack(item) for item in part)
    match part["type"]:
        case "plain_text":
            return html.escape(part["text"]).replace("\n", "<br>")
        case "mrkdwn":  # already escaped; the only markup in use is a link
            return re.sub(r"<([^|>]+)\|([^>]*)>", r'<a href="\1">\2</a>', part["text"])
        case "header":
            return f"<h3>{_slack(part['text'])}</h3>"
        case "section":
            return f"<p class=said>{_slack(part['text'])}</p>"
        case "context":
            return f"<small>{_slack(part['elements'])}</small>"
        case "actions":
            return f"<div class=row>{_slack(part['elements'])}</div>"
        case "button":
            return _button(part["text"]["text"], danger=part.get("style") == "danger")
        case "static_select":
            return f"<span class=menu>{_slack(part['placeholder'])}</span>"
        case "input":
            return _field(part["label"]["text"], part["element"].get("initial_value", ""))
        case "modal":
            return _form(_slack(part["title"]), _slack(part["blocks"]), _slack(part["submit"]))
        case "markdown":
            return f"<p class=said>{html.escape(part['text'])}</p>"
        case "answer":
            return _slack(part["blocks"])
        case "home":
            return _slack(part["blocks"])
        case unknown:
            raise ValueError(f"no drawing for Slack's {unknown}")


def _discord(part: Part) -> str:
    """A message, a form or a component."""
    if "content" in part and "components" in part:
        return _markdown(part["content"]) + "".join(_discord(item) for item in part["components"])
    if "flags" in part:
        return "".join(_discord(item) for item in part["components"])
    if "title" in part:
        return _form(html.escape(part["title"]), "".join(_discord(row) for row in part["components"]), "Submit")
    match part["type"]:
        case 1:
            return f"<div class=row>{''.join(_discord(item) for item in part['components'])}</div>"
        case 2:
            return _button(part["label"], danger=part["style"] == 4)
        case 3:
            return f"<span class=menu>{html.escape(part['placeholder'])}</span>"
        case 10:
            return _markdown(part["content"])
        case 14:
            return "<hr>"
        case 18:
            return _field(part["label"], part["component"]["value"])
        case unknown:
            raise ValueError(f"no drawing for Discord's component {unknown}")


def _markdown(text: str) -> str:
    """The Markdown that our views are made of: bold, small print, a link without a preview, escapes."""
    text = html.escape(text, quote=False)
    text = re.sub(r"\[open\]\(&lt;(.+?)&gt;\)", r'<a href="\1">open</a>', text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
    text = re.sub(r"\\([^\w\s])", r"\1", text)
    return "".join(map(_line, text.split("\n")))


def _line(line: str) -> str:
    if line.startswith("### "):
        return f"<h3>{line[4:]}</h3>"
    return f"<small>{line[3:]}</small>" if line.startswith("-# ") else f"<div>{line}</div>"


def drawn(part: Any, platform: str = "slack") -> str:
    """Anything of a payload, as HTML."""
    return _slack(part) if platform == "slack" else _discord(part)


def photograph(page: str, picture: Path, *, width: int = WIDTH) -> None:
    """A page as a PNG that is as high as what stands on it."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "page.html")
        source.write_text(f"{page}<script>document.title=document.body.scrollHeight</script>")
        flags = ("headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking")
        chromium = ["chromium", *(f"--{flag}" for flag in flags), "--disable-component-update", "--disable-sync"]
        chromium += ["--hide-scrollbars", f"--user-data-dir={folder}/profile"]
        run = partial(subprocess.run, check=True, capture_output=True, text=True, timeout=60)
        dumped = run([*chromium, f"--window-size={width},300", "--dump-dom", f"file://{source}"]).stdout
        found = re.search(r"<title>(\d+)", dumped)
        size = f"--window-size={width},{found[1] if found else 900}"
        run([*chromium, "--force-device-scale-factor=1.5", size, f"--screenshot={picture}", f"file://{source}"])
