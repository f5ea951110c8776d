"""Slack's text, both ways: resolves escapes and tokens on the way in, lets nothing ping on the way out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from adapters.common.text import split_markdown
from adapters.slack.markdown import markdown as markdown
from adapters.slack.markdown import mrkdwn as mrkdwn
from bot.text.clean import clean

#: Characters of one message's `text`: the limit of `chat.update`, beyond which `chat.postMessage` splits the text.
TEXT = 4_000
#: Characters of all `markdown` blocks of one message.
BLOCK = 12_000
#: Characters of a part of an answer; the shorter ones if escaping makes it longer, at most five times.
MESSAGE = (3_900, 1_950, 975, 490)
#: Characters of the shortest part, if Slack rejects longer ones.
SHORTEST = 200

_FENCE = re.compile(r"[ \t]{0,99}(`{3,}|~{3,})[ \t]*([^`\n]{0,100})")
#: Characters at the end of a growing text that are searched for its last blank.
_LONGEST_WORD = 64
#: The end of a line or a sentence.
_ENDS = re.compile(r"\n|[.!?…。！？](?=\s|\Z)")
_TOKEN = re.compile(r"<((?:[@#!]|[a-zA-Z][a-zA-Z0-9+.-]*:)[^<>\n]*)>")
_USER = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
_CHANNEL = re.compile(r"<#([A-Z0-9]+)(?:\|)?>")
_MENTION = re.compile(r"<@([^<>|\n]*)(?:\|[^<>]*)?>")
#: The position before a mrkdwn marker.
_FORMATS = re.compile(r"(?=[*_~`])")
_GROUP = re.compile(r"<!subteam\^")
#: An emoji's skin tone, which follows it.
_SKIN = re.compile(r"(?<=:):skin-tone-[2-6]:")


def mentioned(raw: str) -> list[str]:
    """The ids of the users that a message mentions, in order."""
    return _USER.findall(raw)


def channels(raw: str) -> list[str]:
    """The ids of the channels that a message refers to without their names, in order."""
    return _CHANNEL.findall(raw)


def mentions_group(raw: str) -> bool:
    """Whether a message mentions a user group."""
    return _GROUP.search(raw) is not None


@dataclass(frozen=True, slots=True)
class ResolvedNames:
    """The names of channels and groups by id, and the time zone for dates."""

    channels: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo = UTC


def plain(raw: str, bot_user: str, names: Mapping[str, str], known: ResolvedNames | None = None) -> str:
    """What a person wrote, as they see it: without the bot's mention, with tokens and escapes resolved."""
    known = known or ResolvedNames()
    # Remove the mention anywhere, with the blanks before it; at the beginning, also the comma after it.
    pieces, at = [], 0
    for found in _MENTION.finditer(raw):
        if found[1] == bot_user:
            pieces.append(raw[at : found.start()])
            at = found.end()
    pieces.append(raw[at:])
    while len(pieces) > 1 and not pieces[0].strip():
        del pieces[0]
        pieces[0] = pieces[0].removeprefix(",").removeprefix(":")
    text = "".join([*(piece.rstrip(" \t") for piece in pieces[:-1]), pieces[-1]])
    # Tokens first: an escaped "<" must not become one.
    pieces = _TOKEN.split(text)
    pieces[::2] = [_unescape(_SKIN.sub("", piece)) for piece in pieces[::2]]
    pieces[1::2] = [_unescape(_token(piece, names, known)) for piece in pieces[1::2]]
    return clean("".join(pieces)).strip()


def _unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _token(token: str, names: Mapping[str, str], known: ResolvedNames) -> str:
    target, _, label = token.partition("|")
    kind, rest = target[0], target[1:]
    if kind == "@":
        return f"@{label or names.get(rest) or rest}"
    if kind == "#":
        return f"#{label}" if label else known.channels.get(rest, "#channel")
    if kind == "!":
        name, _, about = rest.partition("^")
        if name == "subteam":
            return label or known.groups.get(about, "@group")
        if name == "date":
            date = _date(about.partition("^")[0], known.zone)
            return f"{date} ({label})" if date and label else date or label or "a date"
        return f"@{name}" if name in ("here", "channel", "everyone") else label or f"@{name}"
    if label and label != target and target.partition(":")[2].lstrip("/") != label:
        return f"{label} ({target})"
    return label or target


def _date(written: str, zone: tzinfo) -> str:
    """A Unix time as `2026-11-27 14:05+01:00`; empty if it is out of range."""
    try:
        return datetime.fromtimestamp(int(written[:20]), zone).isoformat(sep=" ", timespec="minutes")
    except (OverflowError, ValueError, OSError):
        return ""


def escape(text: str) -> str:
    """Escape plain text for a field that Slack parses as mrkdwn, so that it has no mention, link or entity."""
    return clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def literal(text: str) -> str:
    """Like `escape`, with a zero-width break before mrkdwn's markers, so that nothing is formatted either."""
    return _FORMATS.sub("\u200b", escape(text))


def parts(text: str) -> list[str]:
    """Split an answer into messages, each of which fits `text` and one `markdown` block when escaped."""
    return [part for part in _fitting(text, *MESSAGE) if part.strip()]


def _fitting(text: str, length: int, *shorter: int) -> list[str]:
    result: list[str] = []
    for part in split_markdown(text, length):
        fits = not shorter or (len(escape(part)) <= TEXT and len(markdown(part)) <= BLOCK)
        result += [part] if fits else _fitting(part, *shorter)
    return result


def halves(part: str) -> list[str]:
    """Split a part that is too long into two or three shorter ones."""
    return [half for half in split_markdown(part, max(SHORTEST // 2, (len(part) + 1) // 2 + 10)) if half.strip()]


def rest(part: str, shown: str) -> str | None:
    """What a part has beyond what is shown of it; None if that isn't its beginning."""
    if not part.startswith(shown):
        # An unfinished code block was closed when it was shown.
        shown, _, last = shown.rpartition("\n")
        if not shown or not _FENCE.fullmatch(last) or not part.startswith(shown):
            return None
    opening = ""
    for line in shown.split("\n"):
        if fence := _FENCE.fullmatch(line):
            closes = opening and line.strip().startswith(opening.strip()[:3]) and not fence[2].strip()
            opening = "" if closes else opening or line
    left = part[len(shown) :]
    return f"{opening}\n{left.lstrip()}" if opening and left.strip() else left


def sentences(text: str) -> str:
    """The text up to the end of its last complete line or sentence; all of it if there is none."""
    end = 0
    for found in _ENDS.finditer(text):
        end = found.end()
    return text[:end] if text[:end].strip() else text


def words(text: str) -> str:
    """The text without its last word, which may still grow; all of it if there is no blank near the end."""
    near = len(text) - _LONGEST_WORD
    end = max(text.rfind(blank, max(0, near)) for blank in " \n")
    return text[:end] if end > 0 and text[:end].strip() else text
