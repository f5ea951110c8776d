"""What every request to Claude shares: the SDK's client."""

import logging

import anthropic
import httpx2

from bot.config import Settings

#: Room for every answer and extraction of a busy moment; idle connections are kept for the next message.
LIMITS = httpx2.Limits(max_connections=2000, max_keepalive_connections=400)
RETRIES = 2


def client(settings: Settings, timeout: httpx2.Timeout) -> anthropic.AsyncAnthropic:
    """The SDK's client for these settings. Everything is passed, so that it looks for no credentials elsewhere."""
    key = settings.anthropic_api_key
    made = anthropic.AsyncAnthropic(
        api_key=key.get_secret_value() if key else "",
        base_url=settings.anthropic_base_url or "https://api.anthropic.com",
        timeout=timeout,
        max_retries=RETRIES,
        # The SDK's transport over aiohttp. Its default one looks through the whole pool at each request: ran, 200
        # answers at once cost 5 to 6 ms of processor time each, over aiohttp 2.
        http_client=anthropic.DefaultAioHttpClient(limits=LIMITS, timeout=timeout),
    )
    # At DEBUG the SDK logs whole requests, and ANTHROPIC_LOG turns that on.
    logging.getLogger("anthropic").setLevel(logging.INFO)
    return made
