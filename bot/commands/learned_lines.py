"""Below the answer that taught something: one quiet line, and a button that opens what was learned."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from bot.actions import Learned
from bot.aio.tasks import TaskSet
from bot.events import MessageEvent
from bot.logs import describe
from bot.model import Exchange, Person, ShownAnswer
from bot.ports import PlatformRefused, Preferences, ReplyHandle, ShownAnswers
from bot.views import Button, Foot

log = logging.getLogger(__name__)

LINE = "Memory updated"
LABEL = "What I learned"
#: Buttons below one answer.
BUTTONS = 5
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


def foot(*event_ids: str) -> Foot:
    """What stands below the answer to an event that taught something, or to several that it answers together."""
    labels = [LABEL, *(f"{LABEL} ({number})" for number in range(2, len(event_ids) + 1))]
    buttons = (Button(label, str(Learned(each))) for label, each in zip(labels, event_ids, strict=True))
    return Foot(LINE, tuple(buttons))


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
        """These exchanges of one person, learned together, have taught something new."""
        served = [each for each in exchanges if each.person_key and _platform(each) in self._platforms]
        if served:
            self._tasks.spawn(self._add(served))

    async def _add(self, exchanges: Sequence[Exchange]) -> None:
        async with self._slots:
            try:
                if not await self._preferences.noticed(exchanges[0].user_id):
                    return
                answers: dict[ShownAnswer, list[Exchange]] = {}
                for exchange in exchanges:
                    answer = await self._answers.shown(exchange.event_id)
                    if answer is not None:
                        answers.setdefault(answer, []).append(exchange)
            except Exception as exc:  # noqa: BLE001 - the boundary of one lesson's lines, which may be missing
                log.warning("%s: no line below its answer: %s", exchanges[0].event_id, describe(exc))
                return
            for answer, taught in answers.items():
                await self._add_below(answer, taught)

    async def _add_below(self, answer: ShownAnswer, exchanges: Sequence[Exchange]) -> None:
        exchange = exchanges[0]
        try:
            platform = self._platforms.get(_platform(exchange))
            if platform is not None:
                await self._add_now(platform, answer, exchanges)
        except (OSError, PlatformRefused, TimeoutError) as exc:
            log.debug("%s: no line below its answer: %s", exchange.event_id, describe(exc))
        except Exception as exc:  # noqa: BLE001 - the boundary of one line, which may be missing
            log.warning("%s: no line below its answer: %s", exchange.event_id, describe(exc))

    async def _add_now(self, platform: Platform, answer: ShownAnswer, exchanges: Sequence[Exchange]) -> None:
        exchange = exchanges[0]
        async with asyncio.timeout(READY):
            await platform.ready.wait()
        person = Person.parse(exchange.person_key)
        event = MessageEvent(
            exchange.event_id, person, answer.place, "", exchange.name, exchange.at, link=exchange.link
        )
        shown = foot(*(each.event_id for each in exchanges[:BUTTONS]))
        await platform.reply_handle(event).below(answer.message_ids, shown)

    async def finish(self, grace: float = 0.0) -> None:
        """Add no more, and give those in progress `grace` seconds."""
        self._platforms = {}
        await self._tasks.finish(grace)


def _platform(exchange: Exchange) -> str:
    return exchange.event_id.partition(":")[0]
