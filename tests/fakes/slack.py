"""A Slack on loopback: Web API, Socket Mode and signed HTTP events, with faults on demand.

Payloads follow https://docs.slack.dev. Use it as `async with FakeSlack() as slack:`; a bot in this process or in
another reaches it at `slack.api_base` with `slack.bot_token` and `slack.app_token`.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
import urllib.parse
from collections.abc import Callable
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

from tests.fakes.slack_api import BOT, BOT_ID, TEAM, Fault
from tests.fakes.slack_blocks import Json, blocks_problem, would_ping
from tests.fakes.slack_people import APP, Modal, People
from tests.fakes.traffic import TRAFFIC, Record

__all__ = ["BOT", "BOT_ID", "TEAM", "FakeSlack", "Fault", "Json", "Modal", "would_ping"]

T = TypeVar("T")

#: Answers that a response URL takes.
RESPONSES = 5


class FakeSlack(People):
    """The server, and what people do in it. Every `wait`-like method gives up after `patience` seconds."""

    def __init__(self, *, echo: bool = True, ack_timeout: float = 3.0, patience: float = 20.0) -> None:
        super().__init__()
        self.echo = echo
        self.ack_timeout = ack_timeout
        self.patience = patience
        self.signing_secret = "8f742231b10e8888abcd99yyyzzz85a5"
        self.events_url: str | None = None
        self.silent = False
        self.opened = 0
        self.acks: list[str] = []
        self.refused: list[str] = []
        self.deliveries: list[Json] = []
        self._sockets: list[web.WebSocketResponse] = []
        self._transports: set[asyncio.Transport] = set()
        self._unacked: dict[str, tuple[Json, asyncio.TimerHandle | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> "FakeSlack":
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/socket/{ticket}", self._socket)
        app.router.add_post("/response/{id}", self._respond)
        app.router.add_post("/upload/{id}", self._upload)
        app.router.add_get("/files-pri/{file}/{name}", self.serve_file)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site.name.rpartition(':')[2]}"
        self.api_base = f"{self.url}/api"
        self._http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for _, timer in self._unacked.values():
            if timer is not None:
                timer.cancel()
        for waiting in self._tasks:
            waiting.cancel()
        await self.drop_sockets()
        await self._http.close()
        await self._runner.cleanup()

    def environment(self) -> dict[str, str]:
        """The settings with which a bot in another process reaches this Slack over Socket Mode."""
        return {
            "SLACK_BOT_TOKEN": self.bot_token,
            "SLACK_APP_TOKEN": self.app_token,
            "SLACK_API_BASE": self.api_base,
        }

    async def event(self, event: Json, **body: Any) -> str:
        """Deliver one event; return its event id."""
        event_id = f"Ev{next(self._ids):08d}"
        payload = {
            "token": "verification",
            "team_id": TEAM,
            "api_app_id": APP,
            "event": event,
            "type": "event_callback",
            "event_id": event_id,
            "event_time": int(time.time()),
            "authorizations": [{"enterprise_id": None, "team_id": TEAM, "user_id": BOT, "is_bot": True}],
            "is_ext_shared_channel": False,
        } | body
        await self.deliver("events_api", payload)
        return event_id

    async def wait(self, look: Callable[[], T | None]) -> T:
        """Wait until `look` returns something that is true, and return that."""
        async with asyncio.timeout(self.patience), self._changed:
            while not (found := look()):
                # What `look` looks at may also be the bot's own, of which this server isn't told.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.05)
            return found

    async def acknowledged(self, event_id: str | None = None) -> None:
        """Wait until every delivery so far is acknowledged (or that of one event)."""

        def done() -> bool:
            left = [envelope["payload"].get("event_id") for envelope, _ in self._unacked.values()]
            return not left if event_id is None else event_id not in left

        await self.wait(done)

    # -- faults

    async def connected(self, count: int = 1) -> None:
        """Wait for the `count`-th socket since the start to be greeted."""
        await self.wait(lambda: self.opened >= count)

    async def drop_sockets(self) -> None:
        """Cut every socket without a close frame."""
        for transport in self._transports:
            transport.abort()

    async def renew(self, reason: str = "refresh_requested") -> None:
        """Ask the bot to open another connection, as Slack does every few hours."""
        for socket in self._sockets[:]:
            await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {}})

    async def send_raw(self, frame: str | bytes) -> None:
        """Send a frame as it stands on every socket."""
        for socket in self._sockets[:]:
            await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))

    # -- delivery

    async def notify(self) -> None:
        """Wake whoever waits."""
        async with self._changed:
            self._changed.notify_all()

    async def posted(self, channel: str, event: Json) -> None:
        """Tell the bot of its own message, as Slack does."""
        if self.echo and (self._sockets or self.events_url):
            await self.event({**event, "channel": channel, "channel_type": self.channel_type(channel)})

    async def deliver(self, kind: str, payload: Json) -> None:
        """Deliver a payload: an envelope on a socket, or a signed request."""
        TRAFFIC.note(Record("slack", "event", kind, payload))
        if self.events_url:
            self._spawn(self._post(kind, payload))
            return
        envelope: Json = {"envelope_id": f"env-{next(self._ids)}", "type": kind, "payload": payload}
        if kind == "events_api":
            envelope |= {"retry_attempt": 0, "retry_reason": "", "accepts_response_payload": False}
        else:
            envelope["accepts_response_payload"] = True
        await self._send(envelope)

    async def _send(self, envelope: Json) -> None:
        name = envelope["envelope_id"]
        self.deliveries.append(envelope)
        timer = None
        if self._sockets:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(self.ack_timeout, lambda: self._spawn(self._again(name)))
        self._unacked[name] = (envelope, timer)
        if self._sockets:
            with contextlib.suppress(ConnectionError):
                await self._sockets[next(self._ids) % len(self._sockets)].send_json(envelope)

    async def _again(self, name: str) -> None:
        if name not in self._unacked:
            return
        envelope, timer = self._unacked.pop(name)
        if timer:
            timer.cancel()
        if envelope["type"] != "events_api" or envelope["retry_attempt"] >= 3:
            return
        retry = {"retry_attempt": envelope["retry_attempt"] + 1, "retry_reason": "timeout"}
        await self._send({**envelope, **retry, "envelope_id": f"env-{next(self._ids)}"})

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _post(self, kind: str, payload: Json) -> None:
        if kind == "events_api":
            content_type, body = "application/json", json.dumps(payload)
        else:
            fields = {"payload": json.dumps(payload)} if kind == "interactive" else payload
            content_type, body = "application/x-www-form-urlencoded", urllib.parse.urlencode(fields)
        assert self.events_url is not None
        headers = self.signed(body) | {"content-type": content_type}
        async with self._http.post(self.events_url, data=body.encode(), headers=headers) as response:
            taken = self.acks if response.status == 200 else self.refused
            taken.append(payload.get("event_id", kind))
        await self.notify()

    def signed(self, body: str, secret: str | None = None) -> dict[str, str]:
        """The headers by which Slack signs a request."""
        stamp = str(int(time.time()))
        key = (secret or self.signing_secret).encode()
        digest = hmac.new(key, f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
        return {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}

    # -- HTTP

    async def _api(self, request: web.Request) -> web.StreamResponse:
        response = await self.call(request, request.match_info["method"])
        await self.notify()
        return response

    async def _respond(self, request: web.Request) -> web.Response:
        answer = await request.json()
        shown = self.responses.get(request.match_info["id"])
        if shown is None or len(shown) >= RESPONSES:
            return web.json_response({"ok": False, "error": "used_url"}, status=404)
        if problem := blocks_problem(answer.get("blocks") or []) or (answer.get("blocks") and self.blocks_refused):
            return web.json_response({"ok": False, "error": problem})
        shown.append(answer)
        await self.notify()
        return web.Response(text="ok")

    async def _upload(self, request: web.Request) -> web.Response:
        self.uploads[request.match_info["id"]]["content"] = await request.read()
        return web.Response(text="OK")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["ticket"] not in self.tickets:
            return web.Response(status=408)
        self.tickets.remove(request.match_info["ticket"])
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1, "connection_info": {"app_id": APP}})
        transport = request.transport
        assert transport is not None
        self._transports.add(transport)
        self._sockets.append(socket)
        self.opened += 1
        await self.notify()
        waiting = [name for name, (_, timer) in self._unacked.items() if timer is None]
        for name in waiting:
            await self._send(self._unacked.pop(name)[0])
        try:
            async for frame in socket:
                if frame.type is aiohttp.WSMsgType.PING and not self.silent:
                    await socket.pong(frame.data)
                elif frame.type is aiohttp.WSMsgType.TEXT:
                    await self._acknowledge(frame.data)
        finally:
            self._sockets.remove(socket)
            self._transports.discard(transport)
            # What nobody acknowledges is sent again: in time on another socket, else on the next one.
            if not self._sockets:
                for name, (envelope, timer) in list(self._unacked.items()):
                    if timer:
                        timer.cancel()
                        self._unacked[name] = (envelope, None)
        return socket

    async def _acknowledge(self, data: str) -> None:
        name = json.loads(data)["envelope_id"]
        envelope, timer = self._unacked.pop(name, ({}, None))
        if timer:
            timer.cancel()
        self.acks.append(envelope.get("payload", {}).get("event_id", name))
        await self.notify()
