"""Below the answer that taught something: one quiet line, and a button that opens what was learned."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from bot.actions import Learned
from bot.aio.tasks import TaskSet
from bot.events import MessageEvent
from bot.logs import describe
from bot.model import Exchange, Person
from bot.ports import PlatformRefused, Preferences, ReplyHandle, ShownAnswers
from bot.views import Button, Foot

log = logging.getLogger(__name__)

LINE = "Memory updated"
LABEL = "What I learned"
#: Lines added at a time: nobody waits for them.
CONCURRENT = 4
#: Seconds that a platform which is just starting is waited for.
READY = 60.0


class Platform(Protocol):
    """An adapter, as these lines need it."""

    ready: asyncio.Event

    def reply_handle(self, event: MessageEvent) -> ReplyHandle:
        """The reply handle of an event."""
        ...


def foot(event_id: str) -> Foot:
    """What stands below the answer to an event that taught something."""
    return Foot(LINE, (Button(LABEL, str(Learned(event_id))),))


class LearnedLines:
    """Adds the lines, in the background: what can't be added is missing, and nothing is ever added twice."""

    def __init__(self, answers: ShownAnswers, preferences: Preferences) -> None:
        self._answers = answers
        self._preferences = preferences
        self._platforms: Mapping[str, Platform] = {}
        self._tasks: TaskSet[None] = TaskSet()
        self._slots = asyncio.Semaphore(CONCURRENT)

    def serve(self, platforms: Mapping[str, Platform]) -> None:
        """Add lines on these platforms from now on."""
        self._platforms = platforms

    def taught(self, exchanges: Sequence[Exchange]) -> None:
        """These exchanges have taught something new."""
        for exchange in exchanges:
            platform = self._platforms.get(exchange.event_id.partition(":")[0])
            if platform is not None and exchange.person_key:
                self._tasks.spawn(self._add(platform, exchange))

    async def _add(self, platform: Platform, exchange: Exchange) -> None:
        async with self._slots:
            try:
                await self._add_now(platform, exchange)
            except (OSError, PlatformRefused, TimeoutError) as exc:
                log.debug("%s: no line below its answer: %s", exchange.event_id, describe(exc))
            except Exception as exc:  # noqa: BLE001 - the boundary of one line, which may be missing
                log.warning("%s: no line below its answer: %s", exchange.event_id, describe(exc))

    async def _add_now(self, platform: Platform, exchange: Exchange) -> None:
        if not await self._preferences.noticed(exchange.user_id):
            return
        answer = await self._answers.shown(exchange.event_id)
        if answer is None:
            return
        async with asyncio.timeout(READY):
            await platform.ready.wait()
        person = Person.parse(exchange.person_key)
        event = MessageEvent(
            exchange.event_id, person, answer.place, "", exchange.name, exchange.at, link=exchange.link
        )
        await platform.reply_handle(event).below(answer.message_ids, foot(exchange.event_id))

    async def finish(self, grace: float = 0.0) -> None:
        """Add no more, and give those in progress `grace` seconds."""
        self._platforms = {}
        await self._tasks.finish(grace)
