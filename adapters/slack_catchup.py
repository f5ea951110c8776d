"""Catching up: what was written to the bot while no connection stood, found in the places it was spoken to before."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from adapters.slack_directory import Directory
from adapters.slack_errors import FAILURES, code
from adapters.slack_events import Draft, draft
from adapters.slack_intake import Intake, Spawn
from adapters.slack_wire import Message, Wire
from bot.events import MessageEvent
from bot.ports import Core

log = logging.getLogger(__name__)

#: Channels and threads that are looked through each time, those spoken in last before the others.
PLACES = 300
#: Slack takes some fifty such calls a minute: the first go at once, the others at this many seconds from each other.
BURST = 20
PACE = 1.3


@dataclass(frozen=True, slots=True)
class Spoken:
    """A channel's top level or a thread, and the time stamp of the newest message that the bot has seen there."""

    team: str
    channel: str
    thread: str | None
    seen: str


class CatchUp:
    """Looks after every gap.

    `note` comes before the connection is made anew, so that no new message is taken for the last that was seen, and
    `begin` once it stands. `hours` is how far back it looks; 0 is not at all.
    """

    def __init__(
        self, core: Core, wire: Wire, directory: Directory, intake: Intake, spawn: Spawn, hours: float
    ) -> None:
        self._core = core
        self._wire = wire
        self._directory = directory
        self._intake = intake
        self._spawn = spawn
        self._hours = hours
        self._noted: list[Spoken] = []
        self._gap = asyncio.Event()

    async def note(self) -> None:
        """Note what was seen last. Never raises."""
        if not self._hours or self._noted:  # an earlier gap's, not looked through yet, lie further back
            return
        try:
            self._noted = list(_spoken(await self._core.last_seen("slack")))
        except Exception as exc:  # noqa: BLE001 - the connection matters more than what was missed
            log.error("slack: can't tell what was seen last: %s", type(exc).__name__)

    def begin(self) -> None:
        """Let `run` look, now that the connection stands."""
        self._gap.set()

    async def run(self) -> None:
        """Look through the places each time that `begin` is called, until cancelled."""
        while True:
            await self._gap.wait()
            self._gap.clear()
            places, self._noted = self._noted, []
            try:
                await self._through(places)
            except Exception as exc:  # noqa: BLE001 - what wasn't looked at now is after the next gap
                log.error("slack: catching up was broken off: %s", type(exc).__name__)

    async def _through(self, places: list[Spoken]) -> None:
        oldest = f"{(datetime.now(UTC) - timedelta(hours=self._hours)).timestamp():.6f}"
        if len(places) > PLACES:
            log.warning("slack: catching up in the last %d of %d places", PLACES, len(places))
        waiting, looked, missed = places[:PLACES], 0, 0
        while waiting:
            place = waiting.pop(0)
            looked += 1
            if looked > BURST:
                await asyncio.sleep(PACE)
            try:
                messages = await self._wire.after(place.channel, place.thread, max(place.seen, oldest))
            except FAILURES as exc:
                log.warning("slack: no catching up in a place: %s", code(exc))
                continue
            events, threads = await self._admit(place, messages)
            missed += len(events)
            waiting += threads
            if events:
                self._spawn(self._answer(events))
        if places:
            log.info("slack: caught up in %d places: %d messages", looked, missed)

    async def _admit(self, place: Spoken, messages: list[Message]) -> tuple[list[MessageEvent], list[Spoken]]:
        """The messages that nobody has answered, written down; and the threads that were begun by one of them."""
        events: list[MessageEvent] = []
        threads: list[Spoken] = []
        if place.thread:
            self._directory.join(place.channel, place.thread)
        for message in messages:
            found = self._read(place, message)
            event = None if found is None else await self._intake.read(found)
            # A command's answer shows at once or never, so it isn't caught up on.
            if found is None or not isinstance(event, MessageEvent):
                continue
            if await self._core.admit(event):
                events.append(event)
            if place.thread is None and message.get("reply_count"):
                threads.append(Spoken(place.team, place.channel, found.ts, found.ts))
        return events, threads

    def _read(self, place: Spoken, message: Message) -> Draft | None:
        try:
            around = {"type": "message", "channel": place.channel}
            return draft({"team_id": place.team, "event": {**message, **around}}, self._wire.bot_user)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            log.warning("slack: a message in a history was not as documented: %s", type(exc).__name__)
            return None

    async def _answer(self, events: list[MessageEvent]) -> None:
        for event in events:
            await self._core.on_message(event, self._intake.respond(event), admitted=True)


def _spoken(seen: list[tuple[str, str, datetime]]) -> Iterator[Spoken]:
    """The places by their keys, newest first: each thread, and the top level of its channel once."""
    own = {tuple(key.split(":")[1:3]): newest for key, newest, _ in seen if key.endswith(":")}
    tops: set[tuple[str, str]] = set()
    for key, newest, _ in sorted(seen, key=lambda place: place[2], reverse=True):
        _, team, channel, thread = key.split(":", 3)
        if (team, channel) not in tops:
            tops.add((team, channel))
            yield Spoken(team, channel, None, _ts(own.get((team, channel), newest)))
        if thread:
            yield Spoken(team, channel, thread, _ts(newest))


def _ts(event_id: str) -> str:
    return event_id.rpartition(":")[2]
