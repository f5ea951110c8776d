"""Hands Discord's events to the core: messages, edits, deletions, and guilds joined or left."""

import asyncio
import logging
from collections.abc import Collection, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import discord
from cachetools import LRUCache

from adapters.discord import around, paste
from adapters.discord.asking import Asking
from adapters.discord.catch_up import CatchUp
from adapters.discord.compare import Comparison
from adapters.discord.events import place, written
from adapters.discord.followups import Followups
from adapters.discord.history import Channels
from adapters.discord.interactions import Interactions
from adapters.discord.members import Members, MembershipUnknown
from adapters.discord.messages import DISCORD_ERRORS, Online, Pace
from adapters.discord.rates import Rates
from adapters.discord.recent import Places
from adapters.discord.refusals import reason
from adapters.discord.reply import Reply
from adapters.discord.text import PLATFORM, message_key, message_number
from bot.events import MessageEvent
from bot.model import Audience
from bot.ports import Core, JournalUnavailable

if TYPE_CHECKING:
    from adapters.discord.client import Client

log = logging.getLogger(__name__)

#: Seconds that work in flight gets to be cancelled, once its time to finish is over.
CLOSE_SECONDS = 3.0
#: Seconds for Discord to say who can read a channel, before an answer is retried there.
RENEW_SECONDS = 3.0
#: Edits remembered, to distinguish a new one from a link preview added to an edited message.
_EDITS = 1000
#: The age up to which a message that an edit addresses to the bot is answered.
ADDRESSED_WITHIN = timedelta(hours=24)
_NEVER = datetime.min.replace(tzinfo=UTC)


class Intake:
    """Hands events to the core, each in a task that `stop` waits for.

    Attributes:
        ready: Set once the gateway has first accepted a session.
    """

    def __init__(
        self,
        core: Core,
        online: Online,
        pace: Pace,
        catch_up_hours: float,
        rates: Rates,
        guilds: frozenset[str] = frozenset(),
        *,
        readable: bool = False,
    ) -> None:
        """`guilds` are those served; empty: all. `readable`: the bot has the message-content intent."""
        self._core = core
        self._members = Members(online, pace, guilds)
        self._online = online
        self._pace = pace
        self._rates = rates
        self._places = Places()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self._synced = False
        self._guilds: set[int] = set()
        self._edits: LRUCache[int, datetime] = LRUCache(_EDITS)
        #: Messages, by channel, that wait for a request about them: later ones aren't admitted before them.
        self._fetching: dict[int, asyncio.Task[MessageEvent | None]] = {}
        self.ready = asyncio.Event()
        self.interactions = Interactions(core, Asking(core, online, self._members, pace, self.track), self.track)
        channels = Channels(online, pace)
        self._followups = Followups(channels, readable=readable)
        comparison = Comparison(channels, partial(self.edited, known=True), self.deleted)
        self.catch_up = CatchUp(core, catch_up_hours, channels, comparison, self._members, self._followups, self._late)

    async def track(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work that `stop` must wait for, in the task that discord.py created; do nothing once stopping."""
        task = asyncio.current_task()
        if self._stopping or task is None:
            work.close()
            return
        self._tasks.add(task)
        try:
            await work
        finally:
            self._tasks.discard(task)

    async def stop(self) -> None:
        """Accept nothing new, and let answers in progress finish (20 s at most)."""
        self._stopping = True
        self.catch_up.stop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._pace.stop)
            for task in late:
                task.cancel()
            if late:
                log.warning("discord: %d messages unanswered at shutdown; they resume at the next start", len(late))
                await asyncio.wait(late, timeout=CLOSE_SECONDS)

    async def connected(self, client: "Client", shard: int) -> None:
        """A shard's new session is accepted (READY); its guilds are still arriving."""
        guilds = [guild.id for guild in client.guilds if guild.shard_id == shard]
        log.info("discord: listening as %s in %d guilds (shard %d)", client.user, len(guilds), shard)
        self.ready.set()
        self._followups.forget()
        gone = await self.catch_up.begin(client, shard)
        for guild in guilds:
            await self.joined(guild)
        for guild in gone:
            await self.removed(guild)
        if not self._synced:
            self._synced = True
            try:
                await client.tree.sync()
            except DISCORD_ERRORS as exc:
                self._synced = False
                log.warning("discord: commands could not be registered: %s", reason(exc))

    async def message(self, message: discord.Message, me: int) -> None:
        """Hand a message that is for the bot (user id `me`) to the core, in order."""
        try:
            event = await self._read(message, me)
        except MembershipUnknown as exc:
            event = exc.event
        if event is not None:
            await self.catch_up.wait_for_backlog(message.channel.id, event.id)
            await self.track(self._core.messages.on_message(event, self.reply(event)))

    async def _read(self, message: discord.Message, me: int, *, edited: bool = False) -> MessageEvent | None:
        """The message as an event, once those before it are read. Raises MembershipUnknown."""
        channel = message.channel.id
        before = self._fetching.get(channel)

        async def read() -> MessageEvent | None:
            if before is not None:
                await asyncio.wait([before])
            followups = self._followups
            follows = followups.may_have(message) if edited else await followups.follows(message, me)
            event = await paste.read(message, me, follows=follows, readable=followups.readable)
            return None if event is None else await self._members.with_membership(event)

        asks = self._members.has_to_ask(message.author.id, direct=message.guild is None)
        asks = asks or (not edited and self._followups.has_to_look(message, me))
        if before is None and not asks and not paste.pending(message):
            return await read()

        reading = self._fetching[channel] = asyncio.create_task(read())
        try:
            return await reading
        finally:
            if self._fetching.get(channel) is reading:
                del self._fetching[channel]

    async def _late(self, event: MessageEvent) -> None:
        await self.track(self._core.messages.on_message(event, self.reply(event), admitted=True))

    def reply(self, event: MessageEvent, *, again: bool = False) -> Reply:
        """The reply handle of a message; `again`: it may have been answered before, in whole or in part."""
        message_id = message_number(event.id)
        confirm = partial(self._core.messages.confirm, event.id)
        return Reply(
            self._online,
            int(event.place.channel),
            message_id,
            self._pace,
            confirm,
            again=again,
            asker=0 if event.place.audience is Audience.PRIVATE else int(event.person.user),
            link=event.link,
            rates=self._rates,
            places=self._places,
            around=partial(around.read, self._online, event),
        )

    async def renewed(self, event: MessageEvent) -> MessageEvent:
        """An event that is retried, with its place's present audience (if unknown, members only).

        Also marks whether its author has become a stranger.
        """
        asked = event.place
        if asked.audience is Audience.PRIVATE:
            try:
                return await self._members.with_membership(event)
            except MembershipUnknown:  # keep what it was when admitted
                return event
        given = asked.narrowest
        try:
            async with asyncio.timeout(RENEW_SECONDS):
                client = await self._online()
                channel = client.get_channel(int(asked.channel)) or await client.fetch_channel(int(asked.channel))
            given = replace(asked, audience=place(channel, getattr(channel, "guild", None)).audience)
        except (*DISCORD_ERRORS, ValueError) as exc:
            log.info("%s: who reads its channel can't be told: %s", event.id, type(exc).__name__)
        return replace(event, given=given)

    async def edited(self, message: discord.Message, me: int, *, known: bool = False) -> None:
        """A message was changed: its text by its author, or what Discord shows with it, which isn't an edit.

        If it wasn't for the bot before (`known`: it was), treat it as new. If nothing readable in it is for the bot any
        more, treat it as deleted.
        """
        at = message.edited_at
        if at is None or not written(message) or self._edits.get(message.id, _NEVER) >= at:
            return
        self._edits[message.id] = at
        await self.catch_up.wait_for_backlog(message.channel.id)
        try:
            event = await self._read(message, me, edited=True)
        except MembershipUnknown:
            log.warning("discord:%d: edit ignored: its author may be a stranger", message.id)
            return
        if event is not None and event.addressed and not known and await self._is_new(event):
            await self.track(self._core.messages.on_message(event, self.reply(event), admitted=True))
        elif paste.unread(event):
            log.warning("discord:%d: edit ignored: its text is not readable", message.id)
        elif event is None or not (event.text or event.attachments or event.forwarded):
            await self.deleted(message.channel.id, {message.id})
        else:
            await self.track(self._core.changes.on_edited(event))

    async def _is_new(self, event: MessageEvent) -> bool:
        """Whether an edit has addressed a message to the bot for the first time; if so, it is admitted."""
        if self._stopping or datetime.now(UTC) - event.at > ADDRESSED_WITHIN:
            return False
        try:
            return await self._core.messages.admit(event)
        except JournalUnavailable as exc:
            log.warning("%s: can't tell whether its edit addresses the bot: %s", event.id, type(exc).__name__)
            return False

    async def deleted(self, channel: int, message_ids: Collection[int]) -> None:
        """Messages in a channel were deleted, one or many."""
        self.catch_up.deleted(channel, message_ids)
        await self.track(self._core.changes.on_deleted([message_key(message_id) for message_id in sorted(message_ids)]))

    async def joined(self, guild: int) -> None:
        """The bot is in a guild, perhaps again.

        discord.py reports a guild that is joined in a session's first seconds as available again.
        """
        if guild not in self._guilds:
            self._guilds.add(guild)
            await self.track(self._core.changes.on_returned(PLATFORM, str(guild)))

    async def removed(self, guild: int) -> None:
        """The bot is no longer in a guild."""
        self._guilds.discard(guild)
        log.info("discord: removed from guild %d", guild)
        await self.track(self._core.changes.on_removed(PLATFORM, str(guild)))
