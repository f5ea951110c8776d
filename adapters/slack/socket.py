"""Socket Mode: keeps one WebSocket connected for as long as the bot runs.

The SDK's own client requests an address once and, if connecting fails, retries that address forever, although it is
valid for one connection only. Hence this module, on the same aiohttp.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import aiohttp

from adapters.slack.errors import SLACK_ERRORS, code
from bot.aio.backoff import Backoff, Pauses
from bot.aio.tasks import TaskSet

log = logging.getLogger(__name__)

#: Seconds between pings; a connection that doesn't respond for half as long is dead.
HEARTBEAT = 10.0
#: Seconds that a connection which Slack is about to close is still read while the next one opens.
DRAIN = 30.0
#: Seconds after which a connection counts as working.
STEADY = 5.0
#: Seconds for pending acknowledgements when the bot stops.
LAST_WORDS = 2.0
#: Between connection attempts: up to a minute.
RECONNECT = Backoff(first=0.5, longest=40.0)

_CLOSED = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED)

Envelope = dict[str, Any]


class Gaps(Protocol):
    """Notified of gaps: times without a connection that Slack could send messages on."""

    async def note(self) -> None:
        """Disconnected; the next connection attempt follows. Never raises."""
        ...

    def begin(self) -> None:
        """Connected again."""
        ...


class Socket:
    """Reads envelopes and acknowledges those that `handle` returns an acknowledgement for."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        open_url: Callable[[], Awaitable[str]],
        handle: Callable[[Envelope], Awaitable[Envelope | None]],
        gaps: Gaps,
        *,
        heartbeat: float = HEARTBEAT,
    ) -> None:
        self._http = http
        self._open_url = open_url
        self._handle = handle
        self._gaps = gaps
        self._gap = True
        self._heartbeat = heartbeat
        self._pauses = Pauses(RECONNECT)
        self._connections: set[aiohttp.ClientWebSocketResponse] = set()
        self._answers: TaskSet[None] = TaskSet()
        self._drains: TaskSet[None] = TaskSet()
        self.greeted = asyncio.Event()

    async def run(self, url: str) -> None:
        """Stay connected until cancelled, then finish pending acknowledgements. `url` is the first address."""
        try:
            await self._gaps.note()
            while True:
                connection = await self._connect(url)
                url = ""
                if connection is not None:
                    self._connections.add(connection)
                    await self._read(connection)
        finally:
            await self._answers.wait(LAST_WORDS)
            for task in (*self._answers, *self._drains):
                task.cancel()
            await asyncio.gather(*self._answers, *self._drains, return_exceptions=True)
            for connection in self._connections:
                await connection.close()

    async def _connect(self, url: str) -> aiohttp.ClientWebSocketResponse | None:
        try:
            url = url or await self._open_url()
            return await self._http.ws_connect(url, heartbeat=self._heartbeat)
        except SLACK_ERRORS as exc:
            log.warning("slack: could not connect, retrying: %s", code(exc))
            await self._lost()
            await self._pauses.wait()
            return None

    async def _lost(self) -> None:
        if not self._gap:
            self._gap = True
            await self._gaps.note()

    async def _read(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        """Read envelopes until the connection ends or Slack asks for a new one; pause if that came early."""
        now = asyncio.get_running_loop().time
        started = now()
        try:
            renewed = await self._receive(connection)
        except SLACK_ERRORS as exc:
            log.warning("slack: connection lost: %s", code(exc))
            renewed = False
        if renewed:
            log.info("slack: renewing the connection")
            self._drains.spawn(self._drain(connection))
        else:
            log.warning("slack: connection lost, reconnecting")
            await self._close(connection)
            await self._lost()
        if now() - started >= STEADY:
            self._pauses.reset()
        if not renewed or now() - started < STEADY:
            await self._pauses.wait()

    async def _receive(self, connection: aiohttp.ClientWebSocketResponse) -> bool:
        """Handle frames. True if Slack is about to close the connection, False if it is closed."""
        while (ending := await self._receive_one(connection)) is None:
            pass
        return ending

    async def _receive_one(self, connection: aiohttp.ClientWebSocketResponse) -> bool | None:
        """Handle one frame, without keeping it while waiting for the next; None if more will come."""
        frame = await connection.receive()
        if frame.type in _CLOSED:
            return False
        message = _parse(frame.data) if frame.type is aiohttp.WSMsgType.TEXT else {}
        if message.get("type") == "hello":
            self.greeted.set()
            if self._gap:
                self._gap = False
                self._gaps.begin()
        elif message.get("type") == "disconnect":
            return True
        elif "envelope_id" in message:
            self._answers.spawn(self._answer(connection, message))
        return None

    async def _drain(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        """Keep reading what Slack sends on an old connection while the next one opens."""
        try:
            async with asyncio.timeout(DRAIN):
                await self._receive(connection)
        except SLACK_ERRORS as exc:
            log.debug("slack: old connection closed: %s", code(exc))
        await self._close(connection)

    async def _close(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        self._connections.discard(connection)
        await connection.close()

    async def _answer(self, connection: aiohttp.ClientWebSocketResponse, message: Envelope) -> None:
        try:
            acknowledgement = await self._handle(message)
        except Exception as exc:  # noqa: BLE001 - the envelope boundary: Slack sends it again
            log.error("slack: handling an envelope failed: %s", type(exc).__name__)
            return
        if acknowledgement is None:
            return
        try:
            await connection.send_str(json.dumps(acknowledgement))
        except (ConnectionError, aiohttp.ClientError) as exc:
            log.info("slack: envelope not acknowledged, Slack will redeliver it: %s", type(exc).__name__)


def _parse(data: str) -> Envelope:
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        log.warning("slack: frame that is not JSON, ignored")
        return {}
    return message if isinstance(message, dict) else {}
