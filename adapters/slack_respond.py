"""The way back to where a Slack message came from."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient

from adapters import slack_text, slack_views
from adapters.slack_errors import FAILURES, code, never_sent, passing, retry_after
from adapters.slack_events import message_id
from bot.events import Person, Place, View

log = logging.getLogger(__name__)

#: Seconds that the first text waits for the end: a short answer is one call, and doesn't flicker.
SETTLE = 1.0
#: Seconds between two edits of a message that grows.
EVERY = 1.2
#: Tries at a call that Slack fails in passing, with 1, 2, 4… seconds between them.
TRIES = 4
STATUS = "is thinking…"
#: The metadata by which an answer that was posted is found again.
ANSWER = "memory_bot_answer"

_BLOCKS_REFUSED = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long")
_GONE = ("message_not_found", "channel_not_found", "is_archived")
_STATUS_OFF = ("missing_scope", "unknown_method", "not_allowed_token_type", "feature_not_enabled", "no_permission")


@dataclass(slots=True)
class Wire:
    """The calls of one workspace.

    `posts` retries nothing but a rate limit, since a post that is repeated shows twice; `edits` retries nothing at
    all, for those that the next one overtakes; `reads` retries lost connections too.
    """

    http: aiohttp.ClientSession
    posts: AsyncWebClient
    edits: AsyncWebClient
    reads: AsyncWebClient
    bot_user: str = ""
    status_off: bool = False

    @classmethod
    def open(cls, http: aiohttp.ClientSession, base_url: str, token: str, logger: logging.Logger) -> "Wire":
        """Clients that share one pool of connections."""

        def client(*handlers: Any) -> AsyncWebClient:
            return AsyncWebClient(
                token, base_url=base_url, session=http, logger=logger, retry_handlers=list(handlers), timeout=30
            )

        return cls(
            http,
            posts=client(AsyncRateLimitErrorRetryHandler(max_retry_count=5)),
            edits=client(),
            reads=client(AsyncRateLimitErrorRetryHandler(max_retry_count=2), AsyncConnectionErrorRetryHandler()),
        )

    async def whisper(self, place: Place, person: Person, text: str, blocks: list[dict[str, Any]] | None) -> None:
        """Show something to one person alone. Raises one of FAILURES."""
        await self.reads.chat_postEphemeral(
            channel=place.channel,
            user=person.user,
            thread_ts=place.thread,
            text=text,
            blocks=blocks,
            link_names=False,
            parse="none",
        )

    async def show(self, url: str | None, place: Place, person: Person, view: View, *, replace: bool) -> None:
        """Show a view to one person: through the response URL, or, where there is none or it fails, ephemerally."""
        text, blocks = slack_views.text(view), slack_views.blocks(view)
        if url:
            body = {"response_type": "ephemeral", "replace_original": replace, "text": text, "blocks": blocks}
            try:
                async with self.http.post(url, json=body) as response:
                    if response.status < 300:
                        return
                    log.warning("slack: a response URL answered HTTP %d", response.status)
            except (aiohttp.ClientError, TimeoutError) as exc:
                log.warning("slack: a response URL failed: %s", type(exc).__name__)
        try:
            await self.whisper(place, person, text, blocks)
        except FAILURES as exc:
            log.error("slack: an answer to a command could not be shown: %s", code(exc))


@dataclass(slots=True)
class _Shown:
    ts: str
    text: str


@dataclass(slots=True)
class SlackRespond:
    """One message's way back (`bot.ports.Respond`)."""

    wire: Wire
    place: Place
    person: Person
    event_id: str
    after: str
    _shown: list[_Shown] = field(default_factory=list)
    _next_edit: float = 0.0
    _mrkdwn: bool = False

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Show Slack's status line in the thread while the block runs; never in the answer's way."""
        if self.place.thread is None or self.wire.status_off:
            yield
            return
        status = asyncio.create_task(self._status(STATUS))
        try:
            yield
        finally:
            # Slack clears it when the answer is posted.
            status.cancel()
            with suppress(asyncio.CancelledError):
                await status

    async def _status(self, text: str) -> None:
        try:
            await self.wire.edits.assistant_threads_setStatus(
                channel_id=self.place.channel, thread_ts=self.place.thread or "", status=text
            )
        except FAILURES as exc:
            if code(exc) in _STATUS_OFF:
                self.wire.status_off = True
            log.debug("slack: no status line: %s", code(exc))

    async def stream(self, snapshots: AsyncIterator[str]) -> tuple[str, ...]:
        """Post the answer, edit it while it grows, and return the ids of its messages.

        Raises one of FAILURES where Slack doesn't take the answer.
        """
        now = asyncio.get_running_loop().time
        text = ""
        async for snapshot in snapshots:
            text = snapshot
            if not text.strip():
                continue
            if not self._next_edit:
                self._next_edit = now() + SETTLE
            elif now() >= self._next_edit:
                await self._draw(text)
        await self._settle(text)
        return tuple(message_id(self.place.workspace, self.place.channel, shown.ts) for shown in self._shown)

    async def whisper(self, text: str) -> None:
        """Tell the person alone; in place where Slack won't show it to them alone."""
        text = slack_text.escape(text)
        try:
            await self.wire.whisper(self.place, self.person, text, None)
        except SlackApiError as exc:
            log.info("slack: said in place, not ephemerally: %s", code(exc))
            await self.wire.posts.chat_postMessage(
                channel=self.place.channel, thread_ts=self.place.thread, text=text, link_names=False, parse="none"
            )

    async def _draw(self, text: str) -> None:
        """Show the answer so far. What fails now is mended by the next edit or by the last."""
        pause = EVERY
        try:
            for index, part in enumerate(slack_text.parts(text)):
                if index == len(self._shown):
                    await self._post(index, part)
                elif self._shown[index].text != part:
                    await self._edit(self.wire.edits, self._shown[index], part)
        except FAILURES as exc:
            log.info("%s: an edit in between failed: %s", self.event_id, code(exc))
            pause = max(pause, retry_after(exc))
        self._next_edit = asyncio.get_running_loop().time() + pause

    async def _settle(self, text: str) -> None:
        """Make what is shown the whole answer."""
        parts = slack_text.parts(text)
        for index, part in enumerate(parts):
            if index == len(self._shown):
                await self._post(index, part)
            elif self._shown[index].text != part:
                await self._last_edit(self._shown[index], part)
        for surplus in self._shown[len(parts) :]:
            try:
                await self.wire.posts.chat_delete(channel=self.place.channel, ts=surplus.ts)
            except FAILURES as exc:
                log.warning("%s: a surplus message stays: %s", self.event_id, code(exc))
        del self._shown[len(parts) :]

    def _content(self, part: str) -> dict[str, Any]:
        quiet = {"parse": "none", "link_names": False}
        if self._mrkdwn:
            return {"text": slack_text.mrkdwn(part)[: slack_text.TEXT], "blocks": [], **quiet}
        text = slack_text.escape(part)[: slack_text.TEXT]
        return {"text": text, "blocks": [{"type": "markdown", "text": slack_text.markdown(part)}], **quiet}

    def _refuses_blocks(self, error: BaseException) -> bool:
        if self._mrkdwn or code(error) not in _BLOCKS_REFUSED:
            return False
        log.info("%s: Slack refuses the markdown block; sent as mrkdwn", self.event_id)
        self._mrkdwn = True
        return True

    async def _post(self, index: int, part: str) -> None:
        """Post one message, once: after a failure that may have been a success, look for it first."""
        attempt = 0
        while True:
            attempt += 1
            try:
                response = await self.wire.posts.chat_postMessage(
                    channel=self.place.channel,
                    thread_ts=self.place.thread,
                    unfurl_links=False,
                    unfurl_media=False,
                    metadata={"event_type": ANSWER, "event_payload": {"event": self.event_id, "part": index}},
                    **self._content(part),
                )
                self._shown.append(_Shown(str(response["ts"]), part))
                return
            except FAILURES as exc:
                if self._refuses_blocks(exc):
                    continue
                if attempt >= TRIES or not passing(exc):
                    raise
                log.warning("%s: chat.postMessage failed (try %d): %s", self.event_id, attempt, code(exc))
                await asyncio.sleep(2 ** (attempt - 1))
                if not never_sent(exc) and (ts := await self._find(index, part)):
                    self._shown.append(_Shown(ts, part))
                    return

    async def _find(self, index: int, part: str) -> str | None:
        """The time stamp of a message that was posted without our hearing of it."""
        where: dict[str, Any] = {"channel": self.place.channel, "oldest": self.after, "limit": 100}
        try:
            if self.place.thread:
                page = await self.wire.reads.conversations_replies(
                    ts=self.place.thread, include_all_metadata=True, **where
                )
            else:
                page = await self.wire.reads.conversations_history(include_all_metadata=True, **where)
        except FAILURES as exc:
            log.warning("%s: can't tell whether the answer is there: %s", self.event_id, code(exc))
            return None
        known = {shown.ts for shown in self._shown}
        text = self._content(part)["text"]
        for message in page.get("messages") or ():
            ours = message.get("user") == self.wire.bot_user and message.get("ts") not in known
            payload = (message.get("metadata") or {}).get("event_payload") or {}
            if ours and (payload == {"event": self.event_id, "part": index} or message.get("text") == text):
                return str(message["ts"])
        return None

    async def _edit(self, client: AsyncWebClient, shown: _Shown, part: str) -> None:
        await client.chat_update(channel=self.place.channel, ts=shown.ts, **self._content(part))
        shown.text = part

    async def _last_edit(self, shown: _Shown, part: str) -> None:
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._edit(self.wire.posts, shown, part)
            except FAILURES as exc:
                if self._refuses_blocks(exc):
                    continue
                if code(exc) in _GONE:
                    log.info("%s: the answer was removed while it grew", self.event_id)
                    return None
                if attempt >= TRIES or not passing(exc):
                    raise
                log.warning("%s: chat.update failed (try %d): %s", self.event_id, attempt, code(exc))
                await asyncio.sleep(2 ** (attempt - 1))
