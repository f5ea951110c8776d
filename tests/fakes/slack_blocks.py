"""What Slack makes of a message's text and blocks: whom it would ping, and what it would refuse."""

import json
import re
from typing import Any

from markdown_it import MarkdownIt

Json = dict[str, Any]

#: Characters of all blocks of a message together (measured: slackapi/bolt-js#2509), and of its `markdown` blocks.
ALL_BLOCKS = 13_200
MARKDOWN = 12_000
#: Blocks of a message, and of a view.
BLOCKS = 50
VIEW_BLOCKS = 100
#: Of the table that Slack makes of one in a `markdown` block: its rows, columns and characters; a message takes one.
ROWS, COLUMNS, CELLS = 100, 20, 10_000
_TYPES = {"section", "header", "context", "actions", "divider", "markdown", "input", "image", "rich_text"}
_PING = re.compile(r"<(?:!(?:channel|here|everyone|subteam)|@[UW]|#C)[^>]*>")


def would_ping(message: Json) -> list[str]:
    """The mentions that Slack would act on in a message's text or blocks."""
    texts = [message.get("text") or ""]
    for block in message.get("blocks") or ():
        parts = [block.get("text"), *block.get("elements", ())]
        for part in parts:
            if isinstance(part, str):
                texts.append(part)
            elif isinstance(part, dict) and part.get("type") == "mrkdwn":
                texts.append(part["text"])
    found = [token for text in texts for token in _PING.findall(text)]
    if message.get("link_names") or message.get("parse") == "full":
        found += re.findall(r"@(?:channel|here|everyone)", texts[0])
    return found


def blocks_problem(blocks: list[Json], *, limit: int = BLOCKS) -> str:
    """The error with which Slack would refuse the blocks, else nothing."""
    if len(blocks) > limit or not all(_is_good(block) for block in blocks):
        return "invalid_blocks"
    if sum(len(block["text"]) for block in blocks if block["type"] == "markdown") > MARKDOWN:
        return "invalid_blocks"
    if problem := tables_problem("\n\n".join(block["text"] for block in blocks if block["type"] == "markdown")):
        return problem
    return "msg_blocks_too_long" if limit == BLOCKS and sum(map(_length, blocks)) > ALL_BLOCKS else ""


def tables_problem(markdown: str) -> str:
    """The error with which Slack would refuse the table blocks that it makes of a message's Markdown, else nothing."""
    if "|" not in markdown:
        return ""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    counts = {kind: sum(token.type == f"{kind}_open" for token in tokens) for kind in ("table", "tr", "th")}
    if counts["table"] > 1:
        return "invalid_attachments"
    at = next((number for number, token in enumerate(tokens) if token.type == "table_open"), len(tokens))
    cells = sum(len(token.content) for token in tokens[at:] if token.type == "inline" and token.level > 3)
    return "invalid_blocks" if counts["tr"] > ROWS or counts["th"] > COLUMNS or cells > CELLS else ""


def view_problem(view: Json) -> str:
    """The error with which Slack would refuse a modal or an App Home, else nothing."""
    titles = [view.get(name) for name in ("title", "submit", "close") if view["type"] == "modal"]
    good = (
        all(title and 0 < len(title["text"]) <= 24 for title in titles)
        and len(view.get("private_metadata") or "") <= 3_000
        and len(view.get("callback_id") or "") <= 255
        and not blocks_problem(view["blocks"], limit=VIEW_BLOCKS)
    )
    if len(json.dumps(view)) > 250_000:
        return "view_too_large"
    return "" if good else "invalid_arguments"


def _is_good(block: Json) -> bool:
    kind = block["type"]
    if kind not in _TYPES or len(block.get("block_id") or "") > 255:
        return False
    if kind in ("section", "header"):
        return 0 < len(block["text"]["text"]) <= (3_000 if kind == "section" else 150)
    if kind == "markdown":
        return len(block["text"]) > 0
    if kind == "context":
        elements = block["elements"]
        return 0 < len(elements) <= 10 and all(0 < len(element["text"]) <= 3_000 for element in elements)
    if kind == "input":
        element = block["element"]
        return (
            0 < len(block["label"]["text"]) <= 2_000
            and len(element.get("initial_value", "")) <= element.get("max_length", 3_000) <= 3_000
        )
    if kind == "actions":
        names = [element["action_id"] for element in block["elements"]]
        unique = len(names) == len(set(names)) and all(0 < len(name) <= 255 for name in names)
        return unique and 0 < len(names) <= 25 and all(_is_good_element(element) for element in block["elements"])
    return True


def _is_good_element(element: Json) -> bool:
    if element["type"] == "button":
        return 0 < len(element["text"]["text"]) <= 75 and len(element["value"]) <= 2_000
    options = element["options"]
    return (
        0 < len(options) <= 100
        and 0 < len(element["placeholder"]["text"]) <= 150
        and all(0 < len(option["text"]["text"]) <= 75 and len(option["value"]) <= 150 for option in options)
    )


def _length(block: Json) -> int:
    """Roughly what Slack counts of a block: its texts."""
    texts = [block.get("text"), *block.get("elements", ())]
    return sum(len(text if isinstance(text, str) else _text(text)) for text in texts if text)


def _text(part: Json) -> str:
    text = part.get("text") or ""
    return str(text.get("text") or "") if isinstance(text, dict) else str(text)
