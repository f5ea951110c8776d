"""Slack's text, both ways: its escapes and tokens undone on the way in, nothing that can ping on the way out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from adapters.common.text import clean, split_markdown
from adapters.slack.markdown import markdown as markdown
from adapters.slack.markdown import mrkdwn as mrkdwn

#: Characters of one message's `text`: what `chat.update` takes, and past which `chat.postMessage` splits it by itself.
TEXT = 4_000
#: Characters of all `markdown` blocks of one message.
BLOCK = 12_000
#: Characters of a part of an answer; the shorter ones for where escaping makes it longer, five times at most.
MESSAGE = (3_900, 1_950, 975, 490)
#: Characters of the shortest part that a part is split into where Slack takes less than that.
SHORTEST = 200

_FENCE = re.compile(r"[ \t]{0,99}(`{3,}|~{3,})[ \t]*([^`\n]{0,100})")
#: Characters from the end of a growing text in which its last blank is looked for.
_LONGEST_WORD = 64
#: The end of a line or a sentence.
_ENDS = re.compile(r"\n|[.!?…。！？](?=\s|\Z)")
_TOKEN = re.compile(r"<((?:[@#!]|[a-zA-Z][a-zA-Z0-9+.-]*:)[^<>\n]*)>")
_USER = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
_CHANNEL = re.compile(r"<#([A-Z0-9]+)(?:\|)?>")
_MENTION = re.compile(r"<@([^<>|\n]*)(?:\|[^<>]*)?>")
#: Before a sign of mrkdwn's.
_FORMATS = re.compile(r"(?=[*_~`])")
_GROUP = re.compile(r"<!subteam\^")
#: How an emoji's skin is named behind it.
_SKIN = re.compile(r"(?<=:):skin-tone-[2-6]:")


def mentioned(raw: str) -> list[str]:
    """The ids of the users that a message mentions, in order."""
    return _USER.findall(raw)


def channels(raw: str) -> list[str]:
    """The ids of the channels that a message names without saying how they are called, in order."""
    return _CHANNEL.findall(raw)


def dates(raw: str) -> bool:
    """Whether a message holds a date that is shown in its reader's own zone."""
    return "<!date^" in raw


def mentions_group(raw: str) -> bool:
    """Whether a message mentions a user group."""
    return _GROUP.search(raw) is not None


@dataclass(frozen=True, slots=True)
class ResolvedNames:
    """What Slack's tokens stand for, by id: channels and groups as they are shown, and the zone that dates are in."""

    channels: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo = UTC


def plain(raw: str, bot_user: str, names: Mapping[str, str], known: ResolvedNames | None = None) -> str:
    """What a person wrote, as they see it: without the bot's mention, tokens as names, escapes undone."""
    known = known or ResolvedNames()
    # Without the mention wherever it stands, and the blanks before it; at the beginning, its comma too.
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
    # Tokens first: an escaped "<" of the writer's must not turn into one.
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
    """A Unix time as `2026-11-27 14:05+01:00`, empty where no calendar has it."""
    try:
        return datetime.fromtimestamp(int(written[:20]), zone).isoformat(sep=" ", timespec="minutes")
    except (OverflowError, ValueError, OSError):
        return ""


def escape(text: str) -> str:
    """Plain text for a field that Slack reads as mrkdwn: no mention, no link, no entity can form."""
    return clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def literal(text: str) -> str:
    """Like `escape`, with a zero-width break before mrkdwn's own signs, so that nothing is formatted either."""
    return _FORMATS.sub("\u200b", escape(text))


def parts(text: str) -> list[str]:
    """An answer as messages, each of which fits `text` and one `markdown` block once escaped."""
    return [part for part in _fitting(text, *MESSAGE) if part.strip()]


def _fitting(text: str, length: int, *shorter: int) -> list[str]:
    result: list[str] = []
    for part in split_markdown(text, length):
        fits = not shorter or (len(escape(part)) <= TEXT and len(markdown(part)) <= BLOCK)
        result += [part] if fits else _fitting(part, *shorter)
    return result


def halves(part: str) -> list[str]:
    """A part that is too long as two or three shorter ones."""
    return [half for half in split_markdown(part, max(SHORTEST // 2, (len(part) + 1) // 2 + 10)) if half.strip()]


def rest(part: str, shown: str) -> str | None:
    """What a part of an answer says beyond what is shown of it; None where that isn't its beginning."""
    if not part.startswith(shown):
        # A code block that had no end yet was closed where it was shown.
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
    """The text up to its last whole line or sentence; all of it where there is none."""
    end = 0
    for found in _ENDS.finditer(text):
        end = found.end()
    return text[:end] if text[:end].strip() else text


def words(text: str) -> str:
    """The text without its last word, which may still grow; all of it where a script has no blanks near its end."""
    near = len(text) - _LONGEST_WORD
    end = max(text.rfind(blank, max(0, near)) for blank in " \n")
    return text[:end] if end > 0 and text[:end].strip() else text
