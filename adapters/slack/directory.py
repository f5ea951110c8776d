"""Looks up people, channels and threads on Slack, with caches."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.cache import LoadingCache
from adapters.slack.errors import SLACK_ERRORS, code, is_transient
from bot import zones
from bot.aio.backoff import Backoff
from bot.model import Audience, Place
from bot.text.clean import clean, one_line

log = logging.getLogger(__name__)

#: Seconds that a lookup may delay an event, which has to be acknowledged within three.
WAIT = 1.0
#: Seconds that answers are cached.
NAME_TTL = 3600.0
#: Short, since a channel's audience may change without an event.
CHANNEL_TTL = 60.0
JOINED_TTL = 86_400.0
#: Seconds for which a cached answer counts as current: many answers may be retried at the same time.
FRESH = 1.0
#: A "no" is cached for less, since it may be outdated sooner: another process may answer in that thread.
UNKNOWN_TTL = 30.0
#: Seconds until a failed lookup is retried, and attempts for a thread, with back-off.
AGAIN = 1.0
TRIES = 8
BACKOFF = Backoff(first=AGAIN, longest=60.0)
#: Pages of 200 messages of a thread that are searched for one of the bot's.
PAGES = 5

#: Flags of people who don't see all public channels.
_GUEST = ("is_restricted", "is_ultra_restricted", "is_stranger", "is_bot")
#: Flags and fields of channels with readers from outside their workspace, or with pending invitations to some.
_SHARED = ("is_ext_shared", "is_org_shared", "is_pending_ext_shared", "is_shared", "is_global_shared")
_OTHERS = ("pending_shared", "pending_connected_team_ids", "connected_team_ids", "connected_limited_team_ids")
_TEAMS = ("shared_team_ids", "internal_team_ids")


@dataclass(frozen=True, slots=True)
class Channel:
    """Who can read a channel, and its name.

    `external`: people from outside its workspace can read it (or that is unknown). `known` is False if Slack failed.
    """

    audience: Audience
    name: str
    external: bool = False
    known: bool = True


#: Assumed of a channel that Slack says nothing about.
UNKNOWN = Channel(Audience.MEMBERS, "", external=True, known=False)


@dataclass(frozen=True, slots=True)
class Member:
    """A person's name (empty if Slack failed), time zone (None if Slack tells none), and workspaces (`teams`).

    `guest`: they may not see all public channels of those workspaces, or that is unknown.
    """

    name: str
    zone: tzinfo | None = None
    teams: frozenset[str] = frozenset()
    guest: bool = True


class Directory:
    """People, channels and threads, as one installation (`team`) sees them."""

    def __init__(self, client: AsyncWebClient, bot_user: str, bot_id: str, team: str, zone: tzinfo = UTC) -> None:
        """`zone` is that of people of whom Slack tells none."""
        self._zone = zone
        self._team = team
        self._client = client
        self._bot_user = bot_user
        self._bot_id = bot_id
        self._members: LoadingCache[str, Member] = LoadingCache(
            self._load_member, lambda member: NAME_TTL if member.name else UNKNOWN_TTL
        )
        self._channels: LoadingCache[str, Channel] = LoadingCache(
            self._load_channel, lambda channel: CHANNEL_TTL if channel.known else UNKNOWN_TTL
        )
        self._threads: LoadingCache[tuple[str, str], bool | None] = LoadingCache(
            self._load_thread, lambda joined: JOINED_TTL if joined else AGAIN if joined is None else UNKNOWN_TTL
        )
        self._groups: LoadingCache[str, dict[str, str]] = LoadingCache(self._load_groups, lambda _: NAME_TTL)

    async def names(self, users: Iterable[str]) -> dict[str, str]:
        """Display names by user id, or the id itself if Slack doesn't answer within a second."""
        wanted = list(dict.fromkeys(users))
        found = await asyncio.gather(*(self._member(user) for user in wanted))
        return {user: member.name or user for user, member in zip(wanted, found, strict=True)}

    def at_hand(self, name: str) -> bool:
        """Whether a person or a channel is cached, by id."""
        return name in self._members or name in self._channels

    async def zone(self, user: str) -> tzinfo:
        """A person's time zone; the default one if Slack tells none, or doesn't answer within a second."""
        return (await self._member(user)).zone or self._zone

    async def place(
        self, team: str, channel: str, thread: str | None, kind: str = "", *, external: bool = False
    ) -> Place:
        """A place, with the narrower audience of what its event says and what Slack says within a second.

        If Slack doesn't answer, the narrowest that a channel can have. `kind` is Slack's `channel_type`; `external`:
        the event says that the channel is shared with another organisation. The place's workspace is `team`, or the
        installation's if it doesn't belong to a single workspace, since payloads then name different ones.
        """
        there = await self._where(channel, kind, external)
        own = there.audience is Audience.PRIVATE or (there.external and there.known)
        workspace = self._team if own else team
        return Place("slack", workspace, channel, thread, there.audience, there.name, there.external)

    async def _where(self, channel: str, kind: str, external: bool) -> Channel:
        if kind == "im" or channel.startswith("D"):
            return Channel(Audience.PRIVATE, "DM")
        try:
            known = await asyncio.wait_for(self._channels.get(channel), WAIT)
        except TimeoutError:
            log.warning("slack: conversations.info timed out; treating the channel as private")
            known = UNKNOWN
        if external:
            if known.known and not known.external:
                self.forget(channel)  # it has been shared since
            return Channel(Audience.MEMBERS, known.name, external=True)
        return replace(known, audience=Audience.MEMBERS) if kind in ("mpim", "group") else known

    def refresh(self, channel: str) -> None:
        """Look a channel up again if the cached answer is some seconds old."""
        self._channels.refresh(channel, FRESH)

    def forget(self, channel: str) -> None:
        """Look a channel up again: its audience may have changed."""
        self._channels.drop(channel)

    async def is_member(self, user: str, team: str) -> bool:
        """Whether a person sees all public channels of a workspace; False if Slack doesn't answer within a second."""
        member = await self._member(user)
        return not member.guest and team in member.teams

    async def channels(self, channels: Iterable[str], here: str) -> dict[str, str]:
        """Names of channels that everybody in the workspace can see, or of the one being written in (`here`)."""

        async def name(channel: str) -> str:
            try:
                known = await asyncio.wait_for(self._channels.get(channel), WAIT)
            except TimeoutError:
                return ""
            return known.name if channel == here or known.audience is Audience.PUBLIC else ""

        wanted = list(channels)
        found = await asyncio.gather(*map(name, wanted))
        return {channel: called for channel, called in zip(wanted, found, strict=True) if called}

    async def groups(self) -> dict[str, str]:
        """Names of user groups, by id; empty if Slack doesn't answer within a second."""
        try:
            return await asyncio.wait_for(self._groups.get(""), WAIT)
        except TimeoutError:
            return {}

    def peek_joined(self, channel: str, thread: str) -> bool | None:
        """Whether the bot has written in a thread; None if Slack has to be asked."""
        return self._threads.peek((channel, thread))

    async def joined(self, channel: str, thread: str) -> bool:
        """Whether the bot has written in a thread. Keeps asking for some minutes if Slack fails."""
        for attempt in range(1, TRIES + 1):
            joined = await self._threads.get((channel, thread))
            if joined is not None:
                return joined
            await asyncio.sleep(BACKOFF.after(attempt))
        log.warning("slack: treating a thread as not ours: Slack doesn't say who began it")
        return False

    def join(self, channel: str, thread: str) -> None:
        """Note that the bot takes part in a thread."""
        self._threads.put((channel, thread), True)

    async def close(self) -> None:
        """Cancel calls in flight."""
        for cache in (self._members, self._channels, self._threads, self._groups):
            await cache.close()

    async def _member(self, user: str) -> Member:
        if member := self._members.peek(user):
            return member
        try:
            return await asyncio.wait_for(self._members.get(user), WAIT)
        except TimeoutError:
            log.info("slack: users.info timed out; using the user's id as the name")
            return Member("")

    async def _load_member(self, user: str) -> Member:
        try:
            found: dict[str, Any] = (await self._client.users_info(user=user)).get("user") or {}
        except SLACK_ERRORS as exc:
            log.info("slack: users.info failed: %s", code(exc))
            return Member("")
        profile = found.get("profile") or {}
        name = profile.get("display_name") or profile.get("real_name") or found.get("real_name") or found.get("name")
        guest = any(found.get(flag) for flag in _GUEST)
        name = one_line(clean(str(name or "")))[:80]
        teams = (found.get("team_id"), *((found.get("enterprise_user") or {}).get("teams") or ()))
        return Member(name, _zone(found), frozenset(str(team) for team in teams if team), guest)

    async def _load_channel(self, channel: str) -> Channel:
        try:
            found: dict[str, Any] = (await self._client.conversations_info(channel=channel)).get("channel") or {}
        except SLACK_ERRORS as exc:
            log.warning("slack: conversations.info failed; treating the channel as private: %s", code(exc))
            return UNKNOWN
        if found.get("is_im"):
            return Channel(Audience.PRIVATE, "DM")
        name = clean(str(found.get("name") or ""))
        open_to_all = found.get("is_channel") and found.get("is_private") is False and not found.get("is_mpim")
        external = _external(found)
        if open_to_all and not external:
            return Channel(Audience.PUBLIC, f"#{name}")
        return Channel(Audience.MEMBERS, "group DM" if found.get("is_mpim") else f"#{name}", external)

    async def _load_groups(self, _: str) -> dict[str, str]:
        try:
            groups = (await self._client.usergroups_list()).get("usergroups") or ()
        except SLACK_ERRORS as exc:
            log.info("slack: usergroups.list failed: %s", code(exc))
            return {}
        return {
            str(group.get("id")): f"@{clean(str(group.get('handle') or group.get('name') or 'group'))}"
            for group in groups
        }

    async def _load_thread(self, key: tuple[str, str]) -> bool | None:
        """Whether the bot has written in a thread; None if Slack can't say now."""
        channel, thread = key
        cursor = ""
        for _ in range(PAGES):
            try:
                page = await self._client.conversations_replies(channel=channel, ts=thread, limit=200, cursor=cursor)
            except SLACK_ERRORS as exc:
                if is_transient(exc):
                    log.info("slack: conversations.replies failed, retrying: %s", code(exc))
                    return None
                log.warning("slack: conversations.replies failed; treating the thread as not ours: %s", code(exc))
                return False
            if any(self._is_ours(message) for message in page.get("messages") or ()):
                return True
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                break
        return False

    def _is_ours(self, message: dict[str, Any]) -> bool:
        authors = {message.get("user"), *(message.get("reply_users") or ())}
        return self._bot_user in authors or (bool(self._bot_id) and message.get("bot_id") == self._bot_id)


def _external(channel: dict[str, Any]) -> bool:
    """Whether a channel has readers from outside its workspace, or invitations to some: through Slack Connect, or from
    the organisation, whose people aren't all in the same workspace."""
    if any(channel.get(flag) for flag in (*_SHARED, *_OTHERS)):
        return True
    return any(len(set(channel.get(teams) or ())) > 1 for teams in _TEAMS)


def _zone(user: dict[str, Any]) -> tzinfo | None:
    """A user object's time zone: by its name or, on a machine that doesn't know it, by its present offset."""
    if (zone := zones.named(str(user.get("tz") or ""))) is not None:
        return zone
    offset = user.get("tz_offset")
    return timezone(timedelta(seconds=offset)) if isinstance(offset, int) and abs(offset) < 86_400 else None
