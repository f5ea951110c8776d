"""Parses Slack's payloads at the edge. What isn't for the bot is None.

Only `Home` identifies people and messages. Slack's payloads name a person's workspace in many ways (`user_team`,
`source_team`, `team_id`, `team.id`, `user.team_id`, `authorizations`…), and on Enterprise Grid and in shared channels
these disagree: one is the sender's workspace, one the channel's, one the organisation. The ids of people and channels
are the same in all of them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters.slack.content import Content, message_text
from adapters.slack.text import mentioned, mentions_group
from bot.model import Attachment, Person

Body = dict[str, Any]

#: Seconds since 1970 beyond which a number can't be a timestamp: the year 5138.
LATEST = 1e11

#: Subtypes of messages that people write; others are edits, deletions or notices.
_SUBTYPES = (None, "file_share", "thread_broadcast", "me_message")


@dataclass(frozen=True, slots=True)
class Home:
    """The bot's installation: its own account, and the workspace (or organisation) that its token belongs to."""

    bot_user: str
    team: str

    def person(self, user: str) -> Person:
        """The person with a Slack user id, whichever payload and workspace it comes from."""
        return Person("slack", self.team, user)

    def message_id(self, channel: str, ts: str) -> str:
        """A message's id: Slack identifies messages by channel and time."""
        return message_id(self.team, channel, ts)


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """A person's message as its event describes it, before any lookup.

    Attributes:
        team: The workspace where it was written, according to its payload.
        kind: Slack's `channel_type` (`im`, `mpim`, `group`, `channel`); empty if the event has none.
        raw: The text with Slack's escapes and tokens.
        forwarded: Texts of others that it shares, also raw.
        clip: The kind of recording, if it is one.
        named: Whether it was delivered as `app_mention`.
        external: Whether the event says that the channel is shared with another organisation.
        edited: When it was last edited, in seconds since 1970; 0 if never.
    """

    person: Person
    team: str
    channel: str
    kind: str
    ts: str
    thread: str | None
    raw: str
    files: tuple[Attachment, ...]
    mentioned: bool
    others: bool
    named: bool
    external: bool
    edited: float = 0.0
    forwarded: tuple[str, ...] = ()
    clip: str = ""

    @property
    def id(self) -> str:
        """The message's id, the same in all its deliveries."""
        return message_id(self.person.workspace, self.channel, self.ts)

    @property
    def direct(self) -> bool:
        """Whether it was written in a direct message with the bot."""
        return self.kind == "im" or (not self.kind and self.channel.startswith("D"))

    @property
    def at(self) -> datetime:
        """When it was written, by Slack's clock."""
        return datetime.fromtimestamp(seconds(self.ts), UTC)


def seconds(ts: object) -> float:
    """A Slack timestamp as seconds since 1970. Raises ValueError if it is out of range."""
    at = float(str(ts)[:32])
    if not 0 <= at < LATEST:
        raise ValueError("a timestamp outside of any calendar")
    return at


def message_id(team: str, channel: str, ts: str) -> str:
    """A message's id, in the installation `team`."""
    return f"slack:{team}:{channel}:{ts}"


def ts_of(event_id: str) -> str:
    """A message's timestamp in its channel, from its id."""
    return event_id.rpartition(":")[2]


def team_of(body: Body, home: Home) -> str:
    """The workspace where a payload's event happened, whose public channels "public" refers to.

    Never an organisation's id (E…), and never part of a person's identity, for which see `Home.person`.
    """
    team, view, event = (body.get(name) or {} for name in ("team", "view", "event"))
    authorized: Body = (body.get("authorizations") or [{}])[0]
    named = (
        body.get("team_id"),
        team.get("id"),
        authorized.get("team_id"),
        body.get("context_team_id"),
        view.get("app_installed_team_id"),
        view.get("team_id"),
        event.get("team"),
    )
    return next((str(team_id) for team_id in named if team_id and not str(team_id).startswith("E")), home.team)


def parse_message(body: Body, home: Home) -> ParsedMessage | None:
    """A message or mention that may be for the bot; None if it can't be.

    Raises KeyError, TypeError or ValueError if the payload isn't as documented.
    """
    event = body["event"]
    if event.get("subtype") not in _SUBTYPES or event.get("hidden") or event.get("bot_id"):
        return None
    user = event.get("user")
    if not user or user in (home.bot_user, "USLACKBOT"):
        return None
    content = Content.of(event)
    people = mentioned(content.raw)
    ts, thread = str(event["ts"]), event.get("thread_ts")
    seconds(ts)
    if thread == ts:  # in a history, a message with a thread below it is that thread's first message
        thread = None
    return ParsedMessage(
        person=home.person(str(user)),
        team=team_of(body, home),
        channel=str(event["channel"]),
        kind=event.get("channel_type") or "",
        ts=ts,
        thread=str(thread) if thread else None,
        raw=content.raw,
        files=content.files,
        mentioned=event["type"] == "app_mention" or home.bot_user in people,
        others=mentions_group(content.raw) or any(person != home.bot_user for person in people),
        named=event["type"] == "app_mention",
        external=bool(body.get("is_ext_shared_channel")),
        edited=_edited(event),
        forwarded=content.forwarded,
        clip=content.clip,
    )


def _edited(event: Body) -> float:
    """When a message was last edited; 0 if that isn't as documented, which is no reason not to answer it."""
    try:
        return seconds(event["edited"]["ts"])
    except (KeyError, TypeError, ValueError):
        return 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """A message that was edited (to `new`, from `old`) or deleted (`new` is None).

    `former` are other ids that earlier versions may have given it.
    """

    id: str
    new: ParsedMessage | None
    old: ParsedMessage | None
    former: tuple[str, ...] = ()


def parse_change(body: Body, home: Home) -> Change | None:
    """A deletion, or an edit of a person's text; None if the text hasn't changed (an unfurl, the bot's own edit).

    Raises KeyError, TypeError or ValueError if the payload isn't as documented.
    """
    event = body["event"]
    before, now = event.get("previous_message") or {}, event.get("message") or {}
    deleted = event["subtype"] == "message_deleted"
    channel, ts = str(event["channel"]), str(event["deleted_ts"] if deleted else now["ts"])
    identity, former = home.message_id(channel, ts), former_ids(team_of(body, home), channel, ts, home)
    # A deleted message with replies becomes a tombstone.
    if deleted or now.get("subtype") == "tombstone":
        return Change(identity, None, None, former)
    if message_text(now) == message_text(before):
        return None

    def read(message: Body) -> ParsedMessage | None:
        around = {"type": "message", "channel": event["channel"], "channel_type": event.get("channel_type")}
        return parse_message({**body, "event": {**message, **around}}, home) if message else None

    new = read(now)
    return None if new is None else Change(identity, new, read(before), former)


def former_ids(team: str, channel: str, ts: str, home: Home) -> tuple[str, ...]:
    """The id that earlier versions gave a message, by the workspace in its payload, if that differs."""
    return () if team == home.team else (message_id(team, channel, ts),)
