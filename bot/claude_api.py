"""What every request to Claude shares: the SDK's client."""

import logging
from collections.abc import AsyncIterator

import aiohttp
import anthropic
import httpx2
from anthropic._vendor.httpx_aiohttp import AiohttpTransport  # the transport of its public DefaultAioHttpClient

from bot.config import Settings
from bot.network import Connector, Meter, TooMuch, proxy_for, tls

log = logging.getLogger(__name__)

#: Room for every answer and extraction of a busy moment; idle connections are kept for the next message.
LIMITS = httpx2.Limits(max_connections=2000, max_keepalive_connections=400)
RETRIES = 2


class _Stream(httpx2.AsyncByteStream):
    """A response's bytes, up to what is read of one."""

    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner
        # The SDK reads a stream as events whatever its type says. What comes whole is far below an event's bound.
        self._meter = Meter(events=True)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            try:
                self._meter.count(chunk)
            except TooMuch as exc:
                raise _refused(exc) from exc
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Transport(httpx2.AsyncBaseTransport):
    """A transport that reads no more of a response than it may."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["Accept-Encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        try:
            Meter.check(response.headers)
        except TooMuch as exc:
            await response.aclose()
            raise _refused(exc) from exc
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Stream(response.stream)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def _refused(exc: TooMuch) -> httpx2.DecodingError:
    log.warning("claude: %s", str(exc))
    return httpx2.DecodingError("more than is read")


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
