"""The doctor's check of hosted mem0."""

import aiohttp

from bot.checks import Finding, Unreachable, ask, miscopied, secret, trouble, unreachable
from bot.config import Settings


async def check(session: aiohttp.ClientSession, settings: Settings) -> list[Finding]:
    """Try the key, if one is set."""
    if settings.mem0_api_key is None:
        return []
    if odd := miscopied(settings, "mem0_api_key"):
        return odd
    headers = {"Authorization": f"Token {secret(settings.mem0_api_key)}"}
    try:
        reply = await ask(session, "GET", f"{settings.mem0_host}/v1/ping/", headers)
    except Unreachable as exc:
        return [unreachable("MEM0_HOST", exc)]
    if reply.status == 200:
        return [Finding("MEM0_API_KEY", True, "accepted")]
    if reply.status in (400, 401, 403):
        return [Finding("MEM0_API_KEY", False, f"refused (HTTP {reply.status}); make a new key at app.mem0.ai")]
    return [Finding("MEM0_API_KEY", False, f"mem0 {trouble(reply.status)}")]
