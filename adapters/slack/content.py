"""Reads what a Slack message contains besides its `text`: blocks, forwarded messages, files; as raw, escaped text."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapters.slack.text import escape
from bot.logs import describe
from bot.model import Attachment
from bot.text.clean import clean, one_line

Json = dict[str, Any]

log = logging.getLogger(__name__)

#: Characters read of a message's blocks and of what it forwards, and the nesting depth of blocks.
BLOCKS = 40_000
FORWARDED = 20_000
DEPTH = 8

#: Slack's placeholders for missing texts.
_NO_TEXT = ("This content can't be displayed.", "[no preview available]")
_CLIPS = {"slack_audio": "voice messages", "slack_video": "video clips"}


@dataclass(frozen=True, slots=True)
class Content:
    """A message's parts: its author's text, what they forwarded, the files, and the kind of recording."""

    raw: str
    forwarded: tuple[str, ...]
    files: tuple[Attachment, ...]
    clip: str = ""

    @classmethod
    def of(cls, message: Json) -> "Content":
        """Read a message, skipping what isn't as documented. Raises TypeError if `text` isn't a string."""
        try:
            return cls._whole(message)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            log.warning("slack: unexpected content in a message, only its text is read (%s)", describe(exc))
            return cls(message_text({"text": message.get("text")}), (), ())

    @classmethod
    def _whole(cls, message: Json) -> "Content":
        files = [file for file in message.get("files") or () if isinstance(file, dict)]
        raw = message_text(message)
        found = tuple(map(attachment, files))
        if not raw.strip() and len(files) == 1 and _is_snippet(files[0]):
            # A long text that was pasted: Slack turns it into a snippet, whose beginning is in the event.
            whole = not (files[0].get("preview_is_truncated") or files[0].get("lines_more"))
            raw = escape(str(files[0]["preview"]))[:BLOCKS]
            found = () if whole else found
        clip = next((_CLIPS[kind] for file in files if (kind := file.get("subtype")) in _CLIPS), "")
        return cls(raw, tuple(_cut(_forwarded(message, alone=not raw.strip()))), found, clip)


def attachment(file: Json) -> Attachment:
    """A reference to a file."""
    size = file.get("size")
    return Attachment(
        id=str(file.get("id") or ""),
        name=clean(str(file.get("name") or file.get("title") or "file")),
        type=clean(str(file.get("mimetype") or "")),
        size=size if isinstance(size, int) and size > 0 else 0,
        url=str(file.get("url_private_download") or file.get("url_private") or ""),
    )


def message_text(message: Json) -> str:
    """The text of a message's author or, if there is none, that of its blocks."""
    raw = message.get("text") or ""
    if not isinstance(raw, str):
        raise TypeError("a text that is none")
    if raw.strip() and raw not in _NO_TEXT:
        return raw
    return "\n".join(part for part in _texts(message.get("blocks"), DEPTH) if part.strip())[:BLOCKS].strip()


def _is_snippet(file: Json) -> bool:
    return file.get("mode") == "snippet" and bool(str(file.get("preview") or "").strip())


def _forwarded(message: Json, *, alone: bool) -> Iterator[str]:
    """Texts that somebody else wrote: shared messages, and previews if there is nothing else (`alone`)."""
    attachments = [attachment for attachment in message.get("attachments") or () if isinstance(attachment, dict)]
    shared = [attachment for attachment in attachments if attachment.get("is_share")]
    for attachment in shared or (attachments if alone and not message.get("files") else []):
        author = escape(one_line(str(attachment.get("author_name") or "")))
        text = "\n".join(part for part in _attached(attachment) if part.strip())
        files = [f"(A file: {escape(str(file.get('name') or 'file'))})" for file in attachment.get("files") or ()]
        body = "\n".join(part for part in (text, *files) if part)
        if body:
            yield f"{author}: {body}" if author else body


def _attached(attachment: Json) -> Iterator[str]:
    parts = [str(attachment.get(name) or "") for name in ("pretext", "title", "text")]
    blocks = [part for part in _texts(attachment.get("blocks"), DEPTH) if part.strip()]
    for shared in attachment.get("message_blocks") or ():
        blocks += [part for part in _texts((shared.get("message") or {}).get("blocks"), DEPTH) if part.strip()]
    yield from parts
    if not parts[2].strip():
        yield from blocks
    for field in attachment.get("fields") or ():
        yield f"{field.get('title') or ''}: {field.get('value') or ''}"
    fallback = str(attachment.get("fallback") or "")
    if not any(part.strip() for part in (*parts, *blocks)) and fallback not in _NO_TEXT:
        yield fallback


def _cut(texts: Iterator[str]) -> Iterator[str]:
    room = FORWARDED
    for text in texts:
        if room > 0:
            yield text if len(text) <= room else f"{text[:room]}…"
        room -= len(text)


def _texts(blocks: object, depth: int) -> Iterator[str]:
    """The texts of blocks, one per line or paragraph."""
    for block in blocks if isinstance(blocks, list) and depth else ():
        if not isinstance(block, dict):
            continue
        match block.get("type"):
            case "rich_text" | "rich_text_list":
                yield from _texts(block.get("elements"), depth - 1)
            case "rich_text_section" | "rich_text_quote" | "rich_text_preformatted":
                yield "".join(map(_inline, block.get("elements") or ()))
            case "mrkdwn":
                yield str(block.get("text") or "")
            case "plain_text" | "markdown" | "raw_text":
                yield escape(str(block.get("text") or ""))
            case "table":
                for row in block.get("rows") or ():
                    yield " | ".join(" ".join(_texts([cell], depth - 1)) for cell in row)
            case "image" | "video":
                yield escape(str(block.get("alt_text") or ""))
            case _:
                yield from _texts([block.get("text"), *(block.get("fields") or ())], depth - 1)
                yield from _texts(block.get("elements"), depth - 1)


def _inline(element: Json) -> str:
    """One element of a line, as Slack would write it in `text`."""
    match element.get("type"):
        case "user":
            return f"<@{element.get('user_id')}>"
        case "channel":
            return f"<#{element.get('channel_id')}>"
        case "usergroup":
            return f"<!subteam^{element.get('usergroup_id')}>"
        case "broadcast":
            return f"<!{element.get('range')}>"
        case "emoji":
            return f":{element.get('name')}:"
        case "date":
            return f"<!date^{element.get('timestamp')}^{{date}}|{escape(str(element.get('fallback') or ''))}>"
        case "link":
            url, text = escape(str(element.get("url") or "")), escape(str(element.get("text") or ""))
            return f"<{url}|{text}>" if text else f"<{url}>"
    return escape(str(element.get("text") or element.get("value") or ""))
