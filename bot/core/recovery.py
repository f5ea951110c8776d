"""Resumes unanswered events: after a process died, an outage, or with a platform unreachable."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from bot.aio.tasks import TaskSet
from bot.core.learning import Learner
from bot.events import MessageEvent
from bot.logs import describe
from bot.ports import Inbox, ReplyHandle

log = logging.getLogger(__name__)

#: Seconds between two polls of the journal.
EVERY = 2.0
#: Every how many polls the learner resumes what waits to be learned.
LEARNING = 5


class Answers(Protocol):
    """The core, as recovery needs it."""

    async def resume(
        self, event: MessageEvent, conversation: str, attempts: int, make: Callable[[MessageEvent], ReplyHandle]
    ) -> None:
        """Answer an event that was left behind, through the handle that `make` returns. Never raises."""
        ...


class Platform(Protocol):
    """An adapter, as recovery needs it."""

    ready: asyncio.Event

    def reply_handle(self, event: MessageEvent) -> ReplyHandle:
        """The reply handle of an event."""
        ...

    async def renewed(self, event: MessageEvent) -> MessageEvent:
        """The event, with who can read its place now."""
        ...


class Recovery:
    """Polls the journal. `run` ends when it is cancelled; `finish` waits for the answers in flight."""

    def __init__(
        self,
        inbox: Inbox,
        answers: Answers,
        platforms: Mapping[str, Platform],
        learner: Learner | None,
        *,
        every: float = EVERY,
    ) -> None:
        self._inbox = inbox
        self._answers = answers
        self._platforms = platforms
        self._learner = learner
        self._every = every
        self._tasks: TaskSet[None] = TaskSet()

    async def run(self) -> None:
        """Poll, resume, wait, until cancelled."""
        polls = 0
        while True:
            try:
                await self._poll()
                if self._learner is not None and polls % LEARNING == 0:
                    await self._learner.resume()
            except Exception as exc:  # noqa: BLE001 - an unreachable journal is polled again
                log.warning("the journal could not be searched for unanswered events: %s", describe(exc))
            polls += 1
            await asyncio.sleep(self._every)

    async def _poll(self) -> None:
        # Only platforms that are connected here: another process may answer the others' events.
        ready = {name: platform for name, platform in self._platforms.items() if platform.ready.is_set()}
        if not ready:
            return
        for event, conversation, attempts in await self._inbox.unanswered(ready):
            platform = ready[event.person.platform]
            log.info("%s: resuming", event.id)
            self._tasks.spawn(self._resume(platform, event, conversation, attempts))

    async def _resume(self, platform: Platform, event: MessageEvent, conversation: str, attempts: int) -> None:
        try:
            event = await platform.renewed(event)
        except Exception as exc:  # noqa: BLE001 - the boundary of one event: answer it as for the narrowest audience
            log.error("%s: its readers could not be looked up: %s", event.id, describe(exc))
            event = replace(event, given=event.place.narrowest)
        await self._answers.resume(event, conversation, attempts, platform.reply_handle)

    async def finish(self, grace: float) -> None:
        """Give answers in flight `grace` seconds; what isn't done by then stays in the journal."""
        await self._tasks.finish(grace)
