"""The way back to where a Slack message came from."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from adapters import slack_text
from adapters.slack_errors import FAILURES, code, never_sent, outage, passing, retry_after
from adapters.slack_shown import ANSWER, Shown, look, whole
from adapters.slack_wire import Wire
from bot.events import Person, Place
from bot.ports import JournalUnavailable

log = logging.getLogger(__name__)

#: Seconds that the first text waits for the end: a short answer is one call, and doesn't flicker.
SETTLE = 1.0
#: Seconds between two edits of a message that grows.
EVERY = 1.2
#: Tries at a call that Slack fails in passing, with 1, 2, 4… seconds between them.
TRIES = 4
STATUS = "is thinking…"

_BLOCKS_REFUSED = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long")
_GONE = ("message_not_found", "channel_not_found", "is_archived")
_STATUS_OFF = ("missing_scope", "unknown_method", "not_allowed_token_type", "feature_not_enabled", "no_permission")


@dataclass(slots=True)
class SlackRespond:
    """One message's way back (`bot.ports.Respond`).

    `unsure` says that some of the answer may be there already: nothing is posted before that is known. `confirm` is
    asked right before each request that shows or deletes some of it; what it raises is let through.
    """

    wire: Wire
    place: Place
    person: Person
    event_id: str
    after: str
    confirm: Callable[[], Awaitable[None]]
    unsure: bool = False
    _shown: list[Shown] = field(default_factory=list)
    _latest: str = ""
    _overtake: int = 0
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

    async def found(self) -> tuple[str, tuple[str, ...]] | None:
        """The answer that is already shown in full.

        Raises ConnectionError where Slack can't be reached or fails in passing, else what it refuses with.
        """
        with outage():
            await self._adopt()
        answer = whole(self._shown)
        return None if answer is None else ("\n".join(shown.text for shown in answer), self._ids(answer))

    async def stream(self, snapshots: AsyncIterator[str]) -> tuple[str, ...]:
        """Post the answer, edit it while it grows, and return the ids of its messages.

        What is there of it already is edited, and stays until the new text has grown as long. Raises as `found` does.
        """
        self._latest, self._overtake = "", self._length()
        done = asyncio.Event()
        painter: asyncio.Task[None] | None = None
        try:
            async for self._latest in snapshots:
                if painter is None and self._latest.strip():
                    painter = asyncio.create_task(self._paint(done))
        finally:
            done.set()
            if painter:
                await painter  # never cancelled amid a call, whose effect would be unknown
        with outage():
            await self._settle(self._latest)
        return self._ids(self._shown)

    async def _paint(self, done: asyncio.Event) -> None:
        """Show the answer so far, again and again until the stream is done: also while the model is silent."""
        pause = SETTLE
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), pause)
            if done.is_set():
                return
            pause = await self._draw(self._latest)

    def _ids(self, shown: list[Shown]) -> tuple[str, ...]:
        return tuple(self.wire.home.message_id(self.place.channel, part.ts) for part in shown)

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

    async def _adopt(self, posted: str = "") -> None:
        """Take what is there of the answer for shown by us. `posted` is a part that may have been posted unheard."""
        text = self._content(posted)["text"] if posted else ""
        shown = await look(self.wire, self.place, self.event_id, self.after, text)
        known = {part.ts for part in self._shown}
        self._shown += [part for part in shown if part.ts not in known]
        self._overtake = self._length()
        self.unsure = False

    def _length(self) -> int:
        return sum(len(part.text) for part in self._shown)

    async def _draw(self, text: str) -> float:
        """Show the answer so far; return the seconds until the next time. What fails now is mended by then."""
        pause = EVERY
        try:
            if self.unsure:
                await self._adopt()
            if len(text) < self._overtake:
                return pause
            for index, part in enumerate(slack_text.parts(text)):
                if index == len(self._shown):
                    await self._post(index, part)
                elif self._shown[index].text != part:
                    await self._edit(self.wire.edits, index, part)
        except FAILURES as exc:
            log.info("%s: an edit in between failed: %s", self.event_id, code(exc))
            pause = max(pause, retry_after(exc))
        except JournalUnavailable as exc:
            log.info("%s: no edit in between: %s", self.event_id, exc)
        return pause

    async def _settle(self, text: str) -> None:
        """Make what is shown the whole answer; its last message says that it is the last."""
        parts = slack_text.parts(text)
        for index, part in enumerate(parts):
            done = index == len(parts) - 1
            if index >= len(self._shown):
                await self._post(index, part, done=done)
            if (self._shown[index].text, self._shown[index].done) != (part, done):
                await self._last_edit(index, part, done=done)
        for surplus in self._shown[len(parts) :]:
            await self.confirm()
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

    def _marked(self, index: int, part: str, done: bool) -> dict[str, Any]:
        payload = {"event": self.event_id, "part": index, "done": done}
        return self._content(part) | {"metadata": {"event_type": ANSWER, "event_payload": payload}}

    def _refuses_blocks(self, error: BaseException) -> bool:
        if self._mrkdwn or code(error) not in _BLOCKS_REFUSED:
            return False
        log.info("%s: Slack refuses the markdown block; sent as mrkdwn", self.event_id)
        self._mrkdwn = True
        return True

    async def _post(self, index: int, part: str, *, done: bool = False) -> None:
        """Post one message, once: where one may be there already, look for it first."""
        attempt = 0
        while True:
            attempt += 1
            try:
                if self.unsure:
                    await self._adopt(part)
                    if index < len(self._shown):
                        return
                await self.confirm()
                response = await self.wire.posts.chat_postMessage(
                    channel=self.place.channel,
                    thread_ts=self.place.thread,
                    unfurl_links=False,
                    unfurl_media=False,
                    **self._marked(index, part, done),
                )
                self._shown.append(Shown(str(response["ts"]), part, done))
                return
            except FAILURES as exc:
                if self._refuses_blocks(exc):
                    continue
                if passing(exc) and not never_sent(exc):
                    self.unsure = True
                if attempt >= TRIES or not passing(exc):
                    raise
                log.warning("%s: chat.postMessage failed (try %d): %s", self.event_id, attempt, code(exc))
                await asyncio.sleep(2 ** (attempt - 1))

    async def _edit(self, client: AsyncWebClient, index: int, part: str, *, done: bool = False) -> None:
        shown = self._shown[index]
        await self.confirm()
        await client.chat_update(channel=self.place.channel, ts=shown.ts, **self._marked(index, part, done))
        shown.text, shown.done = part, done

    async def _last_edit(self, index: int, part: str, *, done: bool) -> None:
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._edit(self.wire.posts, index, part, done=done)
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
