"""Slack's payloads, read at the edge: what is not for the bot is None."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters.slack_text import mentioned, mentions_group
from adapters.text import clean
from bot.events import Person

Body = dict[str, Any]

#: Seconds since 1970 that are no timestamp of a message any more: the year 5138.
LATEST = 1e11

#: A message is one that a person wrote; every other subtype is an edit, a deletion or a notice.
_SUBTYPES = (None, "file_share", "thread_broadcast")


@dataclass(frozen=True, slots=True)
class Draft:
    """A person's message as its event tells it, before anything is asked of Slack.

    Attributes:
        kind: Slack's `channel_type` (`im`, `mpim`, `group`, `channel`), empty where the event has none.
        raw: The text with Slack's escapes and tokens.
        named: Whether it was delivered as `app_mention`.
        external: Whether the event says that the channel is shared with another organisation.
        edited: When it was last edited, in seconds since 1970; 0 where it never was.
    """

    person: Person
    team: str
    channel: str
    kind: str
    ts: str
    thread: str | None
    raw: str
    files: tuple[str, ...]
    mentioned: bool
    others: bool
    named: bool
    external: bool
    edited: float = 0.0

    @property
    def id(self) -> str:
        """The message's identity, the same for each of its deliveries."""
        return message_id(self.team, self.channel, self.ts)

    @property
    def direct(self) -> bool:
        """Whether it was written in a direct message with the bot."""
        return self.kind == "im" or (not self.kind and self.channel.startswith("D"))

    @property
    def at(self) -> datetime:
        """When it was written, by Slack's clock."""
        return datetime.fromtimestamp(seconds(self.ts), UTC)


def seconds(ts: object) -> float:
    """A Slack timestamp as seconds since 1970. Raises ValueError where it is no time that a calendar could show."""
    at = float(str(ts)[:32])
    if not 0 <= at < LATEST:
        raise ValueError("a timestamp outside of any calendar")
    return at


def message_id(team: str, channel: str, ts: str) -> str:
    """A Slack message's identity: Slack numbers messages per channel, by time."""
    return f"slack:{team}:{channel}:{ts}"


def team_of(body: Body) -> str:
    """The workspace that a payload is about."""
    team = body.get("team_id")
    if not team and isinstance(body.get("team"), dict):
        team = body["team"].get("id")
    if not team and body.get("authorizations"):
        team = body["authorizations"][0].get("team_id")
    return str(team or body.get("event", {}).get("team") or "")


def draft(body: Body, bot_user: str) -> Draft | None:
    """A message or mention that may be for the bot; None where it can't be.

    Raises KeyError, TypeError or ValueError where the payload is not as Slack documents it.
    """
    event = body["event"]
    if event.get("subtype") not in _SUBTYPES or event.get("hidden") or event.get("bot_id"):
        return None
    user = event.get("user")
    if not user or user in (bot_user, "USLACKBOT"):
        return None
    team = team_of(body)
    raw = event.get("text") or ""
    people = mentioned(raw)
    ts, thread = str(event["ts"]), event.get("thread_ts")
    seconds(ts)
    if thread == ts:  # in a history, a message that was answered in a thread is called the thread's first
        thread = None
    return Draft(
        person=Person("slack", event.get("user_team") or event.get("source_team") or team, user),
        team=team,
        channel=str(event["channel"]),
        kind=event.get("channel_type") or "",
        ts=ts,
        thread=str(thread) if thread else None,
        raw=raw,
        files=tuple(clean(file.get("name") or file.get("title") or "file") for file in event.get("files") or ()),
        mentioned=event["type"] == "app_mention" or bot_user in people,
        others=mentions_group(raw) or any(person != bot_user for person in people),
        named=event["type"] == "app_mention",
        external=bool(body.get("is_ext_shared_channel")),
        edited=seconds((event.get("edited") or {}).get("ts") or 0),
    )


@dataclass(frozen=True, slots=True)
class Change:
    """A message that was edited (`new` is what it says now) or deleted (`new` is None); `old` is what it said."""

    id: str
    new: Draft | None
    old: Draft | None


def change(body: Body, bot_user: str) -> Change | None:
    """A deletion, or an edit of a person's text; None where the text is what it was (an unfurl, the bot's own edit).

    Raises KeyError, TypeError or ValueError where the payload is not as Slack documents it.
    """
    event = body["event"]
    before, now = event.get("previous_message") or {}, event.get("message") or {}
    deleted = event["subtype"] == "message_deleted"
    identity = message_id(team_of(body), str(event["channel"]), str(event["deleted_ts"] if deleted else now["ts"]))
    # A message with answers in its thread isn't deleted, but becomes a tombstone.
    if deleted or now.get("subtype") == "tombstone":
        return Change(identity, None, None)
    if (now.get("text") or "") == (before.get("text") or ""):
        return None

    def read(message: Body) -> Draft | None:
        around = {"type": "message", "channel": event["channel"], "channel_type": event.get("channel_type")}
        return draft({**body, "event": {**message, **around}}, bot_user) if message else None

    new = read(now)
    return None if new is None else Change(identity, new, read(before))
