"""Allow-lists: settings that name whom the bot serves, and where. What none of them names is all served."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from bot.config import Settings, SettingsError
from bot.model import Place

_SEPARATORS = re.compile(r"[,\s]+")


def split(value: str | None) -> list[str]:
    """What a list holds, separated by commas or white space."""
    return [word for word in _SEPARATORS.split(value or "") if word]


@dataclass(frozen=True, slots=True)
class AllowList:
    """The setting with which an operator restricts a platform to some of its places.

    Attributes:
        setting: The settings field.
        form: The pattern of an id.
        ids: What the ids are, with an example.
        of: What of a place is listed, such as its workspace; None where the list doesn't apply, as in direct messages.
    """

    setting: str
    form: re.Pattern[str]
    ids: str
    of: Callable[[Place], str | None]

    def covers(self, place: Place, listed: frozenset[str]) -> bool:
        """Whether a place is served where these ids are listed."""
        one = self.of(place)
        return not listed or one is None or one in listed

    def listed(self, settings: Settings) -> frozenset[str]:
        """The ids that are set; none is all. Raises SettingsError if something else is."""
        value: str | None = getattr(settings, self.setting)
        listed = split(value)
        # Set, but to nothing: that this would mean everybody is hardly what was wanted.
        if value and not (listed and all(self.form.fullmatch(word) for word in listed)):
            raise SettingsError(f"{self.setting.upper()}: must be {self.ids}, separated by commas or spaces")
        return frozenset(listed)
