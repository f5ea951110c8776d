"""The doctor's check of Discord."""

import aiohttp

from bot.checks import Finding, Unreachable, ask, miscopied, name_of, secret, trouble, unreachable
from bot.config import Settings

#: Discord's application flags for the message-content intent: approved, and for a bot in few servers.
MESSAGE_CONTENT = 1 << 18 | 1 << 19
CONTENT = "DISCORD_MESSAGE_CONTENT"


async def check(session: aiohttp.ClientSession, settings: Settings) -> list[Finding]:
    """Try the token, and check which intents the application has."""
    if odd := miscopied(settings, "discord_token"):
        return odd
    # Discord rejects other user agents.
    headers = {
        "Authorization": f"Bot {secret(settings.discord_token)}",
        "User-Agent": "DiscordBot (memory-bot, 0.1.0)",
    }
    try:
        me = await ask(session, "GET", f"{settings.discord_api_base}/users/@me", headers)
        if me.status == 401:
            text = "refused; reset it at discord.com/developers, Bot, Reset Token"
            return [Finding("DISCORD_TOKEN", False, text)]
        if me.status != 200:
            return [Finding("DISCORD_TOKEN", False, f"Discord {trouble(me.status)}")]
        application = await ask(session, "GET", f"{settings.discord_api_base}/applications/@me", headers)
    except Unreachable as exc:
        return [unreachable("DISCORD_API_BASE", exc)]
    findings = [Finding("DISCORD_TOKEN", True, f"accepted, as {name_of(me.body.get('username'))}")]
    flags = application.body.get("flags")
    if application.status == 200 and isinstance(flags, int):
        findings += _intent(wanted=settings.discord_message_content, granted=bool(flags & MESSAGE_CONTENT))
    elif settings.discord_message_content:
        findings.append(Finding(CONTENT, True, "Discord doesn't say whether the portal's switch is on", odd=True))
    return findings


def _intent(*, wanted: bool, granted: bool) -> list[Finding]:
    """Compare the setting with the developer portal's switch."""
    if wanted and granted:
        return [Finding(CONTENT, True, "on, as in the developer portal")]
    if wanted:
        text = (
            "on, but not in the developer portal: Discord will refuse the connection; switch Message Content Intent on"
        )
        return [Finding(CONTENT, False, f"{text} at discord.com/developers, Bot, or unset this")]
    if granted:
        text = (
            "on, but not asked for; switch it off at discord.com/developers, Bot, or set DISCORD_MESSAGE_CONTENT=true"
        )
        return [Finding("Discord's message content intent", True, text)]
    return []
