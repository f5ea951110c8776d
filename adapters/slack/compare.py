"""What was deleted and edited on Slack while nobody listened: what the journal knows, held against the histories."""

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

#: What was edited shortly before a place was last heard of may not have been told, in seconds: two clocks, and a
#: process that died.
MARGIN = 60.0
#: Deletions that are told at once.
BULK = 100
#: Tries at a message that is asked for alone.
TRIES = 4
BACKOFF = Backoff(first=2.0)


def place_of(key: str) -> tuple[str, str, str | None]:
    """A `Place.key` as team, channel, and thread (None: the channel's top level)."""
    place = PlaceKey.parse(key)
    return place.workspace, place.channel, place.thread


@dataclass(frozen=True, slots=True)
class KnownMessages:
    """Time stamps of the messages of a place that the journal knows, and when it last heard of the place."""

    messages: frozenset[str] = frozenset()
    heard: float = field(default=0.0)

    @classmethod
    def by_place(
        cls, recent: Iterable[tuple[str, str, datetime]]
    ) -> dict[tuple[str, str, str | None], "KnownMessages"]:
        """What `History.recently_seen` tells, by place."""
        messages: dict[tuple[str, str, str | None], set[str]] = {}
        heard: dict[tuple[str, str, str | None], float] = {}
        for key, event_id, at in recent:
            place = place_of(key)
            messages.setdefault(place, set()).add(ts_of(event_id))
            heard[place] = max(heard.get(place, 0.0), at.timestamp())
        return {place: cls(frozenset(known), heard[place]) for place, known in messages.items()}


class Comparison:
    """Tells the core of known messages that are gone or edited, as Slack would have.

    A message that is missing from a history which was read whole counts as deleted only where Slack, asked for it
    alone, doesn't show it either.
    """

    def __init__(self, core: Core, api: SlackApi, intake: Intake) -> None:
        self._core = core
        self._api = api
        self._intake = intake

    async def history(self, channel: str, thread: str | None, since: str, known: KnownMessages) -> History:
        """What a place holds from a time stamp on. Raises one of SLACK_ERRORS."""
        try:
            return await self._api.since(channel, thread, since)
        except SLACK_ERRORS as exc:
            if thread is None or not known.messages or code(exc) != "thread_not_found":
                raise
            return History([], whole=True)  # nothing is left of it, as it seems: each is asked for alone

    async def edited(self, known: KnownMessages, messages: Sequence[ParsedMessage | None]) -> None:
        """Tell of the known messages that were edited since the place was last heard of."""
        for found in messages:
            if found is None or found.ts not in known.messages or found.edited <= known.heard - MARGIN:
                continue
            if self._intake.latest(found) is found:  # else it was told already, or a later edit was
                await self._core.changes.on_edited(await self._intake.event(found))

    def missing(self, known: KnownMessages, history: History) -> list[str]:
        """The known messages that a history would show, were they still there."""
        there = {one["ts"] for one in history.messages if one.get("subtype") != TOMBSTONE}
        return sorted(ts for ts in known.messages if ts not in there and history.tells_of(ts))

    async def deleted(
        self, team: str, channel: str, thread: str | None, missing: list[str], turn: Callable[[], Awaitable[None]]
    ) -> None:
        """Ask Slack for each message that is missing, and tell of those that are gone; `turn` waits before each call.

        Where Slack doesn't say, none of the others is asked for: the next gap is time enough.
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
