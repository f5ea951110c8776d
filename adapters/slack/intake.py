"""From Slack's messages to the core: written down first, answered then."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cachetools import FIFOCache, LRUCache

from adapters.common.unread import HELLO, NOTHING, unreadable
from adapters.slack import text as slack_text
from adapters.slack.api import SlackApi
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

#: Commands given in words that are remembered, since Slack sends a mention twice.
SEEN = 1_000
#: Edits and deletions that are remembered: what is being caught up on may have been changed since it was read.
CHANGES = 1_000
#: People and channels of one message that Slack is asked for the names of; further ones go by their ids.
NAMED = 20
#: Of such names, how many that aren't known yet Slack is asked for in a minute on behalf of one person.
NAMED_A_MINUTE = 60
#: How old a message may be that an edit has addressed to the bot, in seconds: older ones are no question of now.
ADDRESSED_WITHIN = 86_400.0
#: Messages in threads that may be the bot's and wait for Slack to say so; past that, messages aren't acknowledged.
UNSURE = 1_000

#: How the subtypes begin of messages by which Slack tells of a channel itself.
CHANNEL_NOTICES = ("channel_", "group_")

Spawn = Callable[[Coroutine[Any, Any, None]], None]


async def _at_once(channel: str, thread: str | None) -> None:
    """Wait for nothing."""


class Intake:
    """Hands messages to the core. `url` is the workspace's own, for links; `spawn` runs what may take its time.

    Attributes:
        before: Waits for what a message in a channel or its thread comes after.
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
        self.before = _at_once
        self._naming = Allowance(NAMED_A_MINUTE)
        self._unsure: TaskSet[None] = TaskSet()
        self._seen: FIFOCache[str, None] = FIFOCache(SEEN)
        self._changes: LRUCache[str, Change] = LRUCache(CHANGES)

    async def take(self, body: Body) -> None:
        """Take in a message event. Where this returns, it may be acknowledged: nothing of it can be lost any more.

        Of a message in a thread which nobody here knows to be the bot's, that is so as well: only Slack can tell, and
        it is waited for afterwards. Where the process ends meanwhile, a thread that the journal knows is caught up on.

        Raises JournalUnavailable where it could not be written down, TimeoutError where too many wait for Slack's word
        on their threads: either way it has to come again.
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
        if self._is_for_us(found):
            await self._ours(found)
        elif self._may_be_for_us(found):
            self._once_known(found, self._follow_up)

    async def _ours(self, found: ParsedMessage) -> None:
        event = await self._understood(found)
        if isinstance(event, CommandEvent):
            # In a channel the same mention comes as a message too.
            if (found.named or not found.mentioned or found.kind not in ("channel", "group")) and self._first(found.id):
                self._spawn(self._interactions.words(event))
        else:
            await self.before(found.channel, found.thread)
            if await self._core.messages.admit(event):
                self._spawn(self._core.messages.on_message(event, self.reply_handle(event), admitted=True))

    def latest(self, found: ParsedMessage) -> ParsedMessage | None:
        """A message of a history as it stands now, by what this process was told since; None where it was deleted."""
        told = self._changes.get(found.id)
        if told is None or (told.new is not None and told.new.edited < found.edited):
            return found
        return told.new

    def is_deleted(self, event_id: str) -> bool:
        """Whether this process was told, not long ago, that a message was deleted."""
        told = self._changes.get(event_id)
        return told is not None and told.new is None

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
            ours = self._directory.known(found.new.channel, found.new.thread)
            if ours:
                await self._edited(found.new)
            elif ours is None:
                self._once_known(found.new, self._edited)

    async def _edited(self, found: ParsedMessage) -> None:
        await self._core.changes.on_edited(await self.event(found))

    async def _newly_ours(self, new: ParsedMessage, old: ParsedMessage | None) -> bool:
        """Whether a message has become one for the bot by its edit: then it is answered like any other."""
        if new.direct or not new.mentioned or (old is not None and old.mentioned):
            return False
        if time.time() - float(new.ts) > ADDRESSED_WITHIN:
            return False
        self._directory.join(new.channel, new.thread or new.ts)
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
        """Go on with a message once Slack says that its thread is the bot's. Raises TimeoutError where many wait."""
        if len(self._unsure) >= UNSURE:
            raise TimeoutError

        async def wait() -> None:
            if await self._directory.joined(found.channel, found.thread or ""):
                self._spawn(then(found))

        self._unsure.spawn(wait())

    async def _follow_up(self, found: ParsedMessage) -> None:
        latest = self.latest(found)
        if latest is not None and not latest.others:
            event = await self._understood(latest)
            if isinstance(event, CommandEvent):
                await self._interactions.words(event)
            else:
                await self._core.messages.on_message(event, self.reply_handle(event))

    async def close(self) -> None:
        """Wait no longer for Slack's word on threads."""
        for task in self._unsure:
            task.cancel()
        await asyncio.gather(*self._unsure, return_exceptions=True)

    async def channel_changed(self, body: Body) -> None:
        """Something about a channel has changed, such as who can read it."""
        channel = (body.get("event") or {}).get("channel")
        self._directory.forget(str(channel.get("id") if isinstance(channel, dict) else channel))

    def _follow(self, event: dict[str, Any]) -> None:
        """Slack also tells in the channel itself that it was converted, archived, renamed."""
        if str(event.get("subtype") or "").startswith(CHANNEL_NOTICES):
            self._directory.forget(str(event["channel"]))

    async def renewed(self, event: MessageEvent) -> MessageEvent:
        """An event that was put off, with who reads its place now."""
        place = event.place
        kind = "im" if place.audience is Audience.PRIVATE else ""
        self._directory.refresh(place.channel)
        given = await self._directory.place(place.workspace, place.channel, place.thread, kind)
        return replace(event, person=self._api.home.person(event.person.user), given=given)

    async def removed(self, body: Body) -> None:
        """Tell the core that the workspace has removed the app, or revoked its token."""
        event = body.get("event") or {}
        if event.get("type") == "tokens_revoked" and not (event.get("tokens") or {}).get("bot"):
            return  # some person's own token, of which the bot has none
        log.warning("slack: the app was removed from a workspace (%s)", event.get("type"))
        await self._core.changes.on_removed("slack", team_of(body, self._api.home))

    def reply_handle(self, event: MessageEvent, *, unsure: bool = False) -> SlackReply:
        """The way back to a message; `unsure` where some of its answer may be there already."""
        after, confirm = ts_of(event.id), partial(self._core.messages.confirm, event.id)
        return SlackReply(self._api, event.place, event.person, event.id, after, confirm, unsure=unsure)

    async def read(self, found: ParsedMessage) -> MessageEvent | CommandEvent | None:
        """What the core is told of a message; None where it isn't for the bot, of which Slack may have to be asked."""
        if self._is_for_us(found):
            return await self._understood(found)
        if not self._may_be_for_us(found) or not await self._directory.joined(found.channel, found.thread or ""):
            return None
        return await self._understood(found)

    async def _understood(self, found: ParsedMessage) -> MessageEvent | CommandEvent:
        """A message or a command that is for the bot. Takes about two seconds at most."""
        event = await self.event(found)
        given = self._command_in(found, event.text)
        if given is None:
            return event
        # A command is answered where it was given, not in a thread of its own.
        place = replace(event.place, thread=found.thread)
        zone = await self._directory.zone(found.person.user)
        return CommandEvent(found.person, place, given.name, given.argument, found.at.astimezone(zone), event.name)

    async def event(self, found: ParsedMessage) -> MessageEvent:
        """A message as the core is told of it, whether or not it is for the bot."""
        thread = found.thread if found.direct else found.thread or found.ts
        place, names = await asyncio.gather(
            self._directory.place(found.team, found.channel, thread, found.kind, external=found.external),
            self._names(found),
        )
        known = await self._known(found)
        text = slack_text.plain(found.raw, self._api.bot_user, names, known)
        forwarded = tuple(slack_text.plain(raw, "", names, known) for raw in found.forwarded)
        return MessageEvent(
            id=found.id,
            person=found.person,
            place=place,
            text=text,
            name=names[found.person.user],
            at=found.at,
            attachments=found.files,
            link=self._link(found),
            reply_to=f"{found.id.rpartition(':')[0]}:{found.thread}" if found.thread else None,
            forwarded=forwarded,
            notice="" if text or forwarded else _notice(found),
            addressed=found.direct or found.mentioned,
        )

    def _is_for_us(self, found: ParsedMessage) -> bool:
        """Whether a message is for the bot, as far as is known here."""
        if found.direct:
            return True
        if found.mentioned:
            self._directory.join(found.channel, found.thread or found.ts)
            return True
        return self._may_be_for_us(found) and self._directory.known(found.channel, found.thread or "") is True

    def _may_be_for_us(self, found: ParsedMessage) -> bool:
        """Whether a message is for the bot where its thread is one that the bot has written in."""
        if found.thread is None or found.others:
            return False
        return self._directory.known(found.channel, found.thread) is not False

    async def _names(self, found: ParsedMessage) -> dict[str, str]:
        """How the writer is called, and whom they mention, the first of them."""
        raws = (found.raw, *found.forwarded)
        users = dict.fromkeys(user for raw in raws for user in slack_text.mentioned(raw))
        users.pop(self._api.bot_user, None)
        return await self._directory.names([found.person.user, *self._named(found, users)])

    def _named(self, found: ParsedMessage, ids: Iterable[str]) -> list[str]:
        """Those of the people or channels in a message whose names are told, or asked for."""
        key, now = found.person.key, datetime.now(UTC)
        first = list(ids)[:NAMED]
        return [each for each in first if self._directory.at_hand(each) or self._naming.spend(key, now)]

    async def _known(self, found: ParsedMessage) -> slack_text.ResolvedNames:
        """What else the message's tokens stand for, as far as its writer may know it."""
        raws = (found.raw, *found.forwarded)
        wanted = dict.fromkeys(channel for raw in raws for channel in slack_text.channels(raw))
        channels = self._named(found, wanted)
        groups = any(slack_text.mentions_group(raw) for raw in raws)
        user = found.person.user
        zone = await self._directory.zone(user) if any(slack_text.dates(raw) for raw in raws) else UTC
        if not (channels or groups) or not await self._directory.is_member(user, found.team):
            return slack_text.ResolvedNames(zone=zone)
        named, called = await asyncio.gather(
            self._directory.channels(channels, found.channel), self._directory.groups() if groups else _no_groups()
        )
        return slack_text.ResolvedNames(named, called, zone)

    def _command_in(self, found: ParsedMessage, text: str) -> Spoken | None:
        """A command given in words: in a direct message, with a mention, or with a slash."""
        given = command(text, found.at)
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
    """The whole answer to a message without text, empty where the names of its files are something to talk about."""
    if found.clip:
        return unreadable(found.clip)
    if found.files or not (found.direct or found.mentioned):
        return ""
    return HELLO if found.raw.strip() else NOTHING


async def _no_groups() -> dict[str, str]:
    return {}
