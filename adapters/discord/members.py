"""If the bot is restricted to some servers, only their members may message it directly; REST says who they are."""

import asyncio
import logging
from dataclasses import replace
from enum import Enum

import discord
from cachetools import TTLCache

from adapters.discord.messages import DISCORD_ERRORS, Online, Pace
from adapters.discord.rates import background
from adapters.discord.refusals import UNKNOWN_MEMBER, UNKNOWN_USER, is_transient, reason
from bot.aio.backoff import Backoff
from bot.events import MessageEvent
from bot.model import Audience

log = logging.getLogger(__name__)

#: How many people's membership is cached, and for how many seconds.
KNOWN = 10_000
REMEMBERED = 3600.0
#: Seconds for Discord to answer, and attempts per server.
ASK_SECONDS = 10.0
_TRIES = 3


class MembershipUnknown(Exception):
    """Discord can't say at the moment whether an event's author is a member; `event` treats them as a stranger."""

    def __init__(self, event: MessageEvent) -> None:
        super().__init__()
        self.event = replace(event, stranger=True)


class _Answer(Enum):
    MEMBER = "a member"
    NO_MEMBER = "no member"
    #: The bot isn't in that server, or isn't allowed to ask.
    CLOSED = "closed"


class Members:
    """Distinguishes strangers from members of the listed servers; if none is listed, nobody is a stranger."""

    def __init__(self, online: Online, pace: Pace, guilds: frozenset[str]) -> None:
        self._online = online
        self._pace = pace
        self._guilds = sorted(guilds, key=int)
        self._known: TTLCache[str, bool] = TTLCache(KNOWN, REMEMBERED, _now)
        #: Refused requests count as invalid, and too many of those get a bot banned temporarily.
        self._closed: TTLCache[str, None] = TTLCache(len(self._guilds) + 1, REMEMBERED, _now)

    def serves(self, guild: int) -> bool:
        """Whether messages in a server are served; without one (0), that depends on the person."""
        return not guild or not self._guilds or str(guild) in self._guilds

    def has_to_ask(self, user: int, *, direct: bool) -> bool:
        """Whether `with_membership` has to ask Discord about an author."""
        return bool(direct and self._guilds and str(user) not in self._known)

    async def with_membership(self, event: MessageEvent) -> MessageEvent:
        """The event, with whether its author is a stranger. Raises MembershipUnknown."""
        if not self._guilds or event.place.audience is not Audience.PRIVATE:
            return event
        user = event.person.user
        member = self._known.get(user)
        if member is None:
            try:
                async with asyncio.timeout(ASK_SECONDS):
                    member = self._known[user] = await self._ask(int(user))
            except DISCORD_ERRORS as exc:
                log.warning("%s: whether its author is a member of a server can't be told: %s", event.id, reason(exc))
                raise MembershipUnknown(event) from exc
        return replace(event, stranger=not member)

    async def _ask(self, user: int) -> bool:
        failure: BaseException | None = None
        for guild in self._guilds:
            if guild in self._closed:
                continue
            try:
                answer = await self._ask_about(guild, user)
            except DISCORD_ERRORS as exc:  # another server may know them
                failure = exc
                continue
            if answer is _Answer.MEMBER:
                return True
            if answer is _Answer.CLOSED:
                self._closed[guild] = None
        if failure is not None:
            raise failure
        return False

    async def _ask_about(self, guild: str, user: int) -> _Answer:
        for attempt in range(1, _TRIES + 1):
            client = await self._online()
            try:
                with background():  # answers go first
                    await client.http.get_member(int(guild), user)
            except DISCORD_ERRORS as exc:
                if not isinstance(exc, discord.RateLimited) and not is_transient(exc):
                    if getattr(exc, "code", 0) in (UNKNOWN_MEMBER, UNKNOWN_USER):
                        return _Answer.NO_MEMBER
                    log.warning("discord: DISCORD_GUILDS: members of %s can't be told: %s", guild, reason(exc))
                    return _Answer.CLOSED
                if attempt == _TRIES or isinstance(exc, discord.RateLimited):
                    raise
            else:
                return _Answer.MEMBER
            await asyncio.sleep(Backoff(self._pace.retry).after(attempt))
        raise AssertionError("unreachable")


def _now() -> float:
    return asyncio.get_running_loop().time()
