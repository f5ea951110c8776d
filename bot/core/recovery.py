"""Resuming what was left unanswered: by a process that died, an outage, a platform that could not be reached."""

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

#: Seconds between two looks at the journal.
EVERY = 2.0
#: Looks between two looks at what waits to be learned.
LEARNING = 5


class Answers(Protocol):
    """The core, as recovery needs it."""

    async def resume(
        self, event: MessageEvent, conversation: str, attempts: int, make: Callable[[MessageEvent], ReplyHandle]
    ) -> None:
        """Answer an event that was left behind, by way of what `make` returns. Never raises."""
        ...


class Platform(Protocol):
    """An adapter, as recovery needs it."""

    ready: asyncio.Event

    def reply_handle(self, event: MessageEvent) -> ReplyHandle:
        """A reply handle for an event."""
        ...

    async def renewed(self, event: MessageEvent) -> MessageEvent:
        """The event with who reads its place now."""
        ...


class Recovery:
    """Looks into the journal again and again. `run` ends when it is cancelled; `finish` waits for what it began."""

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
        """Look, resume, wait; for ever."""
        looks = 0
        while True:
            try:
                await self._look()
                if self._learner is not None and looks % LEARNING == 0:
                    await self._learner.resume()
            except Exception as exc:  # noqa: BLE001 - a journal that is out of reach is looked at again
                log.warning("the journal could not be searched for unanswered events: %s", describe(exc))
            looks += 1
            await asyncio.sleep(self._every)

    async def _look(self) -> None:
        # Those of a platform that isn't connected here may be another process's.
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
        except Exception as exc:  # noqa: BLE001 - the boundary of one event: it is answered, for the fewest readers
            log.error("%s: its readers could not be looked up: %s", event.id, describe(exc))
            event = replace(event, given=event.place.narrowest)
        await self._answers.resume(event, conversation, attempts, platform.reply_handle)

    async def finish(self, grace: float) -> None:
        """Give what is being answered `grace` seconds; what isn't done stays in the journal."""
        await self._tasks.finish(grace)
