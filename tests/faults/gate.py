"""A way to a server on loopback on which a test stands: it sees each request, and may hold it, fail it or cut it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

import aiohttp
from aiohttp import web

_HOP = {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "content-encoding"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One request on its way: its method, its path behind the gate, and its body as text."""

    method: str
    path: str
    body: str


#: Told of a request; True cuts its connection there.
Hook = Callable[[Seen], Awaitable[bool]]


async def _pass(seen: Seen) -> bool:
    return False


class Gate:
    """A reverse proxy. Websockets don't pass: the fakes hand out their own address for those.

    Attributes:
        url: The address of what `target` is the address of, behind the gate.
        before: Called with each request before the server sees it.
        after: Called once the server has done what was asked, before the answer goes back.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self.before: Hook = _pass
        self.after: Hook = _pass
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._forward)
        self._http = aiohttp.ClientSession(auto_decompress=True)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()
        await self._runner.cleanup()

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        seen = Seen(request.method, request.path_qs, body.decode(errors="replace"))
        if await self.before(seen):
            return _cut(request)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        async with self._http.request(
            request.method, f"{self._target}{request.raw_path}", data=body, headers=headers
        ) as response:
            content = await response.read()
            kept = {name: value for name, value in response.headers.items() if name.lower() not in _HOP}
            status = response.status
        if await self.after(seen):
            return _cut(request)
        return web.Response(body=content, status=status, headers=kept)


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


class Trap:
    """A hook that holds the first request that is wanted, and cuts it once released; all others pass.

    Attributes:
        sprung: Set once it holds one.
    """

    def __init__(self, wanted: Callable[[Seen], bool]) -> None:
        self._wanted = wanted
        self._released = asyncio.Event()
        self.sprung = asyncio.Event()

    def release(self) -> None:
        """Cut what is held; whatever comes from now on passes."""
        self._released.set()

    async def __call__(self, seen: Seen) -> bool:
        if self.sprung.is_set() or self._released.is_set() or not self._wanted(seen):
            return False
        self.sprung.set()
        await self._released.wait()
        return True
