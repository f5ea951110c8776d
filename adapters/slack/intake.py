"""Hands Slack's messages to the core: admits them first, then has them answered."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any

from cachetools import FIFOCache, LRUCache

from adapters.common.unread import HELLO, NOTHING, unreadable
from adapters.slack import text as slack_text
from adapters.slack.api import SlackApi
from adapters.slack.around import Surroundings
from adapters.slack.attention import Attention
from adapters.slack.directory import Directory
from adapters.slack.events import Body, Change, ParsedMessage, parse_change, parse_message, team_of, ts_of
from adapters.slack.interactions import Interactions
from adapters.slack.reply import SlackReply
from bot.aio.rate_limit import Allowance
from bot.aio.tasks import TaskSet
from bot.commands.spoken import Spoken, command
from bot.events import CommandEvent, MessageEvent
from bot.logs import describe
from bot.model import Audience
from bot.ports import Core

log = logging.getLogger(__name__)

#: Spoken commands remembered, since Slack sends a mention twice.
SEEN = 1_000
#: Edits and deletions remembered: a message may have changed since catch-up read it.
CHANGES = 1_000
#: People and channels per message whose names are looked up; others are shown by their ids.
NAMED = 20
#: Lookups of uncached names per minute on behalf of one person.
NAMED_A_MINUTE = 60
#: Seconds up to which a message that an edit addresses to the bot is answered.
ADDRESSED_WITHIN = 86_400.0
#: Messages waiting for Slack to say whether their thread is the bot's; beyond that, messages aren't acknowledged.
UNSURE = 1_000

#: Seconds for Slack to say who writes in a thread, before a message there is acknowledged.
ASK_SECONDS = 1.0

#: Prefixes of the subtypes of notices about a channel itself.
CHANNEL_NOTICES = ("channel_", "group_")

Spawn = Callable[[Coroutine[Any, Any, None]], None]


async def _nothing(channel: str, thread: str | None) -> None:
    """Do nothing."""


class Intake:
    """Hands messages to the core. `url` is the workspace's own, for links; `spawn` runs work in the background.

    Attributes:
        wait_for_backlog: Waits for the backlog of a channel or thread.
        attention: Whom it listens to without being mentioned.
    """

    def __init__(
        self, core: Core, api: SlackApi, directory: Directory, interactions: Interactions, url: str, spawn: Spawn
    ) -> None:
        self._core = core
        self._api = api
        self._directory = directory
        self._interactions = interactions
        self._url = url.rstrip("/")
        self._spawn = spawn
        self.wait_for_backlog = _nothing
        self._naming = Allowance(NAMED_A_MINUTE)
        self.attention = Attention(api)
        self._surroundings = Surroundings(api, directory)
        self._unsure: TaskSet[None] = TaskSet()
        self._seen: FIFOCache[str, None] = FIFOCache(SEEN)
        self._changes: LRUCache[str, Change] = LRUCache(CHANGES)

    async def receive(self, body: Body) -> None:
        """Handle a message event. When this returns, the event may be acknowledged: it can't be lost any more.

        This includes messages in threads that may be the bot's: only Slack knows, and is asked afterwards. If the
        process dies meanwhile, catch-up reads the threads that the journal knows.

        Raises JournalUnavailable if it could not be recorded, and TimeoutError if too many wait for Slack's answer
        about their threads: either way Slack has to send it again.
        """
        try:
            changed = body["event"].get("subtype") in ("message_changed", "message_deleted")
            home = self._api.home
            found: Change | ParsedMessage | None = parse_change(body, home) if changed else parse_message(body, home)
            self._follow(body["event"])
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            event = body.get("event")
            channel, ts = (event.get("channel"), event.get("ts")) if isinstance(event, dict) else (None, None)
            log.warning("slack: unexpected message event (%.20r, %.32r), ignored: %s", channel, ts, describe(exc))
            return
        if isinstance(found, Change):
            await self._change(found)
        elif found is not None:
            await self._message(found)

    async def _message(self, found: ParsedMessage) -> None:
        heard = True if found.direct else self.attention.hear(found)
        if heard is None and self._is_for_us(found):
            heard = await self._ask_briefly(found)
        if heard is False and not found.mentioned:
            return  # people talk to each other there
        if self._is_for_us(found) and (heard or found.mentioned):
            await self._ours(found)
        elif self._may_be_for_us(found):
            self._once_known(found, self._follow_up)

    async def _ask_briefly(self, found: ParsedMessage) -> bool | None:
        """Whether a follow-up is for the bot, if Slack says so within a second; then it is recorded before its ack."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await self.attention.ask_slack(found)
        except TimeoutError:
            return None

    async def _ours(self, found: ParsedMessage) -> None:
        event = await self._understood(found)
        if isinstance(event, CommandEvent):
            # In a channel, the same mention is also delivered as a message.
            if (found.named or not found.mentioned or found.kind not in ("channel", "group")) and self._first(found.id):
                self._spawn(self._interactions.words(event))
        else:
            await self.wait_for_backlog(found.channel, found.thread)
            if await self._core.messages.admit(event):
                self._spawn(self._core.messages.on_message(event, self.reply_handle(event), admitted=True))

    def latest(self, found: ParsedMessage) -> ParsedMessage | None:
        """A message from a history, updated by changes delivered since; None if it was deleted."""
        change = self._changes.get(found.id)
        if change is None or (change.new is not None and change.new.edited < found.edited):
            return found
        return change.new

    def is_deleted(self, event_id: str) -> bool:
        """Whether a message's deletion was delivered to this process recently."""
        change = self._changes.get(event_id)
        return change is not None and change.new is None

    async def _change(self, found: Change) -> None:
        self._changes[found.id] = found
        if found.new is None:
            await self._core.changes.on_deleted([found.id, *found.former])
            return
        if found.former:
            await self._core.changes.on_deleted(found.former)
        if found.new.direct or found.new.mentioned or (found.old is not None and found.old.mentioned):
            if not await self._newly_ours(found.new, found.old):
                await self._core.changes.on_edited(await self.event(found.new))
        elif found.new.thread is not None:
            ours = self._directory.peek_joined(found.new.channel, found.new.thread)
            if ours:
                await self._edited(found.new)
            elif ours is None:
                self._once_known(found.new, self._edited)

    async def _edited(self, found: ParsedMessage) -> None:
        await self._core.changes.on_edited(await self.event(found))

    async def _newly_ours(self, new: ParsedMessage, old: ParsedMessage | None) -> bool:
        """Whether an edit has addressed a message to the bot for the first time; if so, it is answered."""
        if new.direct or not new.mentioned or (old is not None and old.mentioned):
            return False
        if time.time() - float(new.ts) > ADDRESSED_WITHIN:
            return False
        self._directory.join(new.channel, new.thread or new.ts)
        self.attention.hear(new)
        event = await self._understood(new)
        if isinstance(event, CommandEvent):
            if self._first(new.id):
                self._spawn(self._interactions.words(event))
            return True
        if not await self._core.messages.admit(event):
            return False
        self._spawn(self._core.messages.on_message(event, self.reply_handle(event), admitted=True))
        return True

    def _once_known(self, found: ParsedMessage, then: Callable[[ParsedMessage], Coroutine[Any, Any, None]]) -> None:
        """Continue with a message once Slack says that its thread is ours. Raises TimeoutError if too many wait."""
        if len(self._unsure) >= UNSURE:
            raise TimeoutError

        async def wait() -> None:
            if await self._directory.joined(found.channel, found.thread or ""):
                self._spawn(then(found))

        self._unsure.spawn(wait())

    async def _follow_up(self, found: ParsedMessage) -> None:
        latest = self.latest(found)
        if latest is not None and not latest.others and await self.attention.ask_slack(latest):
            event = await self._understood(latest)
            if isinstance(event, CommandEvent):
                await self._interactions.words(event)
            else:
                await self._core.messages.on_message(event, self.reply_handle(event))

    async def close(self) -> None:
        """Stop waiting for Slack's answers about threads."""
        for task in self._unsure:
            task.cancel()
        await asyncio.gather(*self._unsure, return_exceptions=True)

    async def channel_changed(self, body: Body) -> None:
        """Something about a channel has changed, such as its audience."""
        channel = (body.get("event") or {}).get("channel")
        self._directory.forget(str(channel.get("id") if isinstance(channel, dict) else channel))

    def _follow(self, event: dict[str, Any]) -> None:
        """Slack also announces conversions, archiving and renaming in the channel itself."""
        if str(event.get("subtype") or "").startswith(CHANNEL_NOTICES):
            self._directory.forget(str(event["channel"]))

    async def renewed(self, event: MessageEvent) -> MessageEvent:
        """An event that is retried, with its place's present audience."""
        place = event.place
        kind = "im" if place.audience is Audience.PRIVATE else ""
        self._directory.refresh(place.channel)
        given = await self._directory.place(place.workspace, place.channel, place.thread, kind)
        return replace(event, person=self._api.home.person(event.person.user), given=given)

    async def removed(self, body: Body) -> None:
        """Tell the core that the workspace has removed the app, or revoked its token."""
        event = body.get("event") or {}
        if event.get("type") == "tokens_revoked" and not (event.get("tokens") or {}).get("bot"):
            return  # a person's own token, which the bot doesn't use
        log.warning("slack: the app was removed from a workspace (%s)", event.get("type"))
        await self._core.changes.on_removed("slack", team_of(body, self._api.home))

    def reply_handle(self, event: MessageEvent, *, unsure: bool = False) -> SlackReply:
        """The reply handle of a message; `unsure`: some of its answer may already be shown."""
        after, confirm = ts_of(event.id), partial(self._core.messages.confirm, event.id)
        around = partial(self._surroundings.read, event)
        parts = self._api, event.place, event.person, event.id, after, confirm
        return SlackReply(*parts, unsure=unsure, around=around)

    async def read(self, found: ParsedMessage) -> MessageEvent | CommandEvent | None:
        """A message as the core's event; None if it isn't for the bot, which may require asking Slack."""
        if self._is_for_us(found) and (found.direct or found.mentioned):
            return await self._understood(found)
        if not self._may_be_for_us(found) or not await self._directory.joined(found.channel, found.thread or ""):
            return None
        return await self._understood(found) if await self.attention.ask_slack(found) else None

    async def _understood(self, found: ParsedMessage) -> MessageEvent | CommandEvent:
        """The message or command in a message for the bot. Takes about two seconds at most."""
        event = await self.event(found)
        given = self._command_in(found, event)
        if given is None:
            return event
        # A command is answered where it was given, not in a thread of its own.
        place = replace(event.place, thread=found.thread)
        return CommandEvent(found.person, place, given.name, given.argument, event.at, event.name)

    async def event(self, found: ParsedMessage) -> MessageEvent:
        """A message as the core's event, whether or not it is for the bot."""
        thread = found.thread if found.direct else found.thread or found.ts
        place, names = await asyncio.gather(
            self._directory.place(found.team, found.channel, thread, found.kind, external=found.external),
            self._names(found),
        )
        zone = await self._directory.zone(found.person.user)
        known = await self._known(found, zone)
        text = slack_text.plain(found.raw, self._api.bot_user, names, known)
        forwarded = tuple(slack_text.plain(raw, "", names, known) for raw in found.forwarded)
        return MessageEvent(
            id=found.id,
            person=found.person,
            place=place,
            text=text,
            name=names[found.person.user],
            at=found.at.astimezone(zone),
            attachments=found.files,
            link=self._link(found),
            reply_to=f"{found.id.rpartition(':')[0]}:{found.thread}" if found.thread else None,
            forwarded=forwarded,
            notice="" if text or forwarded else _notice(found),
            bare=found.mentioned and not (found.direct or text or forwarded or found.files or found.clip),
            addressed=found.direct or found.mentioned,
            bot_name=self._api.bot_name,
        )

    def _is_for_us(self, found: ParsedMessage) -> bool:
        """Whether a message is for the bot, as far as known without asking Slack."""
        if found.direct:
            return True
        if found.mentioned:
            self._directory.join(found.channel, found.thread or found.ts)
            return True
        return self._may_be_for_us(found) and self._directory.peek_joined(found.channel, found.thread or "") is True

    def _may_be_for_us(self, found: ParsedMessage) -> bool:
        """Whether a message is for the bot if the bot has written in its thread."""
        if found.thread is None or found.others:
            return False
        return self._directory.peek_joined(found.channel, found.thread) is not False

    async def _names(self, found: ParsedMessage) -> dict[str, str]:
        """The names of the author and of the first people that they mention."""
        raws = (found.raw, *found.forwarded)
        users = dict.fromkeys(user for raw in raws for user in slack_text.mentioned(raw))
        users.pop(self._api.bot_user, None)
        return await self._directory.names([found.person.user, *self._named(found, users)])

    def _named(self, found: ParsedMessage, ids: Iterable[str]) -> list[str]:
        """The people or channels in a message whose names are looked up."""
        key, now = found.person.key, datetime.now(UTC)
        first = list(ids)[:NAMED]
        return [name for name in first if self._directory.at_hand(name) or self._naming.spend(key, now)]

    async def _known(self, found: ParsedMessage, zone: tzinfo) -> slack_text.ResolvedNames:
        """The names behind the message's other tokens, as far as its author may see them."""
        raws = (found.raw, *found.forwarded)
        wanted = dict.fromkeys(channel for raw in raws for channel in slack_text.channels(raw))
        channels = self._named(found, wanted)
        groups = any(slack_text.mentions_group(raw) for raw in raws)
        if not (channels or groups) or not await self._directory.is_member(found.person.user, found.team):
            return slack_text.ResolvedNames(zone=zone)
        named, called = await asyncio.gather(
            self._directory.channels(channels, found.channel), self._directory.groups() if groups else _no_groups()
        )
        return slack_text.ResolvedNames(named, called, zone)

    def _command_in(self, found: ParsedMessage, event: MessageEvent) -> Spoken | None:
        """A spoken command: in a direct message, with a mention, or with a slash."""
        given = command(event.text, event.at)
        return given if given and (found.mentioned or found.direct or given.slash) else None

    def _first(self, message: str) -> bool:
        if message in self._seen:
            return False
        self._seen[message] = None
        return True

    def _link(self, found: ParsedMessage) -> str:
        if not self._url:
            return ""
        link = f"{self._url}/archives/{found.channel}/p{found.ts.replace('.', '')}"
        if found.thread and found.thread != found.ts:
            link += f"?thread_ts={found.thread}&cid={found.channel}"
        return link


def _notice(found: ParsedMessage) -> str:
    """The whole answer to a message without text; empty if the names of its files are something to talk about."""
    if found.clip:
        return unreadable(found.clip)
    if found.files or not (found.direct or found.mentioned):
        return ""
    return HELLO if found.raw.strip() else NOTHING


async def _no_groups() -> dict[str, str]:
    return {}
