"""What all HTTP clients share: the operator's proxy, the CAs they trust, and a limit on what is read of a response.

The libraries differ in the variables they respect (discord.py none, slack_sdk all but NO_PROXY, aiohttp none for
WebSockets), so all of them get our connector, which decides.
"""

import ipaddress
import logging
import os
import ssl
from collections.abc import AsyncIterator, Callable
from functools import lru_cache, partial
from typing import Any, ClassVar
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

import aiohttp
import certifi
from aiohttp.client_proto import ResponseHandler
from aiohttp.streams import StreamReader
from yarl import URL

from bot.config import SettingsError

log = logging.getLogger(__name__)

#: Bytes of one response, decompressed. Responses are parsed in one go, which blocks the loop.
MAX_RESPONSE = 16 * 2**20
#: The same where responses are files too.
MAX_FILE = 24 * 2**20
#: Bytes and lines of one server-sent event: the SDK assembles it line by line, copying each time.
MAX_EVENT = 4 * 2**20
MAX_EVENT_LINES = 1000

_PLAIN = {"ws": "http", "wss": "https"}
_EVENT_ENDS = (b"\n\n", b"\r\r", b"\r\n\r\n")
_BUNDLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


class TooLong(Exception):
    """A service sends more than is read. The message says what, and quotes nothing."""


# -- proxies


def proxy_for(url: str | URL) -> URL | None:
    """The proxy that the environment names for an address; None for a direct connection.

    HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY count (lower case takes precedence), for WebSockets too; this
    machine's own addresses never go through a proxy. Raises SettingsError if the proxy can't be used.
    """
    url = URL(url)
    return _proxy(_proxies(), url.scheme, url.host or "", url.port)


def _proxy(proxies: dict[str, str], scheme: str, host: str, port: int | None) -> URL | None:
    if not proxies:
        return None
    scheme = _PLAIN.get(scheme, scheme)
    name = scheme if proxies.get(scheme) else "all"
    written = proxies.get(name, "").strip()
    if not written or _direct(host, port, proxies):
        return None
    try:
        proxy = URL(written if "://" in written else f"http://{written}")
    except ValueError:
        proxy = URL()
    if proxy.scheme not in ("http", "https") or not proxy.host:
        raise SettingsError(f"{name.upper()}_PROXY: must be an address such as http://proxy:3128")
    return proxy


def _proxies() -> dict[str, str]:
    """The proxy variables, by name."""
    found = {}
    for name in ("http", "https", "all", "no"):
        value = os.environ.get(f"{name}_proxy", os.environ.get(f"{name.upper()}_PROXY"))
        if value:
            found[name] = value
    return found


def _direct(host: str, port: int | None, proxies: dict[str, str]) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    if proxy_bypass_environment(f"{host}:{port}" if ":" not in host else host, proxies):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or any(_holds(entry, address) for entry in proxies.get("no", "").split(","))


def _holds(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an entry of NO_PROXY is a network, such as 10.0.0.0/8, that contains this address."""
    try:
        return address in ipaddress.ip_network(entry.strip(), strict=False)
    except ValueError:
        return False


# -- certificates


def tls() -> ssl.SSLContext:
    """The CAs that servers' certificates are checked against: SSL_CERT_FILE or SSL_CERT_DIR, or else the system's.

    REQUESTS_CA_BUNDLE is added to those. Raises SettingsError if a variable's path can't be read.
    """
    return _tls(*(os.environ.get(name) or None for name in _BUNDLES))


@lru_cache(maxsize=4)
def _tls(file: str | None, folder: str | None, bundle: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()  # respects SSL_CERT_FILE and SSL_CERT_DIR, but ignores unreadable ones
    if file is None and folder is None:
        context.load_verify_locations(certifi.where())  # for systems without any
    for name, path in zip(_BUNDLES, (file, folder, bundle), strict=True):
        if path is None:
            continue
        try:
            if os.path.isdir(path):
                os.listdir(path)
                context.load_verify_locations(capath=path)
            else:
                context.load_verify_locations(cafile=path)
        except (OSError, ssl.SSLError) as exc:
            raise SettingsError(f"{name}: no certificates can be read there ({type(exc).__name__})") from exc
    return context


# -- limits on responses


class _Bounded(ResponseHandler):
    """aiohttp's side of one connection, which hangs up if a response is longer than `limit` bytes."""

    host = "?"
    limit = MAX_RESPONSE

    def data_received(self, data: bytes) -> None:
        """Receive bytes from the socket or, if empty, continue decompressing earlier ones."""
        super().data_received(data)
        payload = self._payload
        if isinstance(payload, StreamReader) and payload.total_bytes > self.limit and payload.exception() is None:
            log.warning("response of %s cut at %d MB", self.host, self.limit >> 20)
            payload.set_exception(aiohttp.ClientPayloadError(f"longer than {self.limit} bytes"))
            if self.transport is not None:
                self.transport.abort()


class Connector(aiohttp.TCPConnector):
    """aiohttp's connections through the operator's proxy and with their CAs, whatever the library above it does.

    The variables are read once, when the connector is created: looking them up would cost each request one per cent.
    """

    def __init__(self, *, max_response: int = MAX_RESPONSE, **options: Any) -> None:
        """`max_response` is the most bytes that are read of one response, decompressed."""
        super().__init__(ssl=tls(), **options)
        self._max_response = max_response
        self._proxy = lru_cache(maxsize=256)(partial(_proxy, _proxies()))
        self._factory = partial(_Bounded, loop=self._loop)  # type: ignore[assignment] # invariant in its class

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own signature
    ) -> aiohttp.connector.Connection:
        """A connection for a request."""
        proxy = self._proxy(req.url.scheme, req.url.host or "", req.url.port)
        headers = {}
        if proxy is not None and proxy.user:
            headers["Proxy-Authorization"] = aiohttp.encode_basic_auth(proxy.user, proxy.password or "")
            proxy = proxy.with_user(None)
            if not req.is_ssl():  # without a tunnel, the proxy reads the request itself
                req.headers.update(headers)
        req.update_proxy(proxy, None, headers or None)
        connection = await super().connect(req, traces, timeout)
        if isinstance(connection.protocol, _Bounded):
            connection.protocol.host = req.url.host or "?"
            connection.protocol.limit = self._max_response
        return connection


class ReadLimit:
    """Counts the bytes of one response and, with `events`, the size of each server-sent event."""

    def __init__(self, events: bool = False) -> None:
        self._events = events
        self._bytes = 0
        self._event = 0
        self._lines = 0
        self._tail = b""

    @staticmethod
    def check(headers: Any) -> None:
        """Raise TooLong if a response's headers announce more than is read, or compression, which wasn't accepted."""
        if headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
            raise TooLong("a response is compressed, which it was asked not to be")
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:20]) > MAX_RESPONSE:
            raise TooLong(f"a response is longer than {MAX_RESPONSE} bytes")

    def count(self, chunk: bytes) -> None:
        """Count a chunk. Raises TooLong."""
        self._bytes += len(chunk)
        if self._bytes > MAX_RESPONSE:
            raise TooLong(f"a response is longer than {MAX_RESPONSE} bytes")
        if not self._events:
            return
        seen = self._tail + chunk
        end = max(seen.rfind(mark) + len(mark) if mark in seen else 0 for mark in _EVENT_ENDS)
        if end > len(self._tail):
            self._event, self._lines = len(seen) - end, seen.count(b"\n", end)
        else:
            self._event += len(chunk)
            self._lines += chunk.count(b"\n")
        self._tail = seen[-3:]
        if self._event > MAX_EVENT or self._lines > MAX_EVENT_LINES:
            raise TooLong(f"an event is longer than {MAX_EVENT} bytes or {MAX_EVENT_LINES} lines")


class BoundedStream:
    """A response's bytes, up to the limit. Mixed into the stream class of httpx or httpx2."""

    def __init__(self, inner: Any, limit: ReadLimit, refusal: Callable[[TooLong], Exception]) -> None:
        self._inner = inner
        self._limit = limit
        self._refusal = refusal

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            try:
                self._limit.count(chunk)
            except TooLong as exc:
                raise self._refusal(exc) from exc
            yield chunk

    async def aclose(self) -> None:
        """Return the connection."""
        await self._inner.aclose()


class BoundedTransport:
    """A transport that limits what is read of a response. Mixed into the transport class of either library.

    Attributes:
        service: The service's name, for the log.
        stream: The library's stream class with `BoundedStream`.
        error: What the library raises if it can't read a response.
        events: Whether responses are read as server-sent events.
    """

    service: ClassVar[str]
    stream: ClassVar[type[BoundedStream]]
    error: ClassVar[type[Exception]]
    events: ClassVar[bool] = False

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request. Raises `error` if the response exceeds the limit."""
        request.headers["Accept-Encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        try:
            ReadLimit.check(response.headers)
        except TooLong as exc:
            await response.aclose()
            raise self._refusal(exc) from exc
        response.stream = self.stream(response.stream, ReadLimit(self.events), self._refusal)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    def _refusal(self, exc: TooLong) -> Exception:
        log.warning("%s: %s", self.service, str(exc))
        return self.error("more than is read")
