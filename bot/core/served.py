"""Whom the bot serves, and where. Nothing else is recorded, and the person is told so once a day."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

from cachetools import TTLCache

from bot.config import Settings, SettingsError
from bot.core.platforms import account_forms, parse_person
from bot.events import MessageEvent
from bot.ports import AllowList, JournalUnavailable, Notices, Platform
from bot.ports.allow_list import split

#: The whole answer to what isn't served.
ELSEWHERE = (
    "I don't answer here: whoever runs me has chosen where I do, and for whom. "
    "Commands such as /memories and /forget work everywhere."
)
#: The notice's kind, and the seconds between two of them to one person.
NOTICE = "not served"
EVERY = 24 * 3600.0
#: Older messages get no notice: what catch-up finds today it may find again tomorrow.
TELL_WITHIN = timedelta(hours=1)
#: How many people this process remembers having asked the journal about, and for how many seconds.
ASKED = 10_000
ASKED_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Served:
    """The operator's allow-lists; an empty one means everybody, or everywhere.

    Attributes:
        places: Each platform's kind of allow-list and the ids it lists. A platform that isn't here is unrestricted,
            by the list of people too.
        people: The keys of the accounts that are served. Links don't count.
    """

    places: Mapping[str, tuple[AllowList | None, frozenset[str]]] = field(default_factory=dict)
    people: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: Settings, platforms: Sequence[Platform]) -> Self:
        """Read the settings. Raises SettingsError, one line that names the variable, if a list is malformed."""
        places: dict[str, tuple[AllowList | None, frozenset[str]]] = {}
        for platform in restricted(platforms):
            allowed = platform.allow_list
            places[platform.name] = (allowed, allowed.listed(settings) if allowed else frozenset())
        return cls(places, listed_people(settings, platforms))

    def covers(self, event: MessageEvent) -> bool:
        """Whether a message is answered, written down and learned from at all."""
        if event.place.platform not in self.places:
            return True
        if event.stranger or (self.people and event.person.key not in self.people):
            return False
        allowed, listed = self.places[event.place.platform]
        return allowed is None or allowed.covers(event.place, listed)


def restricted(platforms: Sequence[Platform]) -> list[Platform]:
    """The platforms that can be restricted: services, open to strangers. Whoever uses the terminal runs the bot."""
    return [platform for platform in platforms if platform.build]


def listed_people(settings: Settings, platforms: Sequence[Platform]) -> frozenset[str]:
    """The keys of BOT_PEOPLE's accounts; none is everybody. Raises SettingsError if it holds anything else."""
    if not settings.bot_people:
        return frozenset()
    platforms = restricted(platforms)
    try:
        people = frozenset(parse_person(word, platforms).key for word in split(settings.bot_people))
    except ValueError:
        people = frozenset()
    if not people:
        raise SettingsError(
            f"BOT_PEOPLE: must be accounts, each as {account_forms(platforms)}, separated by commas or spaces"
        )
    return people


class Doorkeeper:
    """Lets in what is served, and tells everybody else once a day that they aren't."""

    def __init__(
        self,
        served: Served | None = None,
        notices: Notices | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Without `served` everybody is served everywhere; without `notices` nobody is told."""
        self._served = served or Served()
        self._notices = notices
        self._clock = clock
        self._asked: TTLCache[str, None] = TTLCache(ASKED, ASKED_SECONDS, lambda: asyncio.get_running_loop().time())

    def lets_in(self, event: MessageEvent) -> bool:
        """Whether a message is served; always the same for one event."""
        return self._served.covers(event)

    async def should_tell(self, event: MessageEvent) -> bool:
        """Whether to tell the author that their message isn't served: True once a day, across all processes."""
        key = event.person.key
        if self._notices is None or not event.addressed or key in self._asked:
            return False
        if self._clock() - event.at > TELL_WITHIN:
            return False
        self._asked[key] = None  # a flood of messages asks the journal once
        try:
            return await self._notices.first(NOTICE, key, EVERY)
        except JournalUnavailable:
            return False
