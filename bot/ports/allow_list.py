"""Allow-lists: settings that name whom the bot serves, and where. An empty list restricts nothing."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from bot.config import Settings, SettingsError
from bot.model import Place

_SEPARATORS = re.compile(r"[,\s]+")


def split(value: str | None) -> list[str]:
    """A list's entries, separated by commas or white space."""
    return [word for word in _SEPARATORS.split(value or "") if word]


@dataclass(frozen=True, slots=True)
class AllowList:
    """The setting with which an operator restricts a platform to some of its places.

    Attributes:
        setting: The settings field.
        form: The pattern of an id.
        ids: What the ids are, with an example.
        of: The id to look up for a place, such as its workspace's; None where the list doesn't apply, as in direct
            messages.
    """

    setting: str
    form: re.Pattern[str]
    ids: str
    of: Callable[[Place], str | None]

    def covers(self, place: Place, listed: frozenset[str]) -> bool:
        """Whether a place is served if these ids are listed."""
        place_id = self.of(place)
        return not listed or place_id is None or place_id in listed

    def listed(self, settings: Settings) -> frozenset[str]:
        """The ids that are set; none means all. Raises SettingsError for anything that isn't an id."""
        value: str | None = getattr(settings, self.setting)
        listed = split(value)
        # A list that is set but holds nothing is hardly meant to serve everybody.
        if value and not (listed and all(self.form.fullmatch(word) for word in listed)):
            raise SettingsError(f"{self.setting.upper()}: must be {self.ids}, separated by commas or spaces")
        return frozenset(listed)
