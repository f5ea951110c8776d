"""Handles failed answers: retries them, ends those refused for good, and leaves alone those of another process."""

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from cachetools import FIFOCache

from bot.aio.backoff import Backoff
from bot.core.in_progress import AnswerInProgress
from bot.events import MessageEvent
from bot.logs import describe
from bot.ports import ClaimLost, Inbox, JournalUnavailable, PlatformRefused, ReplyHandle

T = TypeVar("T")

log = logging.getLogger(__name__)

#: The age up to which a message is retried.
ANSWER_WITHIN = timedelta(hours=1)
BACKOFF = Backoff(first=4.0, longest=50.0)
#: Unexpected failures of one answer before the person is told.
FAILURES = 3
#: What a retry may fix: adapters raise OSError (ConnectionError) if they can't reach their platform.
TRANSIENT_ERRORS = (OSError, JournalUnavailable)
#: Seconds to keep the reply handle of an answer that will be retried. It holds the text shown so far, which an erasure
#: doesn't reach. After that, the answer is looked up on its platform.
HANDLE_KEPT = 60.0
#: Limit on kept handles, and on failure counts.
KEPT = 1000
#: Seconds to retry while the journal is unreachable, and between two attempts.
PATIENCE = 30.0
PAUSE = 1.0

SORRY = "Something went wrong on my side. Please try again."


async def retry_until_journal_is_back(work: Callable[[], Awaitable[T]], *, patience: float = PATIENCE) -> T:
    """Do the work, retrying for `patience` seconds while the journal fails; then raise its error.

    For events from platforms: Discord sends nothing twice.
    """
    now = asyncio.get_running_loop().time
    end = now() + patience
    while True:
        try:
            return await work()
        except JournalUnavailable:
            if now() >= end:
                raise
        await asyncio.sleep(PAUSE)


class Retries:
    """Runs attempts at answers, and handles their failures."""

    def __init__(
        self,
        inbox: Inbox,
        *,
        enabled: bool = True,
        handle_kept: float = HANDLE_KEPT,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Without `enabled` nothing is retried."""
        self._inbox = inbox
        self._enabled = enabled
        self._handle_kept = handle_kept
        self._clock = clock
        self._jitter = jitter
        self._handles: OrderedDict[str, tuple[ReplyHandle, asyncio.TimerHandle, MessageEvent]] = OrderedDict()
        self._failures: FIFOCache[str, int] = FIFOCache(KEPT)

    def allowed(self, event: MessageEvent) -> bool:
        """Whether an answer that fails because of an outage is retried."""
        return self._enabled and self._clock() - event.at < ANSWER_WITHIN

    async def attempt(
        self, progress: AnswerInProgress, attempts: int, reply: ReplyHandle, answer: Callable[[], Awaitable[bool]]
    ) -> None:
        """Make one attempt, after `attempts` earlier ones; `answer` returns False if the answer will follow later.

        Never raises: failures are logged without the message's text, and retried or told to the person.
        """
        event = progress.event
        try:
            if await answer():
                self._failures.pop(event.id, None)
            else:
                await self._retry_later(progress.event, attempts, reply)
        except ClaimLost:
            log.warning("%s: claim lost: another process answers it", event.id)
            self._failures.pop(event.id, None)
            await self._inbox.abandon_claim(event.id)
        except PlatformRefused as exc:
            await self._end(progress.event, reply, exc)
        except Exception as exc:  # noqa: BLE001 - the message boundary: one message's failure affects no other
            log.error("%s: attempt %d failed: %s", event.id, attempts + 1, describe(exc))
            await self._failed(progress.event, attempts, reply, exc)

    def take_handle(self, event: MessageEvent) -> ReplyHandle | None:
        """Take out the reply handle that was kept for an event, if any.

        None if the message was edited since, or its audience has changed: the handle may hold an outdated answer.
        """
        kept = self._drop_handle(event.id)
        if kept is None:
            return None
        reply, before = kept
        return reply if _answered(event) == _answered(before) else None

    async def withdraw(self, event_id: str) -> None:
        """A message was deleted: remove what was shown of its answer, which would have followed later."""
        if (kept := self._drop_handle(event_id)) is not None:
            await withdraw(event_id, kept[0])

    def _drop_handle(self, event_id: str) -> tuple[ReplyHandle, MessageEvent] | None:
        if event_id not in self._handles:
            return None
        reply, timer, event = self._handles.pop(event_id)
        timer.cancel()
        return reply, event

    async def _retry_later(self, event: MessageEvent, attempts: int, reply: ReplyHandle) -> None:
        """Give the event back, to be resumed after a pause; without one if the journal can't record that."""
        self._drop_handle(event.id)
        timer = asyncio.get_running_loop().call_later(self._handle_kept, self._handles.pop, event.id, None)
        self._handles[event.id] = (reply, timer, event)
        if len(self._handles) > KEPT:
            self._drop_handle(next(iter(self._handles)))
        try:
            await self._inbox.postpone(event.id, BACKOFF.jittered(attempts + 1, self._jitter))
        except JournalUnavailable as exc:
            log.error("%s: the retry could not be scheduled: %s", event.id, describe(exc))

    async def _failed(self, event: MessageEvent, attempts: int, reply: ReplyHandle, failure: Exception) -> None:
        """Retry if the event may still be answered; else say so and end it."""
        # An unreachable platform or disk is an outage like any other; unexpected errors get only a few retries.
        if isinstance(failure, TRANSIENT_ERRORS) and self.allowed(event):
            await self._retry_later(event, attempts, reply)
            return
        failures = self._failures[event.id] = self._failures.pop(event.id, 0) + 1
        if self._enabled and failures <= FAILURES:
            await self._retry_later(event, attempts, reply)
            return
        del self._failures[event.id]
        if await self._dismissed(event):
            await whisper(event, reply, SORRY)

    async def _end(self, event: MessageEvent, reply: ReplyHandle, refusal: PlatformRefused) -> None:
        """End an event whose answer the platform refuses for good, and tell the person if possible."""
        log.warning("%s: the platform refuses the answer for good: %s", event.id, refusal.code)
        self._failures.pop(event.id, None)
        if await self._dismissed(event):
            await whisper(event, reply, refusal.sentence)

    async def _dismissed(self, event: MessageEvent) -> bool:
        """End an event without an answer; False if it was forgotten meanwhile or another process has it."""
        try:
            return await self._inbox.dismiss(event.id, together=True)
        except JournalUnavailable as exc:
            log.error("%s: could not be dismissed: %s", event.id, describe(exc))
            return True


def _answered(event: MessageEvent) -> tuple[object, ...]:
    """What a kept answer depends on."""
    return ([each.said for each in event.thought], event.recallable, event.opened)


async def whisper(event: MessageEvent, reply: ReplyHandle, sentence: str) -> None:
    """Say a sentence to the person alone. Never raises: failures are logged."""
    try:
        await reply.whisper(sentence)
    except PlatformRefused as exc:
        log.warning("%s: the person could not be told: %s", event.id, exc.code)
    except Exception as exc:  # noqa: BLE001 - the platform itself may be what failed
        log.error("%s: the person could not be told: %s", event.id, describe(exc))


async def withdraw(event_id: str, reply: ReplyHandle) -> None:
    """Remove what is shown of an answer. Never raises: failures are logged."""
    try:
        await reply.withdraw()
    except PlatformRefused as exc:
        log.warning("%s: what is shown of its answer stays: %s", event_id, exc.code)
    except Exception as exc:  # noqa: BLE001 - the platform itself may be what failed
        log.error("%s: what is shown of its answer stays: %s", event_id, describe(exc))
