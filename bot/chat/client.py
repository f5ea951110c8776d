"""The SDK's client, which all requests to Claude share."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import anthropic
import httpx2
from anthropic._vendor.httpx_aiohttp import AiohttpTransport  # the transport of its public DefaultAioHttpClient

from bot.config import Settings
from bot.network import BoundedStream, BoundedTransport, Connector, proxy_for, tls
from bot.usage import Usage

#: Enough for every answer and extraction of a busy moment; idle connections are kept for the next message.
LIMITS = httpx2.Limits(max_connections=2000, max_keepalive_connections=400)
RETRIES = 2


class _Stream(BoundedStream, httpx2.AsyncByteStream):
    """The bounded body of one response."""


@dataclass(slots=True)
class Tally:
    """How often the SDK sent one request, and how often it was refused or didn't arrive, which isn't billed."""

    sent: int = 0
    refused: int = 0

    @property
    def billed(self) -> int:
        """How many of them may be billed: more than one if a response broke off and the SDK sent it again."""
        return self.sent - self.refused


#: The tally of the request that is being sent.
_tally: ContextVar[Tally | None] = ContextVar("tally", default=None)


class _Transport(BoundedTransport, httpx2.AsyncBaseTransport):
    """The SDK parses a stream as events whatever its content type; other responses are far below an event's bound."""

    service, stream, error, events = "claude", _Stream, httpx2.DecodingError, True

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request, and count it."""
        counted = _tally.get() or Tally()
        counted.sent += 1
        try:
            response = await super().handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
            counted.refused += 1
            raise
        counted.refused += response.status_code >= 400
        return response


def _session() -> aiohttp.ClientSession:
    """Created for the first request, on its event loop."""
    connector = Connector(limit=LIMITS.max_connections or 0, keepalive_timeout=LIMITS.keepalive_expiry)
    return aiohttp.ClientSession(connector=connector)


def client(settings: Settings, timeout: httpx2.Timeout) -> anthropic.AsyncAnthropic:
    """The SDK's client for these settings. Everything is passed explicitly, so that it looks for nothing elsewhere."""
    key = settings.anthropic_api_key
    base_url = settings.anthropic_base_url or "https://api.anthropic.com"
    proxy_for(base_url)  # an unusable proxy should fail startup, not every answer
    made = anthropic.AsyncAnthropic(
        api_key=key.get_secret_value() if key else "",
        base_url=base_url,
        timeout=timeout,
        max_retries=RETRIES,
        # Over aiohttp. The SDK's default transport searches the whole pool on each request: measured with 200
        # concurrent answers, 5 to 6 ms of CPU time each, 2 ms over aiohttp.
        http_client=anthropic.DefaultAioHttpClient(
            transport=_Transport(AiohttpTransport(verify=tls(), client=_session)), timeout=timeout
        ),
    )
    # At DEBUG, which ANTHROPIC_LOG can turn on, the SDK logs whole requests.
    logging.getLogger("anthropic").setLevel(logging.INFO)
    return made


@contextmanager
def counting(tally: Tally) -> Iterator[None]:
    """Count in `tally` what the current task sends within the block."""
    before = _tally.set(tally)
    try:
        yield
    finally:
        _tally.reset(before)


def max_usage(request: Mapping[str, Any]) -> Usage:
    """The most that a request can take: no token is shorter than a byte, and `max_tokens` bounds the answer.

    The whole prompt may be written to the cache, which costs the most.
    """
    prompt = {name: value for name, value in request.items() if name in ("system", "messages", "tools")}
    return Usage(written=len(json.dumps(prompt, ensure_ascii=False).encode()), output=request["max_tokens"])


#: No request takes more tokens: a larger count is as malformed as text.
_MOST_TOKENS = 100_000_000
_FIELDS = {
    "input_tokens": "input",
    "cache_read_input_tokens": "cached",
    "cache_creation_input_tokens": "written",
    "output_tokens": "output",
}


def usage_of(max_usage: Usage, *reported: Any) -> Usage:
    """The usage that the service reported, the latest of each number; what it left out is taken from `max_usage`.

    Prompt tokens that it reports as neither cached nor written are not in the cache.
    """
    counts = {}
    for usage in reported:
        for name, field in _FIELDS.items():
            value = getattr(usage, name, None)
            if isinstance(value, int) and 0 <= value <= _MOST_TOKENS:
                counts[field] = value
        searches = getattr(getattr(usage, "server_tool_use", None), "web_search_requests", None)
        if isinstance(searches, int) and 0 <= searches <= _MOST_TOKENS:
            counts["searches"] = searches
    if "input" in counts:
        max_usage = Usage(output=max_usage.output)
    return replace(max_usage, **counts)
