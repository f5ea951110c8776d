"""The doctor's check of Slack."""

import re

import aiohttp
from pydantic import SecretStr

from bot.checks import Finding, Reply, Unreachable, ask, miscopied, name_of, secret, trouble, unreachable
from bot.config import Settings

#: The bot's scopes in slack-manifest.yaml. Without any of them, something fails.
SCOPES = frozenset(
    {
        *("app_mentions:read", "channels:history", "channels:read", "chat:write", "commands", "files:read"),
        *("files:write", "groups:history", "groups:read", "im:history", "im:write", "metadata.message:read"),
        *("mpim:history", "mpim:read", "reactions:write", "usergroups:read", "users:read"),
    }
)

_CODE = re.compile(r"[a-z0-9_]{1,60}")


async def check(session: aiohttp.ClientSession, settings: Settings) -> list[Finding]:
    """Try the tokens that are set, and check the bot's scopes."""
    if odd := miscopied(settings, "slack_bot_token", "slack_app_token", "slack_signing_secret"):
        return odd
    findings = []
    try:
        if settings.slack_bot_token is not None:
            findings += await _bot(session, settings)
        if settings.slack_app_token is not None:
            url = f"{settings.slack_api_base}/apps.connections.open"
            reply = await ask(session, "POST", url, _bearer(settings.slack_app_token))
            advice = "make an app-level token with connections:write, and switch Socket Mode on"
            findings.append(_finding("SLACK_APP_TOKEN", reply, "accepted, Socket Mode is on", advice))
        elif settings.slack_signing_secret is not None:
            text = f"set; Slack's first request to /slack/events at port {settings.port} will show whether it is right"
            findings.append(Finding("SLACK_SIGNING_SECRET", True, text))
    except Unreachable as exc:
        return [unreachable("SLACK_API_BASE", exc)]
    return findings


async def _bot(session: aiohttp.ClientSession, settings: Settings) -> list[Finding]:
    reply = await ask(session, "POST", f"{settings.slack_api_base}/auth.test", _bearer(settings.slack_bot_token))
    well = f"accepted, as {name_of(reply.body.get('user'))} in {name_of(reply.body.get('team'))}"
    advice = "install the app to the workspace and copy its bot token, xoxb-…"
    findings = [_finding("SLACK_BOT_TOKEN", reply, well, advice)]
    if findings[0].ok and reply.scopes is not None:
        missing = sorted(SCOPES - {scope.strip() for scope in reply.scopes.split(",")})
        if missing:
            text = f"lacks {', '.join(missing)}; add them (or the manifest), then reinstall the app"
            findings.append(Finding("Slack's scopes", False, text))
    return findings


def _bearer(token: SecretStr | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret(token)}"}


def _finding(name: str, reply: Reply, well: str, advice: str) -> Finding:
    if reply.body.get("ok") is True:
        return Finding(name, True, well)
    error = reply.body.get("error")
    if isinstance(error, str) and _CODE.fullmatch(error):
        return Finding(name, False, f"refused ({error}); {advice}")
    return Finding(name, False, f"Slack {trouble(reply.status)}")
