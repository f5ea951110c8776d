"""Slack's streams: messages whose growing text is appended to instead of edited.

They use up no edits while they grow, and show words as they arrive. A stream carries no metadata until it is stopped,
so it begins with a line whose block is named after its event and part, by which another process recognises it. It
always ends with an edit, which removes that line and shows the text like any other answer.

A stream ends as soon as its text needs a correction, or can't be appended for any other reason; then the message is
edited.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from adapters.slack.api import SlackApi
from adapters.slack.attempts import CannotEdit, again
from adapters.slack.errors import (
    SENTENCES,
    SLACK_ERRORS,
    PaceExceeded,
    Refusal,
    code,
    is_rate_limited,
    is_transient,
    refusal,
    retry_after,
)
from adapters.slack.growing_markdown import settled
from adapters.slack.shown_answer import ShownMessage, Stream, stream_block
from bot.model import Audience, Person, Place

log = logging.getLogger(__name__)

#: Shown above a growing answer's text.
WRITING = "writing…"
#: Seconds after which a stream is ended; Slack does so after five minutes.
LONGEST = 240.0
#: Most characters of a stream; Slack takes some 12,000.
ROOM = 11_000
#: Seconds that the end of a stream waits for its turn.
PATIENCE = 5.0

START, APPEND, STOP = "chat.startStream", "chat.appendStream", "chat.stopStream"
#: Slack's errors for a message that is no longer streaming: stopped, by us or by a person, or too old.
_ENDED = ("message_not_in_streaming_state", "stopped_by_user", "message_not_found")


@dataclass(slots=True)
class Streams:
    """One answer's streams. `confirm` is `SlackReply`'s; methods raise what it raises."""

    api: SlackApi
    person: Person
    event_id: str
    confirm: Callable[[], Awaitable[None]]

    async def start(self, place: Place, index: int, part: str) -> ShownMessage | None:
        """Start a part of the answer as a stream; None if it has to be posted instead.

        Raises SLACK_ERRORS if it fails but may have started.
        """
        pace = self.api.pace
        source, text = settled(part)
        if place.thread is None or not text or len(text) > ROOM:
            return None
        # Without edits, the line above the text couldn't be removed.
        if not self.api.edits_work or pace.is_refused(START):
            return None
        if pace.delay(START) or not pace.reserve(STOP):
            return None
        started = False
        try:
            await pace.turn(START, longest_wait=0.0)
            await self.confirm()
            chunks = [self._sign(index), {"type": "markdown_text", "text": text}]
            response = await self.api.now.chat_startStream(
                channel=place.channel, thread_ts=place.thread, chunks=chunks, **self._recipient(place)
            )
            started = True
        except SLACK_ERRORS as exc:
            if is_rate_limited(exc):
                pace.hold(START, retry_after(exc))
            elif is_transient(exc):
                raise
            elif code(exc) not in SENTENCES and refusal(exc) is not Refusal.THREAD:
                log.info("slack: no streams for an hour: %s", code(exc))
                pace.refuse(START)
            return None
        finally:
            if not started:
                pace.unreserve(STOP)
        return ShownMessage(str(response["ts"]), source, False, stream=Stream(text, pace.now() + LONGEST), edited=False)

    async def append(self, place: Place, shown: ShownMessage, part: str) -> bool:
        """Show more of a part, as far as the pace allows now; False if the stream must end first."""
        stream, pace = shown.stream, self.api.pace
        source, text = settled(part)
        if stream is None or pace.now() > stream.until or len(text) > ROOM or not text.startswith(stream.sent):
            return False
        more = text[len(stream.sent) :]
        if not more or pace.delay(APPEND):
            return True
        await pace.turn(APPEND, longest_wait=0.0)
        await self.confirm()
        try:
            chunks = [{"type": "markdown_text", "text": more}]
            await self.api.now.chat_appendStream(channel=place.channel, ts=shown.ts, chunks=chunks)
        except SLACK_ERRORS as exc:
            if is_rate_limited(exc):
                pace.hold(APPEND, retry_after(exc))
                return True
            log.info("%s: a stream ends early: %s", self.event_id, code(exc))
            if code(exc) in _ENDED:
                self.leave(shown)
            return False  # whether or not it was appended, the edit that follows sets it right
        stream.sent, shown.text = text, source
        return True

    async def stop(self, place: Place, shown: ShownMessage, mark: dict[str, Any]) -> None:
        """End a stream, whichever process started it, so that its message can be edited.

        Raises SLACK_ERRORS, or CannotEdit if it can't be ended soon, or at all.
        """
        self.leave(shown)
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._stop(place, shown, mark)
            except SLACK_ERRORS as exc:
                if isinstance(exc, PaceExceeded) or not is_transient(exc):
                    log.info("%s: a stream can't be ended (%s); the rest is posted", self.event_id, code(exc))
                    shown.fixed = True
                    raise CannotEdit from exc
                await again(self.event_id, exc, attempt, STOP)

    async def _stop(self, place: Place, shown: ShownMessage, mark: dict[str, Any]) -> None:
        await self.api.pace.turn(STOP, longest_wait=PATIENCE)
        await self.confirm()
        try:
            await self.api.now.chat_stopStream(channel=place.channel, ts=shown.ts, **mark)
        except SLACK_ERRORS as exc:
            if is_rate_limited(exc):
                self.api.pace.hold(STOP, retry_after(exc))
            if code(exc) not in _ENDED:
                raise

    def distrust(self) -> None:
        """Start no more streams in the workspace for an hour, as one couldn't be edited."""
        self.api.pace.refuse(START)

    def leave(self, shown: ShownMessage) -> None:
        """Give up what is reserved for a message's stream, if it has one."""
        if shown.stream is not None:
            shown.stream = None
            self.api.pace.unreserve(STOP)

    def _sign(self, index: int) -> dict[str, Any]:
        elements = [{"type": "plain_text", "text": WRITING}]
        block = {"type": "context", "block_id": stream_block(self.event_id, index), "elements": elements}
        return {"type": "blocks", "blocks": [block]}

    def _recipient(self, place: Place) -> dict[str, str]:
        """Whom a stream is for, which Slack requires in channels."""
        if place.audience is Audience.PRIVATE:
            return {}
        return {"recipient_user_id": self.person.user, "recipient_team_id": place.workspace}
