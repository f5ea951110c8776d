"""Limits connections to the HTTP port, and the unsigned data that they hold.

Anybody on the network can connect, and a request's signature can be checked only after its last byte. So new
connections aren't turned away because of others: when there are too many connections or bytes, unproven ones are closed
first, the oldest connection or the largest body. A signed request needs its place only for the milliseconds that it
takes to arrive.
"""

import asyncio
import ipaddress
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

#: Concurrent connections (but at most a quarter of the files that the process may open), and half as many per address.
#: Behind a reverse proxy all come from one address: half must be plenty.
MAX_CONNECTIONS = 512
#: Seconds from connecting until the first request's headers are complete.
HEADER_SECONDS = 10.0
#: Seconds that a connection is kept open after a signed request. Proxies keep theirs open for a minute.
KEEP_ALIVE_SECONDS = 75.0
#: Seconds for a body. Slack itself gives up on a request after three.
BODY_SECONDS = 5.0
#: Bytes of one body. Slack's largest, an edited message of 40,000 characters with its blocks, old and new, is smaller.
MAX_BODY = 3 * 2**20
#: Bytes of all bodies whose signature hasn't been checked yet.
MAX_UNSIGNED = 32 * 2**20

_HEADERS = 64
_HEADER_BYTES = 4096


class TooLarge(Exception):
    """A body exceeds its limit."""


class ConnectionLimits(web.Server):
    """aiohttp's server for one handler, with limits on what strangers can hold."""

    def __init__(self, handler: Any) -> None:
        # aiohttp logs malformed requests as errors with tracebacks: anybody could fill the log.
        quiet = logging.getLogger(f"{__name__}.aiohttp")
        quiet.setLevel(logging.CRITICAL + 1)
        super().__init__(
            handler,
            logger=quiet,
            access_log=None,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
            max_headers=_HEADERS,
            lingering_time=0.5,
            read_bufsize=2**15,
            # Signatures are of the bytes as sent.
            auto_decompress=False,
        )
        self._max_connections = min(MAX_CONNECTIONS, _files() // 4)
        self._all: dict[web.RequestHandler, asyncio.Transport] = {}
        self._by_address: dict[str, dict[web.RequestHandler, None]] = {}
        self._addresses: dict[web.RequestHandler, str] = {}
        # While a signed request is handled, its connection is in neither.
        self._unproven: dict[web.RequestHandler, None] = {}
        self._kept: dict[web.RequestHandler, None] = {}
        self._bodies: dict[web.RequestHandler, int] = {}
        self._held = 0

    # -- connections

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Accept a connection, and close another one if there are too many."""
        super().connection_made(handler, transport)
        address = _address(transport)
        self._all[handler] = transport
        self._addresses[handler] = address
        neighbours = self._by_address.setdefault(address, {})
        neighbours[handler] = None
        self._unproven[handler] = None
        asyncio.get_running_loop().call_later(HEADER_SECONDS, self._expire, handler)
        if len(neighbours) > self._max_connections // 2:
            self._make_room(neighbours, handler)
        elif len(self._all) > self._max_connections:
            self._make_room(self._all, handler)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Forget a connection."""
        super().connection_lost(handler, exc)
        self._forget(handler)

    def _make_room(self, connections: Iterable[web.RequestHandler], newest: web.RequestHandler) -> None:
        """Close the oldest unproven connection, else the oldest idle one, else the newest."""
        for closable in (self._unproven, self._kept):
            for handler in connections:
                if handler in closable and handler is not newest:
                    self._drop(handler)
                    return
        self._drop(newest)

    def _forget(self, handler: web.RequestHandler) -> None:
        self._all.pop(handler, None)
        self._unproven.pop(handler, None)
        self._kept.pop(handler, None)
        self._release(handler)
        address = self._addresses.pop(handler, None)
        if address is not None:
            neighbours = self._by_address[address]
            del neighbours[handler]
            if not neighbours:
                del self._by_address[address]

    def _drop(self, handler: web.RequestHandler) -> None:
        transport = self._all.get(handler)
        self._forget(handler)
        if transport is not None:
            transport.abort()

    def _expire(self, handler: web.RequestHandler) -> None:
        # While its body is being read, the body's deadline applies.
        if handler in self._unproven and handler not in self._bodies:
            self._drop(handler)

    # -- bodies

    async def read(self, request: web.BaseRequest, limit: int) -> bytes:
        """Read a request's body. Raises TooLarge, or TimeoutError if it doesn't arrive in time."""
        if (request.content_length or 0) > limit:
            raise TooLarge
        handler = request.protocol
        body = bytearray()
        self._hold(handler, 0)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while chunk := await request.content.readany():
                    body += chunk
                    if len(body) > limit:
                        raise TooLarge
                    self._hold(handler, len(body))
        finally:
            self._release(handler)
        return bytes(body)

    def _hold(self, handler: web.RequestHandler, size: int) -> None:
        if handler not in self._all:
            raise ConnectionResetError("closed in favour of others")
        self._held += size - self._bodies.get(handler, 0)
        self._bodies[handler] = size
        while self._held > MAX_UNSIGNED:
            self._drop(max(self._bodies, key=self._bodies.__getitem__))

    def _release(self, handler: web.RequestHandler) -> None:
        self._held -= self._bodies.pop(handler, 0)

    @contextmanager
    def proven(self, request: web.BaseRequest) -> Iterator[None]:
        """The request is signed: don't close its connection in favour of others while it is handled."""
        handler = request.protocol
        self._unproven.pop(handler, None)
        self._kept.pop(handler, None)
        try:
            yield
        finally:
            if handler in self._all:
                self._kept[handler] = None


def _address(transport: asyncio.Transport) -> str:
    """The address that a connection comes from; for IPv6, one customer's network."""
    peer = transport.get_extra_info("peername")
    host = str(peer[0]) if isinstance(peer, tuple) and peer else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return host


def _files() -> int:
    """How many files the process may have open."""
    if resource is None:
        return 4 * MAX_CONNECTIONS
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 4 * MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else max(soft, 64)
