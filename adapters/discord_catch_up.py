"""What was said while nobody listened: read from the channels' histories at the begin of every new session."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import discord

from adapters.discord_messages import TROUBLE, Online, Pace
from adapters.discord_text import PLATFORM, to_event
from bot.events import MessageEvent
from bot.ports import Core, JournalUnavailable

log = logging.getLogger(__name__)

#: Histories read, and missed messages answered, at the same time.
READERS = 4
ANSWERS = 8
_TRIES = 5
#: Seconds to wait at most for the guilds of a session, which tell a channel's audience.
_GUILDS_SECONDS = 15.0


@dataclass(slots=True, eq=False)
class _Place:
    """A place spoken in before; `missed` is None until its history is read. Read and admitted under `lock`.

    Its messages are answered one after the other, under `answers`, but those in `live`, which the gateway told too.
    """

    channel: int
    guild: int
    after: int
    guilds: asyncio.Event
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    answers: asyncio.Lock = field(default_factory=asyncio.Lock)
    missed: deque[MessageEvent] | None = None
    live: set[str] = field(default_factory=set)


class CatchUp:
    """Has what was missed admitted, oldest first, and then answered (by `answer`).

    In each place it is admitted before what is said there now. That makes it crash-proof: no message before the
    newest that the journal knows of a place is unknown to it.
    """

    def __init__(
        self, core: Core, hours: float, online: Online, answer: Callable[[MessageEvent], Awaitable[None]], pace: Pace
    ) -> None:
        """Look back for `hours` at most; 0 is not at all."""
        self._core = core
        self._hours = hours
        self._online = online
        self._answer = answer
        self._pace = pace
        self._places: dict[int, _Place] = {}
        self._guilds: dict[int, asyncio.Event] = {}
        self._runs: dict[int, asyncio.Task[None]] = {}
        self._waiting: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(ANSWERS)
        self._asking = 0
        self._asked = asyncio.Event()
        self._asked.set()

    async def begin(self, client: discord.AutoShardedClient, shard: int) -> set[int]:
        """A shard has a new session: see what it missed, and return the guilds known before that are gone from it.

        Until the journal has told its places `turn` waits: a message admitted meanwhile would hide those before it.
        """
        there = {guild.id for guild in client.guilds if guild.shard_id == shard}
        if earlier := self._guilds.get(shard):
            earlier.set()
        guilds = self._guilds[shard] = asyncio.Event()
        self.settle(client, shard)
        self._asking += 1
        self._asked.clear()
        try:
            shards = client.shard_count or 1
            known = [place for place in await self._known(guilds) if (place.guild >> 22) % shards == shard]
            places = [place for place in known if not place.guild or place.guild in there] if self._hours else []
            self._places |= {place.channel: place for place in places}
        finally:
            self._asking -= 1
            if not self._asking:
                self._asked.set()
        if run := self._runs.pop(shard, None):
            run.cancel()
        if places:
            self._runs[shard] = asyncio.create_task(self._run(shard, places))
        return {place.guild for place in known if place.guild} - there

    async def _known(self, guilds: asyncio.Event) -> list[_Place]:
        for attempt in range(1, _TRIES + 1):
            try:
                seen = await self._core.last_seen(PLATFORM)
            except JournalUnavailable as exc:
                log.warning("discord: what was missed isn't known: %s", type(exc).__name__)
                if attempt < _TRIES:
                    await asyncio.sleep(self._pace.retry * 2**attempt)
                continue
            found = []
            for key, message_id, _ in seen:
                _, guild, channel, _ = key.split(":")
                found.append(_Place(int(channel), int(guild or 0), int(message_id.rpartition(":")[2]), guilds))
            return found
        return []

    def settle(self, client: discord.AutoShardedClient, shard: int, *, ready: bool = False) -> None:
        """Let reading go on where no guild of the session is missing, or (`ready`) none is to be expected any more."""
        missing = any(guild.unavailable for guild in client.guilds if guild.shard_id == shard)
        if (ready or not missing) and shard in self._guilds:
            self._guilds[shard].set()

    async def turn(self, channel: int, event_id: str = "") -> None:
        """Wait until what was missed in a channel has been admitted; at once where nothing was.

        `event_id` is the message that waits: its answer waits for no other's.
        """
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            await self._asked.wait()
            if place := self._places.get(channel):
                place.live.add(event_id)
                async with place.lock:
                    for _ in range(len(await self._read(place))):
                        await self._admit(place)
        finally:
            self._waiting.discard(task)

    def stop(self) -> None:
        """Read and begin no more. What is being answered goes on; what is admitted is the next process's."""
        for task in [*self._runs.values(), *self._waiting]:
            task.cancel()

    async def _run(self, shard: int, places: list[_Place]) -> None:
        readers = asyncio.Semaphore(READERS)

        async def read(place: _Place) -> list[tuple[int, _Place]]:
            async with readers, place.lock:
                missed = await self._read(place)
            return [(int(event.id.rpartition(":")[2]), place) for event in missed]

        found = [one for some in await asyncio.gather(*map(read, places)) for one in some]
        if found:
            log.info("discord: %d messages were missed", len(found))
        # Past the reading, a new session no longer ends this run: what it admits it must have answered.
        run = self._runs.pop(shard)
        self._waiting.add(run)
        run.add_done_callback(self._waiting.discard)
        for _, place in sorted(found, key=lambda one: one[0]):
            async with place.lock:
                await self._admit(place)

    async def _admit(self, place: _Place) -> None:
        """Have the oldest that was missed in a place admitted; its answer follows."""
        if not place.missed:
            return
        event = place.missed[0]
        for attempt in range(1, _TRIES + 1):
            try:
                new = await self._core.admit(event)
                break
            except JournalUnavailable as exc:
                log.warning("%s: not admitted: %s", event.id, type(exc).__name__)
                if attempt == _TRIES:
                    return  # it stays the next one: what is said there now isn't admitted before it
                await asyncio.sleep(self._pace.retry * 2**attempt)
        place.missed.popleft()
        self._forget_if_done(place)
        if new:
            # Tasks begin in order, and locks and semaphores are fair: the oldest goes first, in a place and over all.
            task = asyncio.create_task(self._next(place, event))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)

    async def _next(self, place: _Place, event: MessageEvent) -> None:
        if event.id in place.live:
            await self._begin_answer(event)
        else:
            async with place.answers, self._slots:
                await self._begin_answer(event)

    async def _begin_answer(self, event: MessageEvent) -> None:
        if task := asyncio.current_task():
            self._waiting.discard(task)
        await self._answer(event)

    async def _read(self, place: _Place) -> deque[MessageEvent]:
        """What was missed in a place: read once, through passing trouble."""
        if place.missed is not None:
            return place.missed
        missed: deque[MessageEvent] = deque()
        if place.guild:
            with suppress(TimeoutError):
                await asyncio.wait_for(place.guilds.wait(), _GUILDS_SECONDS)
        oldest = discord.utils.time_snowflake(datetime.now(UTC) - timedelta(hours=self._hours), high=True)
        after = max(place.after, oldest)
        for attempt in range(1, _TRIES + 1):
            client = await self._online()
            try:
                channel = await _channel(client, place)
                if isinstance(channel, discord.abc.Messageable) and (_last(channel) or after + 1) > after:
                    async for message in channel.history(limit=None, after=discord.Object(after), oldest_first=True):
                        after = message.id
                        if client.user and (event := to_event(message, client.user.id)):
                            missed.append(event)
                break
            except (discord.Forbidden, discord.NotFound, discord.InvalidData) as exc:
                log.info("discord: channel %d can't be read: %s", place.channel, type(exc).__name__)
                break
            except TROUBLE as exc:
                log.warning("discord: channel %d isn't read: %s", place.channel, type(exc).__name__)
                if attempt < _TRIES:
                    await asyncio.sleep(self._pace.retry * 2**attempt)
            except Exception as exc:  # noqa: BLE001 - what can't be read in one channel stops no other
                log.error("discord: channel %d can't be understood: %s", place.channel, type(exc).__name__)
                break
        place.missed = missed
        self._forget_if_done(place)
        return missed

    def _forget_if_done(self, place: _Place) -> None:
        if not place.missed and self._places.get(place.channel) is place:
            del self._places[place.channel]


async def _channel(client: discord.Client, place: _Place) -> object:
    """The place's channel, by a request only for what isn't cached: archived threads."""
    if not place.guild:
        return client.get_partial_messageable(place.channel, type=discord.ChannelType.private)
    return client.get_channel(place.channel) or await client.fetch_channel(place.channel)


def _last(channel: object) -> int | None:
    """The id of the newest message in a channel, where the session told it."""
    last = getattr(channel, "last_message_id", None)
    return last if isinstance(last, int) else None
