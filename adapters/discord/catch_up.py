"""Catches up on messages sent while disconnected, from the channels' histories, at the start of every new session."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress

import discord

from adapters.discord.compare import Comparison, KnownMessages
from adapters.discord.followups import Followups
from adapters.discord.history import Channels
from adapters.discord.members import Members, MembershipUnknown
from adapters.discord.missed_place import Place
from adapters.discord.text import PLATFORM, message_key, message_number
from bot.aio.backoff import Backoff
from bot.aio.tasks import TaskSet
from bot.events import MessageEvent
from bot.model import PlaceKey
from bot.ports import Core, JournalUnavailable

log = logging.getLogger(__name__)

#: Histories read, and missed messages answered, concurrently.
READERS = 4
ANSWERS = 8
#: Attempts to admit a message, and to read the places from the journal (over two minutes).
_TRIES = 5
_JOURNAL_TRIES = 30
_JOURNAL_PAUSE = 5.0
#: Seconds at most between attempts at what could not be read or admitted.
_LONGEST_PAUSE = 60.0
#: Seconds that the first answers wait for deletions meanwhile to be found, so that no answer uses what was deleted.
_COMPARING_SECONDS = 5.0


class CatchUp:
    """Has missed messages admitted, oldest first, and then answered (by `answer`).

    The order holds across all places whose history is read within some seconds, beginning with the most recently
    active. In each place, missed messages are admitted before new ones. That makes it crash-proof: the journal knows
    every message before the newest it knows of a place, unless the place's history couldn't be read in time.
    """

    def __init__(
        self,
        core: Core,
        hours: float,
        channels: Channels,
        comparison: Comparison,
        members: Members,
        followups: Followups,
        answer: Callable[[MessageEvent], Awaitable[None]],
    ) -> None:
        """Look back for `hours` at most; 0: not at all."""
        self._core = core
        self._hours = hours
        self._channels = channels
        self._comparison = comparison
        self._members = members
        self._followups = followups
        self._answer = answer
        self._pace = channels.pace
        self._places: dict[int, Place] = {}
        self._guilds: dict[int, asyncio.Event] = {}
        self._runs: dict[int, asyncio.Task[None]] = {}
        self._waiting: TaskSet[None] = TaskSet()
        self._comparing: TaskSet[None] = TaskSet()
        self._slots = asyncio.Semaphore(ANSWERS)
        self._asking = 0
        self._asked = asyncio.Event()
        self._asked.set()

    async def begin(self, client: discord.AutoShardedClient, shard: int) -> set[int]:
        """Start catching up for a shard's new session; return the guilds that it no longer has.

        Until the journal has listed the places, `wait_for_backlog` waits: a message admitted meanwhile would hide those
        before it.
        """
        there = {guild.id for guild in client.guilds if guild.shard_id == shard}
        if earlier := self._guilds.get(shard):
            earlier.set()
        guilds = self._guilds[shard] = asyncio.Event()
        self.note_guilds(client, shard)
        self._asking += 1
        self._asked.clear()
        try:
            shards = client.shard_count or 1
            known, recent = await self._known(guilds)
            known = [place for place in known if (place.guild >> 22) % shards == shard]
            there_still = [place for place in known if not place.guild or place.guild in there] if self._hours else []
            # Follow changes everywhere; read missed messages only where messages are served.
            places = [place for place in there_still if self._members.serves(place.guild)]
            self._places |= {place.channel: place for place in places}
            here = {place.channel for place in there_still}
            self._comparison.expect(known for known in recent if known.channel in here)
        finally:
            self._asking -= 1
            if not self._asking:
                self._asked.set()
        if run := self._runs.pop(shard, None):
            run.cancel()
        if there_still:
            self._runs[shard] = asyncio.create_task(self._run(shard, places))
        return {place.guild for place in known if place.guild} - there

    async def _known(self, guilds: asyncio.Event) -> tuple[list[Place], list[KnownMessages]]:
        for attempt in range(1, _JOURNAL_TRIES + 1):
            try:
                seen = await self._core.history.last_seen(PLATFORM)
                recent = await self._core.history.recently_seen(PLATFORM, self._hours) if self._hours else []
            except JournalUnavailable as exc:
                log.warning("discord: the journal could not be read for catch-up: %s", type(exc).__name__)
                if attempt < _JOURNAL_TRIES:
                    await asyncio.sleep(Backoff(2 * self._pace.retry, _JOURNAL_PAUSE).after(attempt))
                continue
            places = [Place(*_where(key), message_number(message_id), guilds) for key, message_id, _ in seen]
            known: dict[int, KnownMessages] = {}
            for key, message_id, at in recent:
                channel, guild = _where(key)
                in_channel = known.setdefault(channel, KnownMessages(channel, guild, set(), at))
                in_channel.ids.add(message_number(message_id))
                in_channel.heard = max(in_channel.heard, at)
            return places, list(known.values())
        return [], []

    def note_guilds(self, client: discord.AutoShardedClient, shard: int, *, ready: bool = False) -> None:
        """Let reading start once all of a session's guilds are available or, with `ready`, no more will come."""
        missing = any(guild.unavailable for guild in client.guilds if guild.shard_id == shard)
        if (ready or not missing) and shard in self._guilds:
            self._guilds[shard].set()

    async def wait_for_backlog(self, channel: int, event_id: str = "") -> None:
        """Wait until what was missed in a channel has been admitted.

        `event_id` is the message that waits: its answer doesn't wait for the others'.
        """
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            with suppress(TimeoutError):  # the journal is down: admitting the message will fail and tell the person
                await asyncio.wait_for(self._asked.wait(), self._pace.turn)
            if (place := self._places.get(channel)) and not place.late:
                place.live.add(event_id)
                try:
                    async with asyncio.timeout(self._pace.turn), place.lock:
                        await self._read(place)
                except TimeoutError:
                    log.info("discord: channel %d: catch-up is slow, answering new messages first", channel)
                    place.late = True
                    return
                async with place.lock:
                    for _ in range(len(place.missed or ())):
                        await self._admit(place)
        finally:
            self._waiting.discard(task)

    def deleted(self, channel: int, message_ids: Collection[int]) -> None:
        """Messages were deleted: don't answer those that were missed."""
        self._comparison.note_deleted(message_ids)
        if place := self._places.get(channel):
            place.gone.update(map(message_key, message_ids))

    def stop(self) -> None:
        """Read and start nothing more. Answers in progress continue; the next process answers what is admitted."""
        for task in [*self._runs.values(), *self._waiting, *self._comparing]:
            task.cancel()

    async def _run(self, shard: int, places: list[Place]) -> None:
        readers = asyncio.Semaphore(READERS)
        found: list[tuple[int, Place]] = []

        async def read(place: Place) -> None:
            async with readers, place.lock:
                missed = await self._read(place) if self._is_open(place) else ()
            found.extend((message_number(event.id), place) for event in missed)

        places = sorted(places, key=lambda place: place.after, reverse=True)
        reading = asyncio.gather(*map(read, places))
        try:
            await asyncio.wait({reading}, timeout=self._pace.turn)
        except asyncio.CancelledError:
            reading.cancel()
            raise
        # From here on, a new session no longer cancels this run: it must have answered what it admits.
        self._waiting.add(self._runs.pop(shard))
        comparing = self._compare({place.channel for _, place in found})
        await asyncio.wait({comparing}, timeout=_COMPARING_SECONDS)
        try:
            while found or not reading.done():
                if found:
                    log.info("discord: catch-up found %d missed messages", len(found))
                order, found[:] = sorted(found, key=lambda message: message[0]), []
                for _, place in order:
                    async with place.lock:
                        await self._admit(place)
                await asyncio.wait({reading}, timeout=self._pace.turn)
            await reading
        finally:
            reading.cancel()
        await self._rest(places)

    def _compare(self, first: set[int]) -> asyncio.Task[None]:
        return self._comparing.spawn(self._comparison.look(first))

    async def _rest(self, places: list[Place]) -> None:
        """Keep trying what could not be read or admitted so far, place by place."""
        backoff, rounds = Backoff(self._pace.retry * 2**_TRIES, _LONGEST_PAUSE), 0
        waiting = deque(place for place in places if self._is_open(place))
        while waiting:
            rounds += 1
            await asyncio.sleep(backoff.after(rounds))
            while waiting:
                place = waiting.popleft()
                async with place.lock:
                    for _ in range(len(await self._read(place))):
                        await self._admit(place)
                if self._is_open(place):
                    waiting.append(place)
                    break

    async def _admit(self, place: Place) -> None:
        """Admit a place's oldest missed message; its answer follows."""
        if not place.missed:
            return
        event = place.missed[0]
        if event.id in place.gone:
            place.missed.popleft()
            self._forget_if_done(place)
            return
        try:
            event = await self._members.with_membership(event)
        except MembershipUnknown:
            return  # it stays the next one
        for attempt in range(1, _TRIES + 1):
            try:
                new = await self._core.messages.admit(event)
                break
            except JournalUnavailable as exc:
                log.warning("%s: not admitted: %s", event.id, type(exc).__name__)
                if attempt == _TRIES:
                    return  # it stays the next one: new messages aren't admitted before it
                await asyncio.sleep(Backoff(2 * self._pace.retry).after(attempt))
        place.missed.popleft()
        self._forget_if_done(place)
        if new:
            # Tasks start in order, and locks and semaphores are fair: the oldest goes first, per place and overall.
            self._waiting.spawn(self._next(place, event))

    async def _next(self, place: Place, event: MessageEvent) -> None:
        if event.id in place.live:
            await self._begin_answer(event)
        else:
            async with place.answers, self._slots:
                await self._begin_answer(event)

    async def _begin_answer(self, event: MessageEvent) -> None:
        if task := asyncio.current_task():
            self._waiting.discard(task)
        await self._answer(event)

    async def _read(self, place: Place) -> deque[MessageEvent]:
        missed = await place.read(self._channels, self._followups, self._hours)
        self._forget_if_done(place)
        return missed

    def _is_open(self, place: Place) -> bool:
        """Whether messages may still be missing in a place, and no newer session handles it."""
        return self._places.get(place.channel) is place

    def _forget_if_done(self, place: Place) -> None:
        if place.missed is not None and not place.missed and self._is_open(place):
            del self._places[place.channel]


def _where(key: str) -> tuple[int, int]:
    """The channel and guild (0: none) of a place's key."""
    place = PlaceKey.parse(key)
    return int(place.channel), int(place.workspace or 0)
