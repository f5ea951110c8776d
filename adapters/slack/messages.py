"""The messages of one answer: posts them, edits them while it grows, and works around what Slack refuses."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from adapters.slack import text as slack_text
from adapters.slack.api import SlackApi
from adapters.slack.attempts import CannotEdit, again
from adapters.slack.errors import SLACK_ERRORS, PaceExceeded, Refusal, code, is_transient, never_sent, refusal
from adapters.slack.forms import Form, TooLong
from adapters.slack.shown_answer import ShownMessage, find_answer
from adapters.slack.streams import Streams
from bot.model import Place
from bot.ports import ClaimLost, JournalUnavailable

log = logging.getLogger(__name__)

#: Seconds that the last edit waits for its turn; if that would take longer, the rest is posted instead.
PATIENCE = 5.0
#: Seconds that the deletion of a surplus message waits for its turn.
PATIENCE_DELETING = 120.0


def _nothing() -> None:
    """Do nothing."""


@dataclass(slots=True)
class Messages:
    """What is shown of one answer. `after`, `confirm` and `unsure` are those of `SlackReply`.

    If Slack refuses a form or a thread, the rest is sent without it.

    Attributes:
        surplus: Messages that are no longer part of the answer.
        posted: Set with each post in the thread, after which Slack removes its status line.
    """

    api: SlackApi
    place: Place
    event_id: str
    after: str
    confirm: Callable[[], Awaitable[None]]
    streams: Streams
    unsure: bool = False
    shown: list[ShownMessage] = field(default_factory=list)
    surplus: list[ShownMessage] = field(default_factory=list)
    posted: bool = False
    form: Form = field(init=False)

    def __post_init__(self) -> None:
        self.form = Form(self.event_id)

    @property
    def length(self) -> int:
        """How much is shown."""
        return sum(len(part.text) for part in self.shown)

    @property
    def streaming(self) -> bool:
        """Whether one of its messages is a stream that is open."""
        return any(part.stream for part in self.shown)

    @property
    def fixed(self) -> bool:
        """Whether any of it can't be edited."""
        return any(part.fixed for part in self.shown)

    def shown_in(self, ts: str) -> tuple[int, ShownMessage, Form] | None:
        """A message as it was shown here, which part it is, and how it is sent; None if that isn't known here."""
        found = ((index, part) for index, part in enumerate(self.shown) if part.ts == ts and not part.fixed)
        return next(((index, part, self.form) for index, part in found), None)

    async def adopt(self, posted: str = "") -> None:
        """Take over what is already shown. `posted` is a part that may have been posted without a response."""
        text = self.form.content(posted)["text"] if posted else ""
        shown = await find_answer(self.api, self.place, self.event_id, self.after, text)
        known = {part.ts for part in (*self.shown, *self.surplus)}
        self.shown += [part for part in shown if part.ts not in known]
        self.unsure = False

    async def grow(self, text: str) -> None:
        """Show the answer so far, as far as the pace allows now. Raises SLACK_ERRORS or CannotEdit."""
        await self._render(text, last=False)

    async def finish(self, text: str, release: Callable[[], None]) -> None:
        """Show the complete answer; its last message is marked as the last.

        `release` returns the edit that was reserved for this. Raises SLACK_ERRORS.
        """
        await self._render(text, last=True, release=release)
        for surplus in self.surplus:
            await self._delete(surplus)
        self.surplus.clear()

    async def withdraw(self) -> None:
        """Delete all that is shown. Raises SLACK_ERRORS."""
        if self.unsure:
            await self.adopt()
        for part in (*self.surplus, *reversed(self.shown)):
            await self._delete(part)
        self.surplus.clear()
        self.shown.clear()

    async def _render(self, text: str, *, last: bool, release: Callable[[], None] = _nothing) -> None:
        wanted = slack_text.parts(text)
        index = 0
        while index < len(wanted):
            part, done = wanted[index], last and index == len(wanted) - 1
            there = self.shown[index] if index < len(self.shown) else None
            if there is not None and self._shows(there, part, done=done, last=last):
                index += 1
                continue
            growing = not last and index == len(wanted) - 1
            try:
                if there is None:
                    if last or not await self._stream(index, part):
                        await self._post(index, part, done=done)
                elif growing and there.stream and await self.streams.append(self.place, there, part):
                    return
                elif there.stream:
                    await self._stop(index)
                elif last:
                    await self._last_edit(index, part, done=done, release=release)
                elif self.api.pace.may_edit():
                    await self._edit(index, part, done=done)
                else:
                    return
            except TooLong:
                wanted[index : index + 1] = slack_text.halves(part)
            except CannotEdit:
                if not last:
                    raise
                wanted[index:] = self._beside(index, wanted[index:])
        if last:
            self.surplus += self.shown[len(wanted) :]
            del self.shown[len(wanted) :]

    @staticmethod
    def _shows(there: ShownMessage, part: str, *, done: bool, last: bool) -> bool:
        """Whether a message needs no change: a stream has to be stopped and edited, at the latest at the end."""
        if there.text != part or there.stream:
            return False
        return there.fixed or not last or (there.done == done and there.edited)

    async def _stream(self, index: int, part: str) -> bool:
        """Begin a message as a stream; False if it has to be posted."""
        if self.unsure:
            return False
        try:
            shown = await self.streams.start(self.place, index, part)
        except SLACK_ERRORS as exc:
            self.unsure = not never_sent(exc)
            raise
        if shown is None:
            return False
        self.shown.append(shown)
        self.posted = True
        return True

    async def _stop(self, index: int) -> None:
        await self.streams.stop(self.place, self.shown[index], self.form.mark(index, done=False))

    async def end_streams(self) -> None:
        """End what is still streaming, as no more of it will be shown soon."""
        for index, part in enumerate(self.shown):
            if part.stream:
                with suppress(CannotEdit, JournalUnavailable, ClaimLost, *SLACK_ERRORS):
                    await self._stop(index)

    def leave_streams(self) -> None:
        """Reserve nothing any more for streams that are left open."""
        for part in (*self.shown, *self.surplus):
            self.streams.leave(part)

    def _beside(self, index: int, wanted: list[str]) -> list[str]:
        """The parts from message `index` on, which can't be edited: itself and what it lacks, or all of it again."""
        there = self.shown[index]
        rest = None if there.gone else slack_text.rest(wanted[0], there.text)
        kept = index if rest is None else index + 1
        self.surplus += [part for part in self.shown[kept:] if not part.gone]
        del self.shown[kept:]
        return wanted if rest is None else [there.text, *slack_text.parts(rest), *wanted[1:]]

    @contextmanager
    def _another_form(self, part: str) -> Iterator[None]:
        """Suppress a refusal if another form may be accepted, which the surrounding loop then tries."""
        try:
            yield
        except SLACK_ERRORS as exc:
            kind, named = refusal(exc), code(exc)
            if kind is Refusal.LENGTH and len(part) >= 2 * slack_text.SHORTEST:
                log.info("%s: too long for Slack at %d characters; sent in shorter parts", self.event_id, len(part))
                raise TooLong from exc
            if kind is Refusal.THREAD and self.place.thread is not None:
                log.info("%s: Slack takes no reply there (%s); sent to the channel", self.event_id, named)
                self.place = replace(self.place, thread=None)
                return
            if kind is not Refusal.FORM or not self.form.simplify(named):
                raise
            log.info("%s: Slack refuses the message (%s); sent in a plainer form", self.event_id, named)

    async def _post(self, index: int, part: str, *, done: bool) -> None:
        """Post one message, once: if it may already be there, look for it first."""
        attempt = 0
        while True:
            attempt += 1
            try:
                if self.unsure:
                    await self.adopt(part)
                    if index < len(self.shown):
                        return
                await self.api.pace.turn("chat.postMessage", self.place.channel)
                await self.confirm()
                with self._another_form(part):
                    response = await self.api.now.chat_postMessage(
                        channel=self.place.channel,
                        thread_ts=self.place.thread,
                        unfurl_links=False,
                        unfurl_media=False,
                        **self.form.message(index, part, done=done),
                    )
                    self.shown.append(ShownMessage(str(response["ts"]), part, done))
                    self.posted = self.place.thread is not None
                    return
            except SLACK_ERRORS as exc:
                if is_transient(exc) and not never_sent(exc):
                    self.unsure = True
                await again(self.event_id, exc, attempt, "chat.postMessage")

    async def _edit(self, index: int, part: str, *, done: bool, release: Callable[[], None] = _nothing) -> None:
        """Edit one message. Raises SLACK_ERRORS for transient errors, else CannotEdit."""
        there, stopped = self.shown[index], False
        while True:
            release()
            await self.api.pace.turn("chat.update", longest_wait=PATIENCE)
            await self.confirm()
            try:
                with self._another_form(part):
                    content = self.form.message(index, part, done=done)
                    await self.api.now.chat_update(channel=self.place.channel, ts=there.ts, **content)
                    there.text, there.done, there.edited = part, done, True
                    self.api.edits_work = True
                    return
            except SLACK_ERRORS as exc:
                if is_transient(exc):
                    raise
                if code(exc) == "streaming_state_conflict" and not stopped:
                    stopped = True
                    await self._stop(index)
                    continue
                log.info("%s: a message can't be edited (%s); the rest is posted", self.event_id, code(exc))
                there.fixed = True
                if not there.edited:
                    self.streams.distrust()
                there.gone = refusal(exc) is Refusal.GONE and await self._is_gone(there)
                raise CannotEdit from exc

    async def _is_gone(self, there: ShownMessage) -> bool:
        try:
            return await self.api.is_gone(self.place.channel, self.place.thread, there.ts)
        except SLACK_ERRORS:
            return True  # as Slack has just said

    async def _last_edit(self, index: int, part: str, *, done: bool, release: Callable[[], None]) -> None:
        there = self.shown[index]
        attempt = 0
        while not there.fixed:
            attempt += 1
            try:
                return await self._edit(index, part, done=done, release=release)
            except PaceExceeded as exc:
                log.info("%s: no edit for %.0f s; the rest is posted", self.event_id, exc.delay)
                there.fixed = True
            except SLACK_ERRORS as exc:
                await again(self.event_id, exc, attempt, "chat.update")
        raise CannotEdit

    async def _delete(self, surplus: ShownMessage) -> None:
        attempt, deleted = 0, False
        try:
            while not deleted:
                attempt += 1
                deleted = await self._deleted(surplus, attempt)
        except SLACK_ERRORS as exc:
            log.warning("%s: a surplus message stays: %s", self.event_id, code(exc))

    async def _deleted(self, surplus: ShownMessage, attempt: int) -> bool:
        await self.api.pace.turn("chat.delete", longest_wait=PATIENCE_DELETING)
        await self.confirm()
        try:
            await self.api.now.chat_delete(channel=self.place.channel, ts=surplus.ts)
        except SLACK_ERRORS as exc:
            if refusal(exc) is Refusal.GONE:
                return True
            await again(self.event_id, exc, attempt, "chat.delete")
            return False
        return True
