"""The messages of one answer: posts them, edits them while it grows, and works around what Slack refuses."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.slack import text as slack_text
from adapters.slack.api import SlackApi
from adapters.slack.errors import (
    SLACK_ERRORS,
    PaceExceeded,
    Refusal,
    code,
    is_rate_limited,
    is_transient,
    never_sent,
    refusal,
)
from adapters.slack.shown_answer import ANSWER, ShownMessage, find_answer
from bot.aio.backoff import Backoff
from bot.model import Place

log = logging.getLogger(__name__)

#: Attempts at a call with transient errors, and at one that is rate-limited.
TRIES = 4
BACKOFF = Backoff(first=1.0)
TRIES_LIMITED = 20
#: Seconds that the last edit waits for its turn; if that would take longer, the rest is posted instead.
PATIENCE = 5.0
#: Seconds that the deletion of a surplus message waits for its turn.
PATIENCE_DELETING = 120.0

_BLOCKS = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "block_mismatch")


class CannotEdit(Exception):
    """A message can't be edited, or not soon: its new text has to be posted separately."""


class TooLong(Exception):
    """A part of an answer is too long for one message."""


def _nothing() -> None:
    """Do nothing."""


@dataclass(slots=True)
class Messages:
    """What is shown of one answer. `after`, `confirm` and `unsure` are those of `SlackReply`.

    If Slack refuses a form (`plain`: no block; `bare`: no metadata) or a thread, the rest is sent without it.

    Attributes:
        surplus: Messages that are no longer part of the answer.
        posted: Set with each post in the thread, after which Slack removes its status line.
    """

    api: SlackApi
    place: Place
    event_id: str
    after: str
    confirm: Callable[[], Awaitable[None]]
    unsure: bool = False
    shown: list[ShownMessage] = field(default_factory=list)
    surplus: list[ShownMessage] = field(default_factory=list)
    posted: bool = False
    plain: bool = False
    bare: bool = False

    @property
    def length(self) -> int:
        """How much is shown."""
        return sum(len(part.text) for part in self.shown)

    @property
    def fixed(self) -> bool:
        """Whether any of it can't be edited."""
        return any(part.fixed for part in self.shown)

    async def adopt(self, posted: str = "") -> None:
        """Take over what is already shown. `posted` is a part that may have been posted without a response."""
        text = self._content(posted)["text"] if posted else ""
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
            if there is not None and there.text == part and (there.fixed or there.done == done or not last):
                index += 1
                continue
            try:
                if there is None:
                    await self._post(index, part, done=done)
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

    def _beside(self, index: int, wanted: list[str]) -> list[str]:
        """The parts from message `index` on, which can't be edited: itself and what it lacks, or all of it again."""
        there = self.shown[index]
        rest = None if there.gone else slack_text.rest(wanted[0], there.text)
        kept = index if rest is None else index + 1
        self.surplus += [part for part in self.shown[kept:] if not part.gone]
        del self.shown[kept:]
        return wanted if rest is None else [there.text, *slack_text.parts(rest), *wanted[1:]]

    def _content(self, part: str) -> dict[str, Any]:
        quiet = {"parse": "none", "link_names": False}
        if self.plain:
            text = slack_text.mrkdwn(part)
            if len(text) > slack_text.TEXT and len(part) >= 2 * slack_text.SHORTEST:
                raise TooLong
            return {"text": text[: slack_text.TEXT], "blocks": [], **quiet}
        blocks = [{"type": "markdown", "text": slack_text.markdown(part)}]
        return {"text": slack_text.escape(part), "blocks": blocks, **quiet}

    def _marked(self, index: int, part: str, done: bool) -> dict[str, Any]:
        if self.bare:
            return self._content(part)
        payload = {"event": self.event_id, "part": index, "done": done}
        return self._content(part) | {"metadata": {"event_type": ANSWER, "event_payload": payload}}

    @contextmanager
    def _another_form(self, part: str) -> Iterator[None]:
        """Suppress a refusal if another form may be accepted, which the surrounding loop then tries."""
        try:
            yield
        except SLACK_ERRORS as exc:
            kind, named = refusal(exc), code(exc)
            plain, bare = self.plain, self.bare
            if kind is Refusal.LENGTH and len(part) >= 2 * slack_text.SHORTEST:
                log.info("%s: too long for Slack at %d characters; sent in shorter parts", self.event_id, len(part))
                raise TooLong from exc
            if kind is Refusal.THREAD and self.place.thread is not None:
                log.info("%s: Slack takes no reply there (%s); sent to the channel", self.event_id, named)
                self.place = replace(self.place, thread=None)
                return
            if kind is Refusal.FORM:
                self.plain = plain or "metadata" not in named
                self.bare = bare or named not in _BLOCKS
            if (plain, bare) == (self.plain, self.bare):
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
                        **self._marked(index, part, done),
                    )
                    self.shown.append(ShownMessage(str(response["ts"]), part, done))
                    self.posted = self.place.thread is not None
                    return
            except SLACK_ERRORS as exc:
                if is_transient(exc) and not never_sent(exc):
                    self.unsure = True
                await self._again(exc, attempt, "chat.postMessage")

    async def _edit(self, index: int, part: str, *, done: bool, release: Callable[[], None] = _nothing) -> None:
        """Edit one message. Raises SLACK_ERRORS for transient errors, else CannotEdit."""
        there = self.shown[index]
        while True:
            release()
            await self.api.pace.turn("chat.update", longest_wait=PATIENCE)
            await self.confirm()
            try:
                with self._another_form(part):
                    content = self._marked(index, part, done)
                    await self.api.now.chat_update(channel=self.place.channel, ts=there.ts, **content)
                    there.text, there.done = part, done
                    self.api.edits_work = True
                    return
            except SLACK_ERRORS as exc:
                if is_transient(exc):
                    raise
                log.info("%s: a message can't be edited (%s); the rest is posted", self.event_id, code(exc))
                there.fixed = True
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
                await self._again(exc, attempt, "chat.update")
        raise CannotEdit

    async def _again(self, failure: BaseException, attempt: int, method: str) -> None:
        """Wait for the next attempt; raise the failure if there is none."""
        if not is_transient(failure) or attempt >= (TRIES_LIMITED if is_rate_limited(failure) else TRIES):
            raise failure
        log.warning("%s: %s failed (try %d): %s", self.event_id, method, attempt, code(failure))
        if not is_rate_limited(failure):
            await asyncio.sleep(BACKOFF.after(attempt))

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
            await self._again(exc, attempt, "chat.delete")
            return False
        return True
