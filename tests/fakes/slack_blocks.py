"""What Slack makes of a message's text and blocks: whom it would ping, and what it would refuse."""

import re
from typing import Any

Json = dict[str, Any]

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


def blocks_problem(blocks: list[Json]) -> str:
    """`invalid_blocks` where Slack would refuse the blocks, else nothing."""
    texts = [block["text"]["text"] for block in blocks if block["type"] in ("section", "header")]
    elements = [element for block in blocks if block["type"] == "actions" for element in block["elements"]]
    buttons = [element for element in elements if element["type"] == "button"]
    menus = [element for element in elements if element["type"] == "static_select"]
    options = [option for menu in menus for option in menu["options"]]
    for block in blocks:
        names = [element["action_id"] for element in block["elements"]] if block["type"] == "actions" else []
        if len(names) != len(set(names)) or (block["type"] == "actions" and not 0 < len(names) <= 25):
            return "invalid_blocks"
    good = (
        all(0 < len(text) <= 3_000 for text in texts)
        and all(0 < len(button["text"]["text"]) <= 75 and len(button["value"]) <= 2_000 for button in buttons)
        and all(0 < len(menu["options"]) <= 100 and 0 < len(menu["placeholder"]["text"]) <= 150 for menu in menus)
        and all(0 < len(option["text"]["text"]) <= 75 and len(option["value"]) <= 150 for option in options)
    )
    return "" if good else "invalid_blocks"
