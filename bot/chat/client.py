"""What every request to Claude shares: the SDK's client."""

import logging

import aiohttp
import anthropic
import httpx2
from anthropic._vendor.httpx_aiohttp import AiohttpTransport  # the transport of its public DefaultAioHttpClient

from bot.config import Settings
from bot.network import BoundedStream, BoundedTransport, Connector, proxy_for, tls

#: Room for every answer and extraction of a busy moment; idle connections are kept for the next message.
LIMITS = httpx2.Limits(max_connections=2000, max_keepalive_connections=400)
RETRIES = 2


class _Stream(BoundedStream, httpx2.AsyncByteStream):
    """What is read of one response."""


class _Transport(BoundedTransport, httpx2.AsyncBaseTransport):
    """The SDK reads a stream as events whatever its type says. What comes whole is far below an event's bound."""

    service, stream, error, events = "claude", _Stream, httpx2.DecodingError, True


def _session() -> aiohttp.ClientSession:
    """Opened with the first request, on its loop."""
    connector = Connector(limit=LIMITS.max_connections or 0, keepalive_timeout=LIMITS.keepalive_expiry)
    return aiohttp.ClientSession(connector=connector)


def client(settings: Settings, timeout: httpx2.Timeout) -> anthropic.AsyncAnthropic:
    """The SDK's client for these settings. Everything is passed, so that it looks for no credentials elsewhere."""
    key = settings.anthropic_api_key
    base_url = settings.anthropic_base_url or "https://api.anthropic.com"
    proxy_for(base_url)  # a proxy that can't be used ends the start, and not each answer
    made = anthropic.AsyncAnthropic(
        api_key=key.get_secret_value() if key else "",
        base_url=base_url,
        timeout=timeout,
        max_retries=RETRIES,
        # Over aiohttp. The SDK's default transport looks through the whole pool at each request: ran, 200 answers at
        # once cost 5 to 6 ms of processor time each, over aiohttp 2.
        http_client=anthropic.DefaultAioHttpClient(
            transport=_Transport(AiohttpTransport(verify=tls(), client=_session)), timeout=timeout
        ),
    )
    # At DEBUG the SDK logs whole requests, and ANTHROPIC_LOG turns that on.
    logging.getLogger("anthropic").setLevel(logging.INFO)
    return made
