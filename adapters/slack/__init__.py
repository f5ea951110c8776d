"""Slack, by Bolt."""

import re
from typing import TYPE_CHECKING

from adapters.slack.allow_list import CHANNELS
from bot.config import Settings, SettingsError
from bot.ports import Adapter, Core, Platform

if TYPE_CHECKING:
    import aiohttp

    from bot.checks import Finding


def _require(settings: Settings) -> None:
    if settings.slack_app_token is not None and settings.slack_bot_token is None:
        raise SettingsError("SLACK_BOT_TOKEN: missing (SLACK_APP_TOKEN is set; Slack needs both)")
    if settings.slack_bot_token is not None and settings.slack_app_token is None and not settings.slack_signing_secret:
        raise SettingsError(
            "SLACK_APP_TOKEN: missing (SLACK_BOT_TOKEN is set; Slack needs both, or SLACK_SIGNING_SECRET for HTTP)"
        )
    if settings.slack_signing_secret is not None and settings.slack_bot_token is None:
        raise SettingsError("SLACK_BOT_TOKEN: missing (SLACK_SIGNING_SECRET is set; Slack over HTTP needs both)")


async def _check(session: "aiohttp.ClientSession", settings: Settings) -> "list[Finding]":
    from adapters.slack import doctor

    return await doctor.check(session, settings)


def _build(settings: Settings, core: Core) -> Adapter:
    from adapters.slack.adapter import SlackAdapter  # Bolt takes a second to import

    return SlackAdapter(settings, core)


SLACK = Platform(
    name="slack",
    label="Slack",
    account="slack:<team>:<user>",
    account_form=re.compile(r"slack:([TE][A-Z0-9]{0,39}):([UW][A-Z0-9]{0,39})"),
    tokens=("slack_bot_token", "slack_app_token", "slack_signing_secret"),
    is_on=lambda settings: settings.slack_bot_token is not None,
    require=_require,
    allow_list=CHANNELS,
    check=_check,
    build=_build,
)
