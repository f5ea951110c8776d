"""Slack's text, both ways: its escapes and tokens undone on the way in, nothing that can ping on the way out."""

import re
from collections.abc import Mapping

from adapters.text import clean, split_markdown

#: Characters of one message. Slack's `markdown` block takes 12,000 after escaping.
MESSAGE = 11_000
BLOCK = 12_000
#: Slack cuts a message's `text` at 40,000 characters.
TEXT = 39_000

_TOKEN = re.compile(r"<((?:[@#!]|[a-zA-Z][a-zA-Z0-9+.-]*:)[^<>\n]*)>")
_USER = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
_GROUP = re.compile(r"<!subteam\^")
_CODE = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]+`)", re.DOTALL)
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^\s<>|]+)>")
#: What Slack would read as a mention, a channel or a link with a label of its own.
_LIVE = re.compile(r"<(?=[!@#]|[a-zA-Z][a-zA-Z0-9+.-]*:)")
_BREAK = "<\u200b"


def mentioned(raw: str) -> list[str]:
    """The ids of the users that a message mentions, in order."""
    return _USER.findall(raw)


def mentions_group(raw: str) -> bool:
    """Whether a message mentions a user group."""
    return _GROUP.search(raw) is not None


def plain(raw: str, bot_user: str, names: Mapping[str, str]) -> str:
    """What a person wrote, as they see it: without the bot's mention, tokens as names, escapes undone."""
    own = rf"<@{re.escape(bot_user)}(?:\|[^<>]*)?>"
    text = re.sub(rf"\A\s*(?:{own}[,:]?\s*)+", "", raw)
    text = re.sub(rf"[ \t]*{own}", "", text)
    # Tokens first: an escaped "<" of the writer's must not turn into one.
    pieces = _TOKEN.split(text)
    pieces[::2] = [_unescape(piece) for piece in pieces[::2]]
    pieces[1::2] = [_unescape(_token(piece, names)) for piece in pieces[1::2]]
    return clean("".join(pieces)).strip()


def _unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _token(token: str, names: Mapping[str, str]) -> str:
    target, _, label = token.partition("|")
    kind, rest = target[0], target[1:]
    if kind == "@":
        return f"@{label or names.get(rest) or rest}"
    if kind == "#":
        return f"#{label or rest}"
    if kind == "!":
        return label or f"@{rest.partition('^')[0]}"
    if label and label != target and target.partition(":")[2].lstrip("/") != label:
        return f"{label} ({target})"
    return label or target


def escape(text: str) -> str:
    """Plain text for a field that Slack reads as mrkdwn: no mention, no link, no entity can form."""
    return clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def literal(text: str) -> str:
    """Like `escape`, with a zero-width break before mrkdwn's own signs, so that nothing is formatted either."""
    return re.sub(r"(?=[*_~`])", "\u200b", escape(text))


def markdown(text: str) -> str:
    """Markdown for a `markdown` block.

    Slack reads its own `<…>` tokens there too, but never an escaped bracket as one. Code keeps its brackets (it is
    shown as it stands), with a zero-width break where they would be a token. A `>` alone forms nothing and may be
    a quotation's.
    """
    pieces = _CODE.split(clean(text))
    pieces[::2] = [_AUTOLINK.sub(r"\1", piece).replace("<", "&lt;") for piece in pieces[::2]]
    pieces[1::2] = [_LIVE.sub(_BREAK, piece) for piece in pieces[1::2]]
    return "".join(pieces)


def mrkdwn(text: str) -> str:
    """Markdown as mrkdwn, for where Slack refuses `markdown` blocks."""
    from slackify_markdown import slackify_markdown  # type: ignore[import-untyped]  # needed there alone

    converted: str = slackify_markdown(clean(text)).strip()
    # The library lets mentions stand, and undoes entities that spell one.
    return re.sub(r"<(?=[!@#])", "&lt;", converted)


def parts(text: str) -> list[str]:
    """An answer as messages, each of which fits one `markdown` block once escaped."""
    result: list[str] = []
    for part in split_markdown(text, MESSAGE):
        # Escaping makes four characters of one at most.
        result += [part] if len(markdown(part)) <= BLOCK else split_markdown(part, BLOCK // 4)
    return [part for part in result if part.strip()]
