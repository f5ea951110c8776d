"""The way out, for every HTTP client of the bot: the operator's proxy, the CAs they trust, and a bound on what is read.

The libraries differ in which variables they heed (discord.py none, slack_sdk all but NO_PROXY, aiohttp none for
WebSockets), so that none of them decides: the connector does, which each of them is given.
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

#: Bytes of one response, unpacked. What is read whole is parsed whole, and the loop is deaf meanwhile.
MAX_RESPONSE = 16 * 2**20
#: Bytes and lines of one server-sent event: the SDK puts it together line by line, copying each time.
MAX_EVENT = 4 * 2**20
MAX_EVENT_LINES = 1000

_PLAIN = {"ws": "http", "wss": "https"}
_EVENT_ENDS = (b"\n\n", b"\r\r", b"\r\n\r\n")
_BUNDLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


class TooMuch(Exception):
    """A service sends more than is read; the message says what, and quotes nothing."""


# -- proxies


def proxy_for(url: str | URL) -> URL | None:
    """The proxy that the environment names for an address, None for a direct connection.

    HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY count (also in lower case, which wins), for WebSockets too; this
    machine's own addresses are never asked of a proxy. Raises SettingsError where the proxy is none that can be used.
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
    """The variables by name."""
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
    """Whether an entry of NO_PROXY is a network, such as 10.0.0.0/8, with this address."""
    try:
        return address in ipaddress.ip_network(entry.strip(), strict=False)
    except ValueError:
        return False


# -- certificates


def tls() -> ssl.SSLContext:
    """What servers' certificates are checked against: SSL_CERT_FILE or SSL_CERT_DIR in place of the system's CAs.

    REQUESTS_CA_BUNDLE is added to those. Raises SettingsError where a variable names what can't be read.
    """
    return _tls(*(os.environ.get(name) or None for name in _BUNDLES))


@lru_cache(maxsize=4)
def _tls(file: str | None, folder: str | None, bundle: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()  # heeds SSL_CERT_FILE and SSL_CERT_DIR, but not that they can't be read
    if file is None and folder is None:
        context.load_verify_locations(certifi.where())  # for systems that come without any
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


# -- what is read


class _Bounded(ResponseHandler):
    """aiohttp's side of one connection, which hangs up where a response is longer than MAX_RESPONSE."""

    host = "?"

    def data_received(self, data: bytes) -> None:
        """Take bytes in, from the socket or (empty) more of those that are being unpacked."""
        super().data_received(data)
        payload = self._payload
        if isinstance(payload, StreamReader) and payload.total_bytes > MAX_RESPONSE and payload.exception() is None:
            log.warning("response of %s cut at %d MB", self.host, MAX_RESPONSE >> 20)
            payload.set_exception(aiohttp.ClientPayloadError(f"longer than {MAX_RESPONSE} bytes"))
            if self.transport is not None:
                self.transport.abort()


class Connector(aiohttp.TCPConnector):
    """aiohttp's connections, by the operator's proxy and CAs, whatever the library above it thinks of them.

    The variables are read once, when the connector is made: looking them up costs each request a per cent.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(ssl=tls(), **options)
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
            if not req.is_ssl():  # there is no tunnel: the proxy reads the request itself
                req.headers.update(headers)
        req.update_proxy(proxy, None, headers or None)
        connection = await super().connect(req, traces, timeout)
        if isinstance(connection.protocol, _Bounded):
            connection.protocol.host = req.url.host or "?"
        return connection


class Meter:
    """Counts what comes of one response. With `events`, also what each server-sent event takes."""

    def __init__(self, events: bool = False) -> None:
        self._events = events
        self._bytes = 0
        self._event = 0
        self._lines = 0
        self._tail = b""

    @staticmethod
    def check(headers: Any) -> None:
        """Raise TooMuch where a response's headers tell of more than is read. It was asked for as it is, not packed."""
        if headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
            raise TooMuch("a response is compressed, which it was asked not to be")
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:20]) > MAX_RESPONSE:
            raise TooMuch(f"a response is longer than {MAX_RESPONSE} bytes")

    def count(self, chunk: bytes) -> None:
        """Count a piece. Raises TooMuch."""
        self._bytes += len(chunk)
        if self._bytes > MAX_RESPONSE:
            raise TooMuch(f"a response is longer than {MAX_RESPONSE} bytes")
        if not self._events:
            return
        seen = self._tail + chunk
        end = max(seen.rfind(each) + len(each) if each in seen else 0 for each in _EVENT_ENDS)
        if end > len(self._tail):
            self._event, self._lines = len(seen) - end, seen.count(b"\n", end)
        else:
            self._event += len(chunk)
            self._lines += chunk.count(b"\n")
        self._tail = seen[-3:]
        if self._event > MAX_EVENT or self._lines > MAX_EVENT_LINES:
            raise TooMuch(f"an event is longer than {MAX_EVENT} bytes or {MAX_EVENT_LINES} lines")


class BoundedStream:
    """A response's bytes, up to what is read of one. Mixed into the stream class of httpx, or of httpx2, its like."""

    def __init__(self, inner: Any, meter: Meter, refusal: Callable[[TooMuch], Exception]) -> None:
        self._inner = inner
        self._meter = meter
        self._refusal = refusal

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            try:
                self._meter.count(chunk)
            except TooMuch as exc:
                raise self._refusal(exc) from exc
            yield chunk

    async def aclose(self) -> None:
        """Give the connection back."""
        await self._inner.aclose()


class BoundedTransport:
    """A transport that reads no more of a response than it may. Mixed into the transport class of either library.

    Attributes:
        service: Whose responses they are, for the log.
        stream: The library's stream class with `BoundedStream`.
        error: What the library raises where it can't read a response.
        events: Whether a response is read as server-sent events.
    """

    service: ClassVar[str]
    stream: ClassVar[type[BoundedStream]]
    error: ClassVar[type[Exception]]
    events: ClassVar[bool] = False

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request. Raises `error` where more would be read than may be."""
        request.headers["Accept-Encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        try:
            Meter.check(response.headers)
        except TooMuch as exc:
            await response.aclose()
            raise self._refusal(exc) from exc
        response.stream = self.stream(response.stream, Meter(self.events), self._refusal)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    def _refusal(self, exc: TooMuch) -> Exception:
        log.warning("%s: %s", self.service, str(exc))
        return self.error("more than is read")
