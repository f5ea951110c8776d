"""Plain text, both ways: resolves Discord's tokens as people read them, and escapes text for Discord's Markdown."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import discord

from bot.text.clean import clean, one_line

#: Discord's limit for a message, in characters.
LIMIT = 2000

PLATFORM = "discord"

_MARKUP = re.compile(
    r"<(?:@!?(?P<user>\d{1,20})"
    r"|@&(?P<role>\d{1,20})"
    r"|#(?P<channel>\d{1,20})"
    r"|a?:(?P<emoji>\w{1,64}):\d{1,20}"
    r"|t:(?P<time>-?\d{1,15})(?::[a-zA-Z])?"
    r"|/(?P<command>[^<>:\n]{1,120}):\d{1,20}"
    r"|id:(?P<page>[a-z-]{1,30})(?::\d{1,20})?"
    r"|sound:\d{1,20}:(?P<sound>\d{1,20}))>"
)
_MENTION = re.compile(r"<@[!&]?\d{1,20}>")
_BEHIND = re.compile(r"[\s,:]*")
#: Parts of a server that `<id:…>` refers to.
_PAGES = {
    "browse": "Browse Channels",
    "customize": "Channels & Roles",
    "guide": "Server Guide",
    "home": "Server Guide",
    "linked-roles": "Linked Roles",
}
_LINK = re.compile(
    r"\[(?P<label>[^\[\]\n]{1,300})\]\(<?https?://[^\s<>)]+>?\)|<?\bhttps?\\?://[^\s<>)\]]+>?", re.IGNORECASE
)
_PUNCTUATION = re.compile(r"([\\`*_~|<>\[\]()#@:+-])")


def message_key(message_id: int) -> str:
    """A message's id among all platforms' messages."""
    return f"{PLATFORM}:{message_id}"


def message_number(key: str) -> int:
    """Discord's own id of a message, from its key."""
    return int(key.rpartition(":")[2])


def without_mention(content: str, me: int, role: int | None = None) -> str:
    """A message's content without mentions of the bot (user id `me`, or its own role) at its ends."""
    text = clean(content)
    mine = {f"<@{me}>", f"<@!{me}>", f"<@&{role}>"}
    spans = [found.span() for found in _MENTION.finditer(text) if found.group() in mine]
    begin, end, first = 0, len(text), 0
    while first < len(spans) and not text[begin : spans[first][0]].strip():
        begin = spans[first][1]
        first += 1
    while len(spans) > first and not text[spans[-1][1] : end].strip():
        end = spans.pop()[0]
    if first and (behind := _BEHIND.match(text, begin, end)):
        begin = behind.end()
    return text[begin:end] if end == len(text) else text[begin:end].rstrip()


def resolved(
    text: str,
    names: Mapping[int, str],
    guild: discord.Guild | None,
    reader: discord.abc.User | None = None,
    here: object = None,
) -> str:
    """A text with Discord's tokens as people read them: names, dates in UTC, commands, emoji.

    `names` are the mentioned users'. A channel is named only if `reader`, who wrote the text, can see it, or it is the
    one where they wrote it (`here`).
    """

    def readable(found: re.Match[str]) -> str:
        kind, value = found.lastgroup, found[found.lastgroup or 0]
        match kind:
            case "user":
                return "@" + names.get(int(value), "someone")
            case "role":
                role = guild.get_role(int(value)) if guild else None
                return "@" + (_name(role.name).lstrip("@") if role else "role")
            case "channel":
                channel = guild.get_channel_or_thread(int(value)) if guild else None
                seen = channel is not None and (channel == here or _sees(reader, channel))
                return "#" + (_name(channel.name) if channel is not None and seen else "channel")
            case "emoji":
                return f":{value}:"
            case "time":
                return _date(int(value)) or found[0]
            case "command":
                return f"/{value}"
            case "page":
                return _PAGES.get(value, value)
        return "(a sound)"

    return clean(_MARKUP.sub(readable, text)).strip()


def _name(name: str) -> str:
    return one_line(clean(name))


def _date(seconds: int) -> str:
    """A Unix time as `2026-11-27 14:05 UTC`; empty if it is out of range."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return ""


def _sees(reader: discord.abc.User | None, channel: discord.abc.GuildChannel | discord.Thread) -> bool:
    """Whether somebody can see a channel, by the cached roles and overwrites; without their roles, as @everyone.

    Members of private threads aren't cached: only those who manage threads are known to see them.
    """
    viewer = reader if isinstance(reader, discord.Member) else channel.guild.get_role(channel.guild.id)
    if viewer is None or (isinstance(channel, discord.Thread) and channel.parent is None):
        return False
    may = channel.permissions_for(viewer)
    closed = isinstance(channel, discord.Thread) and channel.is_private()
    return may.view_channel and (may.manage_threads or not closed)


def escape(text: str) -> str:
    """Plain text on one line, escaped so that nothing in it formats, links or mentions."""
    return escape_in_line(one_line(clean(text)))


def escape_in_line(text: str) -> str:
    """A piece of a line, escaped; its white space stays."""
    return _PUNCTUATION.sub(r"\\\1", text)


def without_links(text: str) -> str:
    """Markdown with its links removed, for places where Discord refuses them."""
    return _LINK.sub(lambda found: f"{found['label'] or ''} (link removed)".strip(), text)
