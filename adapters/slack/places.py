"""The places that the bot was spoken to in on Slack, and the order in which they are looked through after a gap."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from adapters.slack.compare import KnownMessages, place_of
from adapters.slack.events import ts_of

#: Places that are looked through each time: channels and direct messages, then threads, those spoken in last first.
PLACES = 600
#: Slack takes some fifty such calls a minute: the first go at once, the others at this many seconds from each other.
BURST = 20
PACE = 1.3
#: Seconds that a message waits for what was missed before it: it has to be acknowledged within three.
TURN = 1.0

Key = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """A channel's top level or a thread, and the time stamp of the newest message that the bot has seen there.

    `known` is what the journal knows of the last day there, `since` when that begins (empty: nothing is known), `ours`
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
    """The places of one gap. The next is one in which somebody writes just now, else the first that waits."""

    def __init__(self, places: list[KnownPlace]) -> None:
        self.size = len(places)
        self._waiting = {place.key: place for place in places[:PLACES]}
        self._planned = set(self._waiting)
        self._looked = {key: asyncio.Event() for key in self._waiting}
        self._urgent: deque[Key] = deque()
        self._hurry = asyncio.Event()
        self._calls = 0

    async def next(self) -> KnownPlace | None:
        """The place to look through next, once it may be asked for; None where none is left."""
        if not self._waiting:
            return None
        await self.pace()
        while self._urgent:
            if place := self._waiting.pop(self._urgent.popleft(), None):
                return place
        return self._waiting.pop(next(iter(self._waiting)))

    async def pace(self) -> None:
        """Wait until the next call may go: a few at once, the others one after the other, unless somebody waits."""
        self._calls += 1
        if self._calls > BURST and not self._urgent:
            self._hurry.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), PACE)

    def looked(self, place: KnownPlace) -> None:
        """A place is looked through, or has to wait for longer than anybody would: it holds nothing up any more."""
        if event := self._looked.pop(place.key, None):
            event.set()

    def again(self, place: KnownPlace) -> None:
        """A place is to be looked through again, behind all others."""
        self._waiting[place.key] = place
        self.looked(place)

    def add(self, places: Iterable[KnownPlace]) -> None:
        """Have further places looked through, as far as they aren't to be anyway."""
        for place in places:
            if place.key not in self._planned and len(self._planned) < PLACES:
                self._planned.add(place.key)
                self._waiting[place.key] = place

    async def wait_for_backlog(self, channel: str, thread: str | None) -> None:
        """Wait until a place has been looked through, for a second at most; it is the next."""
        if event := self._looked.get((channel, thread)):
            self._urgent.append((channel, thread))
            self._hurry.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), TURN)

    def close(self) -> None:
        """Hold nothing up any more."""
        for event in self._looked.values():
            event.set()
        self._looked.clear()


def known_places(
    seen: Iterable[tuple[str, str, datetime]], known: dict[tuple[str, str, str | None], KnownMessages]
) -> Iterator[KnownPlace]:
    """The places by their keys, newest first: each thread, and the top level of its channel once."""
    own = {place_of(key): newest for key, newest, _ in seen if key.endswith(":")}
    # In a channel every message to the bot begins a thread or is in one.
    begun: dict[tuple[str, str], str] = {}
    for (team, channel, thread), one in known.items():
        first = min(one.messages) if thread is None else thread if thread in one.messages else None
        if first is not None:
            begun[team, channel] = min(first, begun.get((team, channel), first))
    tops: set[tuple[str, str]] = set()
    for key, newest, _ in sorted(seen, key=lambda place: place[2], reverse=True):
        team, channel, thread = place = place_of(key)
        if (team, channel) not in tops:
            tops.add((team, channel))
            top = (team, channel, None)
            yield KnownPlace(
                *top, ts_of(own.get(top, newest)), known.get(top, KnownMessages()), begun.get((team, channel), "")
            )
        if thread:
            there = known.get(place, KnownMessages())
            yield KnownPlace(*place, ts_of(newest), there, min(there.messages, default=""))
