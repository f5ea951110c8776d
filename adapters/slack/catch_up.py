"""Catches up on messages sent while disconnected, in the places where the bot was spoken to before."""

import asyncio
import logging
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from adapters.slack.api import Message, SlackApi
from adapters.slack.compare import Comparison, KnownMessages
from adapters.slack.directory import Directory
from adapters.slack.errors import SLACK_ERRORS, code, is_transient, retry_after
from adapters.slack.events import ParsedMessage, parse_message
from adapters.slack.intake import Intake, Spawn
from adapters.slack.places import PLACES, CatchUpPass, KnownPlace, known_places
from bot.aio.backoff import Backoff
from bot.events import MessageEvent
from bot.ports import Core, JournalUnavailable

log = logging.getLogger(__name__)

#: Attempts per place, with pauses long enough to outlast a rate limit or an outage.
TRIES = 8
BACKOFF = Backoff(first=1.0, longest=60.0)
#: Seconds after which Slack has given up on a delivery that wasn't acknowledged: it retries thrice in six minutes.
GIVEN_UP = 420.0


class CatchUp:
    """Catches up after every gap.

    `note` is called before reconnecting, so that no new message counts as the last one seen, `begin` once connected.
    `hours` is how far back to look; 0: not at all. `given_up`: see GIVEN_UP.
    """

    def __init__(
        self,
        core: Core,
        api: SlackApi,
        directory: Directory,
        intake: Intake,
        spawn: Spawn,
        hours: float,
        given_up: float = GIVEN_UP,
        channels: frozenset[str] = frozenset(),
    ) -> None:
        """`channels` are those served; empty: all."""
        self._core = core
        self._api = api
        self._directory = directory
        self._intake = intake
        self._spawn = spawn
        self._hours = hours
        self._comparison = Comparison(core, api, intake)
        self._noted: list[KnownPlace] = []
        self._passes: deque[CatchUpPass] = deque()
        self._gap = asyncio.Event()
        self._given_up = given_up
        self._channels = channels
        self._later: asyncio.Task[None] | None = None
        intake.wait_for_backlog = self.wait_for_backlog

    async def note(self) -> None:
        """Note what was seen last. Never raises."""
        self._intake.attention.forget()
        if not self._hours or self._noted:  # what was noted for an earlier gap reaches further back
            return
        try:
            seen = await self._core.history.last_seen("slack")
            recent = await self._core.history.recently_seen("slack", self._hours)
        except Exception as exc:  # noqa: BLE001 - connecting matters more than catching up
            log.error("slack: the journal could not be read for catch-up: %s", type(exc).__name__)
            return
        self._noted = sorted(
            known_places(seen, KnownMessages.by_place(recent)), key=lambda place: place.thread is not None
        )
        for place in reversed(self._noted):  # the most recent stay cached longest
            if place.thread is not None:
                self._directory.join(place.channel, place.thread)

    def begin(self) -> None:
        """Have `run` catch up, now that the bot is connected."""
        if len(self._noted) > PLACES:
            log.warning("slack: catching up in %d of %d channels and threads", PLACES, len(self._noted))
        self._passes.append(CatchUpPass(self._noted))
        self._noted = []
        self._gap.set()

    async def wait_for_backlog(self, channel: str, thread: str | None) -> None:
        """Wait until what was missed in a place is admitted, for a second at most."""
        for catch_up_pass in list(self._passes):
            await catch_up_pass.wait_for_backlog(channel, thread)

    def refused(self) -> None:
        """A delivery couldn't be admitted. Slack sends it again; catch up once it has given up on that."""
        if self._later is None or self._later.done():
            self._later = asyncio.create_task(self._look_later())

    async def _look_later(self) -> None:
        await asyncio.sleep(self._given_up)
        await self.note()
        self.begin()

    async def run(self) -> None:
        """Catch up each time that `begin` is called, until cancelled."""
        try:
            while True:
                await self._gap.wait()
                self._gap.clear()
                while self._passes:
                    try:
                        await self._through(self._passes[0])
                    except Exception as exc:  # noqa: BLE001 - what wasn't read now will be after the next gap
                        log.error("slack: catch-up failed: %s", type(exc).__name__)
                    finally:
                        self._passes.popleft().close()
        finally:
            if self._later is not None:
                self._later.cancel()

    async def _through(self, places: CatchUpPass) -> None:
        oldest = f"{(datetime.now(UTC) - timedelta(hours=self._hours)).timestamp():.6f}"
        looked = missed = 0
        missing: list[tuple[KnownPlace, list[str]]] = []
        while place := await places.next():
            try:
                count, threads, gone = await self._look(place, max(place.seen, oldest), oldest, places)
            except (*SLACK_ERRORS, JournalUnavailable) as exc:
                if (isinstance(exc, JournalUnavailable) or is_transient(exc)) and place.tries < TRIES:
                    places.again(replace(place, tries=place.tries + 1))
                    log.info("slack: catch-up of a channel failed, retrying: %s", code(exc))
                    await asyncio.sleep(max(retry_after(exc), BACKOFF.after(place.tries + 1)))
                else:
                    places.looked(place)
                    log.warning("slack: catch-up of a channel failed, given up: %s", code(exc))
                continue
            places.looked(place)
            places.add(threads)
            looked, missed = looked + 1, missed + count
            if gone:
                missing.append((place, gone))
        for place, gone in missing:
            await self._comparison.deleted(place.team, place.channel, place.thread, gone, places.pace)
        if places.size:
            log.info("slack: caught up in %d channels and threads: %d missed messages", looked, missed)

    async def _look(
        self, place: KnownPlace, after: str, oldest: str, places: CatchUpPass
    ) -> tuple[int, list[KnownPlace], list[str]]:
        """Catch up in one place. Returns how much was missed, threads to read, and messages that may be deleted.

        Raises SLACK_ERRORS or JournalUnavailable if the place has to be tried again.
        """
        since = min(place.since or after, after)
        history = await self._comparison.history(place.channel, place.thread, since, place.known)
        messages = history.messages
        if place.thread and not history.whole:  # a thread is read from its beginning
            messages = await self._api.after(place.channel, place.thread, after)
        await self._comparison.edited(place.known, [self._read(place, message) for message in history.messages])
        gone = self._comparison.missing(place.known, history)
        known = place.known.messages
        new = [message for message in messages if message["ts"] > max(since, oldest) and message["ts"] not in known]
        if gone and any(message["ts"] > after for message in new):  # no answer may use what was deleted before it
            await self._comparison.deleted(place.team, place.channel, place.thread, gone, places.pace)
            gone = []
        count, threads = await self._admit(place, new, after)
        return count, threads, gone

    async def _admit(self, place: KnownPlace, messages: list[Message], after: str) -> tuple[int, list[KnownPlace]]:
        """Admit missed messages, and have them answered; return how many, and the threads below the messages."""
        events: list[MessageEvent] = []
        threads: list[KnownPlace] = []
        if self._channels and place.channel not in self._channels and not place.channel.startswith("D"):
            return 0, []  # nothing there is answered
        if place.thread and place.ours:
            self._directory.join(place.channel, place.thread)
        ours = place.ours
        try:
            for message in messages:
                found = self._latest(place, message)
                if place.thread is None and str(message.get("latest_reply") or "") > after:
                    ts = str(message["ts"])
                    ours_below = found is not None and (found.direct or found.mentioned)
                    threads.append(KnownPlace(place.team, place.channel, ts, max(ts, after), ours=ours_below))
                if found is None or not self._may_be_missed(found, after, ours=ours):
                    continue
                event = await self._intake.read(found)
                # A command's answer shows at once or never, so it isn't caught up on.
                if isinstance(event, MessageEvent):
                    ours = True
                    if await self._core.messages.admit(event):
                        events.append(event)
        finally:
            if events:  # answer what was admitted, even if the others failed
                self._spawn(self._answer(events))
        return len(events), threads

    @staticmethod
    def _may_be_missed(found: ParsedMessage, after: str, *, ours: bool) -> bool:
        """Whether a message that isn't among the last day's in the journal may have been missed."""
        if found.ts > after:
            return ours or found.direct or found.mentioned
        # Older than the newest seen: a process died during catch-up. But an edit may have addressed it to the bot only
        # later, and in a thread the bot may not have taken part yet.
        return (found.direct or found.mentioned) and not found.edited

    def _latest(self, place: KnownPlace, message: Message) -> ParsedMessage | None:
        """A person's message as it is now, even if it has changed since it was read; None if it was deleted."""
        found = self._read(place, message)
        return None if found is None else self._intake.latest(found)

    def _read(self, place: KnownPlace, message: Message) -> ParsedMessage | None:
        try:
            around = {"type": "message", "channel": place.channel}
            return parse_message({"team_id": place.team, "event": {**message, **around}}, self._api.home)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            log.warning("slack: unexpected message in a history, ignored: %s", type(exc).__name__)
            return None

    async def _answer(self, events: list[MessageEvent]) -> None:
        for event in events:
            await self._core.messages.on_message(event, self._intake.reply_handle(event), admitted=True)
