"""Catching up: what was written to the bot while no connection stood, found in the places it was spoken to before."""

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

#: Tries at a place, and the longest pause before the next, in seconds: a rate limit or an outage loses nothing.
TRIES = 8
BACKOFF = Backoff(first=1.0, longest=60.0)
#: Seconds after which Slack has given up on a delivery that was not acknowledged: it tries thrice in six minutes.
GIVEN_UP = 420.0


class CatchUp:
    """Looks after every gap.

    `note` comes before the connection is made anew, so that no new message is taken for the last that was seen, and
    `begin` once it stands. `hours` is how far back it looks; 0 is not at all. `given_up` is as GIVEN_UP.
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
        """`channels` are those that are served, none: all of them."""
        self._core = core
        self._api = api
        self._directory = directory
        self._intake = intake
        self._spawn = spawn
        self._hours = hours
        self._comparison = Comparison(core, api, intake)
        self._noted: list[KnownPlace] = []
        self._rounds: deque[CatchUpPass] = deque()
        self._gap = asyncio.Event()
        self._given_up = given_up
        self._channels = channels
        self._later: asyncio.Task[None] | None = None
        intake.before = self.wait_for_backlog

    async def note(self) -> None:
        """Note what was seen last. Never raises."""
        if not self._hours or self._noted:  # an earlier gap's, not looked through yet, lie further back
            return
        try:
            seen = await self._core.history.last_seen("slack")
            recent = await self._core.history.recently_seen("slack", self._hours)
        except Exception as exc:  # noqa: BLE001 - the connection matters more than what was missed
            log.error("slack: the journal could not be read for catch-up: %s", type(exc).__name__)
            return
        self._noted = sorted(
            known_places(seen, KnownMessages.by_place(recent)), key=lambda place: place.thread is not None
        )
        for place in reversed(self._noted):  # those spoken in last are kept longest
            if place.thread is not None:
                self._directory.join(place.channel, place.thread)

    def begin(self) -> None:
        """Let `run` look, now that the connection stands."""
        if len(self._noted) > PLACES:
            log.warning("slack: catching up in %d of %d channels and threads", PLACES, len(self._noted))
        self._rounds.append(CatchUpPass(self._noted))
        self._noted = []
        self._gap.set()

    async def wait_for_backlog(self, channel: str, thread: str | None) -> None:
        """Wait until what was missed in a place is written down, as far as that takes no longer than a second."""
        for one in list(self._rounds):
            await one.wait_for_backlog(channel, thread)

    def refused(self) -> None:
        """A delivery was not taken in. Slack sends it again; once it has given up, what is missed is looked for."""
        if self._later is None or self._later.done():
            self._later = asyncio.create_task(self._look_later())

    async def _look_later(self) -> None:
        await asyncio.sleep(self._given_up)
        await self.note()
        self.begin()

    async def run(self) -> None:
        """Look through the places each time that `begin` is called, until cancelled."""
        try:
            while True:
                await self._gap.wait()
                self._gap.clear()
                while self._rounds:
                    try:
                        await self._through(self._rounds[0])
                    except Exception as exc:  # noqa: BLE001 - what wasn't looked at now is after the next gap
                        log.error("slack: catch-up failed: %s", type(exc).__name__)
                    finally:
                        self._rounds.popleft().close()
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
        """Look through one place: how much was missed, threads to look through, and what is to be asked for alone.

        Raises one of SLACK_ERRORS or JournalUnavailable where it is to be looked through again.
        """
        since = min(place.since or after, after)
        history = await self._comparison.history(place.channel, place.thread, since, place.known)
        messages = history.messages
        if place.thread and not history.whole:  # of a thread, what was read is its beginning
            messages = await self._api.after(place.channel, place.thread, after)
        await self._comparison.edited(place.known, [self._read(place, one) for one in history.messages])
        gone = self._comparison.missing(place.known, history)
        new = [one for one in messages if one["ts"] > max(since, oldest) and one["ts"] not in place.known.messages]
        if gone and any(one["ts"] > after for one in new):  # no answer draws on what was deleted before it
            await self._comparison.deleted(place.team, place.channel, place.thread, gone, places.pace)
            gone = []
        count, threads = await self._admit(place, new, after)
        return count, threads, gone

    async def _admit(self, place: KnownPlace, messages: list[Message], after: str) -> tuple[int, list[KnownPlace]]:
        """Have the messages that nobody has answered written down, and answered; and name the threads below them."""
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
            if events:  # what is written down is answered, whatever became of the others
                self._spawn(self._answer(events))
        return len(events), threads

    @staticmethod
    def _may_be_missed(found: ParsedMessage, after: str, *, ours: bool) -> bool:
        """Whether a message that the journal doesn't know as one of the last day's can be one that was missed."""
        if found.ts > after:
            return ours or found.direct or found.mentioned
        # Older than the newest that was seen: a process ended amid its catching up. What was edited since may have
        # become one for the bot by that, and in a thread the bot may not have taken part yet.
        return (found.direct or found.mentioned) and not found.edited

    def _latest(self, place: KnownPlace, message: Message) -> ParsedMessage | None:
        """A person's message as it stands now, whatever it said in the history; None where it is deleted."""
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
