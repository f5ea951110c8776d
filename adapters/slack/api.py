"""The API clients of one Slack workspace, and the calls that several parts need."""

import logging
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncConnectionErrorRetryHandler
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters.slack.errors import code
from adapters.slack.events import Home
from adapters.slack.pace import Pace, PacedClient
from bot.aio.tasks import TaskSet
from bot.model import Person, Place
from bot.views import File

#: Messages per page, and pages, that are read of a channel or thread.
PAGE = 200
PAGES = 5
#: Seconds that a reading call waits for its turn.
READ_WAIT = 30.0
#: Calls a minute of each reading method that catch-up leaves for calls that people wait for.
SPARE = 15

#: The subtype of the placeholder for a deleted message that has replies.
TOMBSTONE = "tombstone"

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class History:
    """Messages of a channel's top level or a thread, oldest first; `whole`: none is missing."""

    messages: list[Message]
    whole: bool

    def covers(self, ts: str) -> bool:
        """Whether a message with that timestamp would be included if it existed."""
        return self.whole or bool(self.messages and self.messages[0]["ts"] <= ts <= self.messages[-1]["ts"])


@dataclass(slots=True)
class SlackApi:
    """One workspace's clients, which share one pace.

    `posts` retries only after rate limits, since a repeated post would show twice; `edits` neither retries nor waits,
    since the next edit supersedes it; `reads` also retries lost connections. `now` is for calls that have already
    waited for their turn.

    Attributes:
        removals: Removes working signs in the background.
        edits_work: Set once a message was edited, which a workspace may forbid.
    """

    http: aiohttp.ClientSession
    pace: Pace
    posts: PacedClient
    edits: PacedClient
    reads: PacedClient
    background: PacedClient
    now: PacedClient
    bot_user: str = ""
    bot_name: str = ""
    team: str = ""
    edits_work: bool = False
    removals: TaskSet[None] = field(default_factory=TaskSet)

    @classmethod
    def open(cls, http: aiohttp.ClientSession, base_url: str, token: str, logger: logging.Logger) -> "SlackApi":
        """Clients that share one pool of connections and one pace."""
        pace = Pace()
        about: dict[str, Any] = {"base_url": base_url, "session": http, "logger": logger, "timeout": 30}

        def client(*handlers: Any, **how: Any) -> PacedClient:
            return PacedClient(token, pace, retry_handlers=list(handlers), **about, **how)

        again = AsyncConnectionErrorRetryHandler()
        return cls(
            http,
            pace,
            posts=client(retries=5),
            edits=client(longest_wait=0.0),
            reads=client(again, longest_wait=READ_WAIT, retries=2),
            background=client(again, retries=2, spare=SPARE),
            now=client(paced=False),
        )

    def in_background(self) -> "SlackApi":
        """The same, but with reads that leave part of each minute's limit for calls that people wait for."""
        return replace(self, reads=self.background)

    @property
    def home(self) -> Home:
        """The installation that these clients belong to."""
        return Home(self.bot_user, self.team)

    async def whisper(self, place: Place, person: Person, text: str, blocks: list[dict[str, Any]] | None) -> None:
        """Post an ephemeral message, visible to one person alone. Raises SLACK_ERRORS."""
        await self.reads.chat_postEphemeral(
            channel=place.channel,
            user=person.user,
            thread_ts=place.thread,
            text=text,
            blocks=blocks,
            link_names=False,
            parse="none",
        )

    async def say(self, place: Place, text: str) -> None:
        """Post plain text in a place. Raises SLACK_ERRORS."""
        await self.posts.chat_postMessage(
            channel=place.channel, thread_ts=place.thread, text=text, link_names=False, parse="none"
        )

    async def send_directly(self, person: Person, text: str, blocks: list[dict[str, Any]] | None) -> None:
        """Send a direct message to a person. Raises SLACK_ERRORS."""
        opened = await self.reads.conversations_open(users=person.user)
        await self.posts.chat_postMessage(
            channel=str(opened["channel"]["id"]),
            text=text,
            blocks=blocks,
            link_names=False,
            parse="none",
            unfurl_links=False,
            unfurl_media=False,
        )

    async def hand_over(self, person: Person, file: File) -> None:
        """Send a file to a person by direct message. Raises SLACK_ERRORS."""
        opened = await self.reads.conversations_open(users=person.user)
        await self.posts.files_upload_v2(
            channel=str(opened["channel"]["id"]), file=file.content, filename=file.name, title=file.name
        )

    async def after(self, channel: str, thread: str | None, ts: str, *, metadata: bool = False) -> list[Message]:
        """What was written after a timestamp in a thread, or at the channel's top level; oldest first.

        At most a thousand messages. Raises SLACK_ERRORS.
        """
        history = await self.since(channel, thread, ts, metadata=metadata)
        return [message for message in history.messages if message["ts"] > ts]

    async def since(self, channel: str, thread: str | None, ts: str, *, metadata: bool = False) -> History:
        """What was written from a timestamp on in a thread, or at the channel's top level.

        At most a thousand messages: a thread's first, a channel's last. Raises SLACK_ERRORS.
        """
        where: dict[str, Any] = {"channel": channel, "oldest": ts, "inclusive": True, "limit": PAGE}
        where["include_all_metadata"] = metadata
        found: dict[str, Message] = {}
        whole = False
        for _ in range(PAGES):
            page = await self._page(thread, where)
            # Every page includes the thread's first message, however old.
            found |= {m["ts"]: m for m in page.get("messages") or () if str(m.get("ts") or "") >= ts}
            where["cursor"] = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not where["cursor"]:
                # Free plans omit what is older than some months.
                whole = not page.get("has_more") and not page.get("is_limited")
                break
        return History([found[key] for key in sorted(found)], whole)

    async def before(self, channel: str, thread: str | None, ts: str, limit: int) -> list[Message]:
        """The last messages before a time stamp in a thread, or at the channel's top level; oldest first.

        Of a thread of more than a thousand messages, those before the thousandth. Waits for no turn of a rate limit.
        Raises one of SLACK_ERRORS.
        """
        if not thread:
            page = await self.edits.conversations_history(channel=channel, latest=ts, inclusive=False, limit=limit)
            return sorted((m for m in page.get("messages") or () if str(m.get("ts") or "") < ts), key=_ts)
        found: dict[str, Message] = {}
        cursor = ""
        for _ in range(PAGES):
            page = await self.edits.conversations_replies(
                channel=channel, ts=thread, latest=ts, limit=PAGE, cursor=cursor
            )
            found |= {m["ts"]: m for m in page.get("messages") or () if str(m.get("ts") or "") < ts}
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                break
        return sorted(found.values(), key=_ts)[-limit:] if limit else []

    async def is_gone(self, channel: str, thread: str | None, ts: str) -> bool:
        """Whether Slack says that a message no longer exists. Raises SLACK_ERRORS."""
        if thread is None or thread == ts:
            page = await self._page(None, {"channel": channel, "latest": ts, "inclusive": True, "limit": 1})
        else:
            where = {"channel": channel, "oldest": ts, "latest": ts, "inclusive": True, "limit": 10}
            try:
                page = await self._page(thread, where)
            except SlackApiError as exc:
                # A thread exists as long as one of its messages does.
                return code(exc) == "thread_not_found" and await self.is_gone(channel, None, thread)
            if not page.get("messages"):
                return False  # unreliable: a thread's first message is always included
        there = any(m.get("ts") == ts and m.get("subtype") != TOMBSTONE for m in page.get("messages") or ())
        return not there and not page.get("is_limited")

    async def _page(self, thread: str | None, where: dict[str, Any]) -> AsyncSlackResponse:
        if thread:
            return await self.reads.conversations_replies(ts=thread, **where)
        return await self.reads.conversations_history(**where)


def _ts(message: Message) -> str:
    return str(message["ts"])
