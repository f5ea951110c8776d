"""The reply handle of a Slack message."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from adapters.common.growing_answer import GrowingAnswer
from adapters.common.text import complete_rows
from adapters.slack import files, views
from adapters.slack import text as slack_text
from adapters.slack.api import SlackApi
from adapters.slack.attempts import CannotEdit
from adapters.slack.errors import SLACK_ERRORS, Refusal, code, is_transient, outage, refusal, refused, retry_after
from adapters.slack.events import ts_of
from adapters.slack.foot import Below
from adapters.slack.messages import Messages
from adapters.slack.pace import EVERY
from adapters.slack.shown_answer import ShownMessage, whole
from adapters.slack.streams import Streams
from adapters.slack.working_sign import WorkingSign
from bot.model import Attachment, Audience, Nearby, Person, Place
from bot.ports import JournalUnavailable, PlatformRefused
from bot.text.clean import one_line
from bot.views import Foot, View

log = logging.getLogger(__name__)

#: Characters of a file's name in the status line.
NAME_LENGTH = 60

#: Seconds that the first text waits for the end, so that a short answer is one call, without flicker.
SETTLE = 0.25


class SlackReply:
    """The reply handle of one message (`bot.ports.ReplyHandle`)."""

    def __init__(
        self,
        api: SlackApi,
        place: Place,
        person: Person,
        event_id: str,
        after: str,
        confirm: Callable[[], Awaitable[None]],
        *,
        unsure: bool = False,
        around: Callable[[int], Awaitable[list[Nearby]]] | None = None,
    ) -> None:
        """`around` reads the messages around this one.

        `unsure`: some of the answer may already be shown, so nothing is posted before that is known.

        `confirm` is called right before each request that shows or deletes any of it; what it raises is passed on.
        """
        self.api = api
        self.place = place
        self.person = person
        self.event_id = event_id
        self._around = around
        streams = Streams(api, person, event_id, confirm)
        self._messages = Messages(api, place, event_id, after, confirm, streams, unsure)
        self._sign = WorkingSign(api, self._messages)
        self._growing = GrowingAnswer(self._grow, self._finish, first=SETTLE)
        self._overtake = 0
        self._reserved = self._refused = False
        self._footed: set[str] = set()

    def working(self) -> AbstractAsyncContextManager[None]:
        """Show that an answer is being made while the block runs, without delaying the answer."""
        return self._sign.shown()

    async def found(self) -> tuple[str, tuple[str, ...]] | None:
        """The answer that is already shown in full.

        Shows an answer that was complete and only failed to be shown, so that Claude need not be asked again. Raises
        ConnectionError if Slack is unreachable or fails temporarily, PlatformRefused if it refuses for good.
        """
        removing = self._sign.remove_stale()
        with outage():
            await self._messages.adopt()
        if whole(self._messages.shown) is None:
            await self._growing.retry()
        answer = whole(self._messages.shown)
        if answer is None:
            return None
        await self._sign.clear(removing)  # the process that showed the answer may have died before that
        return "\n".join(shown.text for shown in answer), self._ids(answer)

    @property
    def begun(self) -> bool:
        """Whether something of an answer is shown."""
        return bool(self._messages.shown)

    async def stream(self, snapshots: AsyncIterator[str]) -> tuple[str, ...]:
        """Post the answer, edit it while it grows, and return the ids of its messages.

        What is already shown is edited, and stays until the new text has grown as long. Raises as `found` does.
        """
        self._overtake, self._refused = self._messages.length, False
        try:
            await self._growing.show(snapshots)
        except Exception as exc:
            self._refused = isinstance(exc, PlatformRefused)
            await self._messages.end_streams()
            raise
        finally:
            self._release()
            self._messages.leave_streams()
        return self._ids(self._messages.shown)

    def _release(self) -> None:
        """Return the edit that was reserved for the answer's end."""
        if self._reserved:
            self._reserved = False
            self.api.pace.end()

    async def _grow(self, text: str) -> float | None:
        """Show the answer so far (`GrowingAnswer`), as far as the pace allows now."""
        pace = self.api.pace
        try:
            if self._messages.unsure:
                await self._messages.adopt()
                self._overtake = self._messages.length
            if self._messages.fixed:
                return None
            text = complete_rows(text)
            if len(text) < self._overtake:
                return EVERY
            self._reserved = self._reserved or pace.begin()
            if not self._reserved:
                return EVERY
            # If no edit can follow in time, the rest continues in a new message: never break within a word.
            await self._messages.grow(slack_text.words(text) if self.api.edits_work else slack_text.sentences(text))
        except CannotEdit:
            return None
        except SLACK_ERRORS as exc:
            log.info("%s: an edit in between failed: %s", self.event_id, code(exc))
            if refusal(exc) is Refusal.LENGTH:
                return None  # so early that it can't be split any further; the whole answer can
            if not is_transient(exc):
                raise refused(exc) from exc
            return max(self._interval(), retry_after(exc))
        except JournalUnavailable as exc:
            log.info("%s: no edit in between: %s", self.event_id, exc)
        return self._interval()

    def _interval(self) -> float:
        pace = self.api.pace
        return pace.append_interval() if self._messages.streaming else pace.interval()

    async def _finish(self, text: str) -> None:
        with outage():
            await self._messages.finish(text, self._release)

    def _ids(self, shown: list[ShownMessage]) -> tuple[str, ...]:
        return tuple(self.api.home.message_id(self.place.channel, part.ts) for part in shown)

    async def around(self, limit: int) -> list[Nearby]:
        """The messages around this one, oldest first; empty if Slack doesn't say at once."""
        return await self._around(limit) if self._around is not None else []

    async def withdraw(self) -> None:
        """Delete what is shown of the answer. Raises as `found` does."""
        with outage():
            await self._messages.withdraw()

    async def below(self, message_ids: Sequence[str], foot: Foot) -> None:
        """Add a line and buttons to the last message by one more edit. Raises as `found` does."""
        if not message_ids:
            return
        ts = ts_of(message_ids[-1])
        shown = None if ts in self._footed else self._messages.shown_in(ts)
        self._footed.add(ts)
        place = self._messages.place if shown else self.place
        with outage():
            await Below(self.api, place, self.person, self.event_id).add(ts, foot, shown)

    async def show(self, view: View) -> None:
        """Show a view in a direct message, as the answer to a command is shown there. Raises as `found` does."""
        with outage():
            try:
                await self.api.whisper(self.place, self.person, views.text(view), views.blocks(view))
            except SLACK_ERRORS as exc:
                if is_transient(exc):
                    raise
                log.info("%s: not shown ephemerally: %s", self.event_id, code(exc))
                await self.api.send_directly(self.person, views.text(view), views.blocks(view))

    async def open(self, file: Attachment, limit: int) -> bytes:
        """Fetch a file that came with the message; the status line says so."""
        self._sign.say(f"is reading {one_line(file.name)[:NAME_LENGTH]}…")
        return await files.fetch(self.api, file, limit)

    async def whisper(self, text: str) -> None:
        """Say it to the person alone; if Slack can't show that there, say it in place, else by direct message.

        Raises as `found` does.
        """
        with outage():
            await self._say_alone(slack_text.escape(text))

    async def _say_alone(self, text: str) -> None:
        direct = self.place.audience is Audience.PRIVATE
        # Slack shows nothing ephemeral in a thread without replies.
        begun = self.place.thread != ts_of(self.event_id) or self._messages.shown
        place = self.place if begun else replace(self.place, thread=None)
        try:
            await self.api.whisper(place, self.person, text, None)
        except SLACK_ERRORS as exc:
            if is_transient(exc):
                raise
            log.info("%s: not said ephemerally: %s", self.event_id, code(exc))
        else:
            return
        if direct or not self._refused:
            try:
                await self.api.say(self.place, text)
            except SLACK_ERRORS as exc:
                if is_transient(exc) or direct:
                    raise
                log.info("%s: not said in place: %s", self.event_id, code(exc))
            else:
                return
        await self.api.send_directly(self.person, f"<#{self.place.channel}>: {text}", None)
