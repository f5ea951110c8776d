"""What concerns all platforms together: which are on, and whose account an id names."""

from collections.abc import Sequence

from bot.config import Settings, SettingsError
from bot.model import Person
from bot.ports import Platform


def require_platforms(settings: Settings, platforms: Sequence[Platform]) -> None:
    """Raise SettingsError unless `python -m bot` has a platform with all its settings."""
    for platform in platforms:
        platform.require(settings)
    if not any(platform.is_on(settings) for platform in platforms):
        raise SettingsError(
            "no platform: set DISCORD_TOKEN, or SLACK_BOT_TOKEN and SLACK_APP_TOKEN (or run: python -m bot chat)"
        )
    if settings.anthropic_api_key is None:
        raise SettingsError("ANTHROPIC_API_KEY: missing (a platform is set, and its answers come from Claude)")


def account_forms(platforms: Sequence[Platform]) -> str:
    """How accounts are written, in words: `discord:<id>, slack:<team>:<user> or terminal:<name>`."""
    *forms, last = (platform.account for platform in platforms)
    return f"{', '.join(forms)} or {last}"


def parse_person(text: str, platforms: Sequence[Platform]) -> Person:
    """The person that an operator names, in one of the platforms' forms.

    Raises ValueError, with a line that lists the forms, if it matches none.
    """
    for platform in platforms:
        if text.isprintable() and (named := platform.account_form.fullmatch(text)):
            *workspaces, user = named.groups()
            return Person(platform.name, "".join(workspaces), user)
    raise ValueError(f"a person is {account_forms(platforms)}")
