"""Finds what was deleted or edited on Slack while disconnected, by comparing the journal with the histories."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from adapters.slack.api import TOMBSTONE, History, SlackApi
from adapters.slack.errors import SLACK_ERRORS, code, is_transient, retry_after
from adapters.slack.events import ParsedMessage, former_ids, ts_of
from adapters.slack.intake import Intake
from bot.aio.backoff import Backoff
from bot.model import PlaceKey
from bot.ports import Core

log = logging.getLogger(__name__)

#: Seconds before a place was last heard from in which edits may not have been delivered: clocks differ, and a process
#: died.
MARGIN = 60.0
#: Deletions reported in one call.
BULK = 100
#: Attempts to check one message.
TRIES = 4
BACKOFF = Backoff(first=2.0)


def place_of(key: str) -> tuple[str, str, str | None]:
    """A `Place.key` as team, channel, and thread (None: the channel's top level)."""
    place = PlaceKey.parse(key)
    return place.workspace, place.channel, place.thread


@dataclass(frozen=True, slots=True)
class KnownMessages:
    """Timestamps of a place's messages that the journal knows, and when it last heard from the place."""

    messages: frozenset[str] = frozenset()
    heard: float = field(default=0.0)

    @classmethod
    def by_place(
        cls, recent: Iterable[tuple[str, str, datetime]]
    ) -> dict[tuple[str, str, str | None], "KnownMessages"]:
        """What `History.recently_seen` returns, by place."""
        messages: dict[tuple[str, str, str | None], set[str]] = {}
        heard: dict[tuple[str, str, str | None], float] = {}
        for key, event_id, at in recent:
            place = place_of(key)
            messages.setdefault(place, set()).add(ts_of(event_id))
            heard[place] = max(heard.get(place, 0.0), at.timestamp())
        return {place: cls(frozenset(known), heard[place]) for place, known in messages.items()}


class Comparison:
    """Reports known messages that were deleted or edited to the core, as Slack would have.

    A message that is missing from a complete history counts as deleted only if Slack, asked for that message, doesn't
    return it either.
    """

    def __init__(self, core: Core, api: SlackApi, intake: Intake) -> None:
        self._core = core
        self._api = api
        self._intake = intake

    async def history(self, channel: str, thread: str | None, since: str, known: KnownMessages) -> History:
        """A place's messages from a timestamp on. Raises SLACK_ERRORS."""
        try:
            return await self._api.since(channel, thread, since)
        except SLACK_ERRORS as exc:
            if thread is None or not known.messages or code(exc) != "thread_not_found":
                raise
            return History([], whole=True)  # nothing seems to be left: check each message

    async def edited(self, known: KnownMessages, messages: Sequence[ParsedMessage | None]) -> None:
        """Report known messages that were edited since the place was last heard from."""
        for found in messages:
            if found is None or found.ts not in known.messages or found.edited <= known.heard - MARGIN:
                continue
            if self._intake.latest(found) is found:  # otherwise this or a later edit was delivered
                await self._core.changes.on_edited(await self._intake.event(found))

    def missing(self, known: KnownMessages, history: History) -> list[str]:
        """The known messages that a history should include but doesn't."""
        there = {message["ts"] for message in history.messages if message.get("subtype") != TOMBSTONE}
        return sorted(ts for ts in known.messages if ts not in there and history.covers(ts))

    async def deleted(
        self, team: str, channel: str, thread: str | None, missing: list[str], turn: Callable[[], Awaitable[None]]
    ) -> None:
        """Check each missing message, and report those that were deleted; `turn` waits before each call.

        If Slack fails, the rest waits until after the next gap.
        """
        gone: list[str] = []
        for ts in missing:
            event_id = self._api.home.message_id(channel, ts)
            if self._intake.is_deleted(event_id):
                continue
            try:
                if await self._is_gone(channel, thread, ts, turn):
                    gone += [event_id, *former_ids(team, channel, ts, self._api.home)]
            except SLACK_ERRORS as exc:
                log.warning("slack: could not check whether %d messages were deleted: %s", len(missing), code(exc))
                break
        if gone:
            log.info("slack: %d messages were deleted while offline", len(gone))
        for start in range(0, len(gone), BULK):
            await self._core.changes.on_deleted(gone[start : start + BULK])

    async def _is_gone(self, channel: str, thread: str | None, ts: str, turn: Callable[[], Awaitable[None]]) -> bool:
        for attempt in range(1, TRIES + 1):
            await turn()
            try:
                return await self._api.is_gone(channel, thread, ts)
            except SLACK_ERRORS as exc:
                if not is_transient(exc) or attempt == TRIES:
                    raise
                await asyncio.sleep(max(retry_after(exc), BACKOFF.after(attempt)))
        raise AssertionError("unreachable")
