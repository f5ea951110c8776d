"""The places where the bot was spoken to on Slack, and the order in which they are read after a gap."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from adapters.slack.compare import KnownMessages, place_of
from adapters.slack.events import ts_of

#: Places read per gap: channels and direct messages, then threads, the most recently active first.
PLACES = 600
#: Slack accepts some fifty such calls a minute: a burst first, then one every 1.3 s.
BURST = 20
PACE = 1.3
#: Seconds that a message waits for its place's backlog: it has to be acknowledged within three.
TURN = 1.0

Key = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """A channel's top level or a thread, and the timestamp of the newest message that the bot has seen there.

    `known` is what the journal knows of the last day there, `since` when that begins (empty: nothing known), `ours`:
    whether the bot takes part in it.
    """

    team: str
    channel: str
    thread: str | None
    seen: str
    known: KnownMessages = field(default_factory=KnownMessages)
    since: str = ""
    ours: bool = True
    tries: int = 0

    @property
    def key(self) -> Key:
        """Its channel and thread."""
        return self.channel, self.thread


class CatchUpPass:
    """The places to read for one gap. Those in which somebody is writing now come first."""

    def __init__(self, places: list[KnownPlace]) -> None:
        self.size = len(places)
        self._waiting = {place.key: place for place in places[:PLACES]}
        self._planned = set(self._waiting)
        self._looked = {key: asyncio.Event() for key in self._waiting}
        self._urgent: deque[Key] = deque()
        self._hurry = asyncio.Event()
        self._calls = 0

    async def next(self) -> KnownPlace | None:
        """Wait for the pace, and return the next place; None if none is left."""
        if not self._waiting:
            return None
        await self.pace()
        while self._urgent:
            if place := self._waiting.pop(self._urgent.popleft(), None):
                return place
        return self._waiting.pop(next(iter(self._waiting)))

    async def pace(self) -> None:
        """Wait until the next call may be made: a burst first, then evenly spaced, unless somebody waits."""
        self._calls += 1
        if self._calls > BURST and not self._urgent:
            self._hurry.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), PACE)

    def looked(self, place: KnownPlace) -> None:
        """A place was read, or has to wait too long: stop holding up its messages."""
        if event := self._looked.pop(place.key, None):
            event.set()

    def again(self, place: KnownPlace) -> None:
        """Queue a place again, after all others."""
        self._waiting[place.key] = place
        self.looked(place)

    def add(self, places: Iterable[KnownPlace]) -> None:
        """Queue further places, unless they are queued already."""
        for place in places:
            if place.key not in self._planned and len(self._planned) < PLACES:
                self._planned.add(place.key)
                self._waiting[place.key] = place

    async def wait_for_backlog(self, channel: str, thread: str | None) -> None:
        """Move a place to the front, and wait until it has been read, for a second at most."""
        if event := self._looked.get((channel, thread)):
            self._urgent.append((channel, thread))
            self._hurry.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), TURN)

    def close(self) -> None:
        """Stop holding up messages."""
        for event in self._looked.values():
            event.set()
        self._looked.clear()


def known_places(
    seen: Iterable[tuple[str, str, datetime]], known: dict[tuple[str, str, str | None], KnownMessages]
) -> Iterator[KnownPlace]:
    """The places by their keys, newest first: each thread, and each channel's top level once."""
    own = {place_of(key): newest for key, newest, _ in seen if key.endswith(":")}
    # In a channel every message to the bot starts a thread or is in one.
    earliest: dict[tuple[str, str], str] = {}
    for (team, channel, thread), in_place in known.items():
        first = min(in_place.messages) if thread is None else thread if thread in in_place.messages else None
        if first is not None:
            earliest[team, channel] = min(first, earliest.get((team, channel), first))
    tops: set[tuple[str, str]] = set()
    for key, newest, _ in sorted(seen, key=lambda place: place[2], reverse=True):
        team, channel, thread = place = place_of(key)
        if (team, channel) not in tops:
            tops.add((team, channel))
            top = (team, channel, None)
            yield KnownPlace(
                *top, ts_of(own.get(top, newest)), known.get(top, KnownMessages()), earliest.get((team, channel), "")
            )
        if thread:
            there = known.get(place, KnownMessages())
            yield KnownPlace(*place, ts_of(newest), there, min(there.messages, default=""))
