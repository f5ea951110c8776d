"""The fake Discord's gateway: sessions over a websocket, with heartbeats, RESUME and faults on demand."""

import asyncio
import json
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from tests.fakes.traffic import TRAFFIC, Record

Payload = dict[str, Any]

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 0, 1, 2, 6, 7, 9, 10, 11
MESSAGE_CONTENT = 1 << 15
#: The application's flag for a bot in few servers whose switch for message content is on in the portal.
CONTENT_LIMITED = 1 << 19
_REPLAYED = 1000


@dataclass
class Session:
    """What the gateway remembers of one IDENTIFY: its events can be replayed to a new socket by RESUME."""

    id: str
    intents: int
    shard: tuple[int, int]
    socket: web.WebSocketResponse | None
    sequence: int = 0
    events: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=_REPLAYED))

    async def send(self, name: str, data: Payload) -> None:
        """Dispatch an event, or keep it for a RESUME while no socket is there."""
        self.sequence += 1
        frame = json.dumps({"op": DISPATCH, "t": name, "s": self.sequence, "d": data})
        self.events.append((self.sequence, frame))
        if self.socket is not None and not self.socket.closed:
            try:
                await self.socket.send_str(frame)
            except ConnectionError:
                self.socket = None


class Gateway:
    """Every session of the fake.

    Faults: `refused` connections still to be refused (-1: all), `close_code` sent in answer to IDENTIFY.
    `content` says whether the portal's switch for message content is on: only then may a session ask for it.
    Counts: `connections` asked for, `identifies` and `resumes` accepted.
    """

    def __init__(self, token: str, bot_id: str, hello: Callable[[int, int], list[tuple[str, Payload]]]) -> None:
        self._token = token
        self._bot_id = bot_id
        self._hello = hello
        self.sessions: dict[str, Session] = {}
        self.url = ""
        self.refused = 0
        self.close_code = 0
        self.content = False
        self.connections = self.identifies = self.resumes = 0
        self.seen_identify: list[Payload] = []

    @property
    def flags(self) -> int:
        """The application's flags."""
        return CONTENT_LIMITED if self.content else 0

    def over_rest(self, message: Payload) -> Payload:
        """A message as REST shows it, where the portal's switch counts and no session does."""
        return message if self.content else self.withheld(message)

    @property
    def live(self) -> list[Session]:
        """The sessions with an open socket."""
        return [session for session in self.sessions.values() if session.socket and not session.socket.closed]

    async def dispatch(self, name: str, data: Payload) -> None:
        """Send an event to every session of its shard; message content only where Discord would."""
        TRAFFIC.note(Record("discord", "event", name, data))
        guild = int(data["id"] if name.startswith("GUILD_") else data.get("guild_id") or 0)
        for session in list(self.sessions.values()):
            number, count = session.shard
            if (guild >> 22) % count != number:
                continue
            hides = name in ("MESSAGE_CREATE", "MESSAGE_UPDATE") and not session.intents & MESSAGE_CONTENT
            await session.send(name, self.withheld(data) if hides else data)

    def withheld(self, message: Payload) -> Payload:
        """A message as who lacks the message-content intent gets it: empty where it isn't the bot's business."""
        if "guild_id" not in message:
            return message
        if original := message.get("referenced_message"):
            message = message | {"referenced_message": self.withheld({"guild_id": ""} | original)}
        people = [message["author"], *message["mentions"]]
        if any(user["id"] == self._bot_id for user in people):
            return message
        shown = {key: value for key, value in message.items() if key != "poll"}
        return shown | {"content": "", "attachments": [], "embeds": [], "components": []}

    async def send_raw(self, frame: str | bytes) -> None:
        """Send a frame as it is to every live session: a malformed one, if need be."""
        for session in self.live:
            assert session.socket is not None
            await (session.socket.send_str(frame) if isinstance(frame, str) else session.socket.send_bytes(frame))

    async def drop(self, *, resumable: bool = True) -> None:
        """Close every socket; a session that isn't resumable is forgotten."""
        for session in self.live:
            socket, session.socket = session.socket, None
            assert socket is not None
            if not resumable:
                self.sessions.pop(session.id, None)
            await socket.close(code=WSCloseCode.SERVICE_RESTART)

    async def invalidate(self) -> None:
        """Tell every live session that it is over and can't be resumed (op 9, false)."""
        for session in self.live:
            self.sessions.pop(session.id, None)
            assert session.socket is not None
            await session.socket.send_str(json.dumps({"op": INVALID_SESSION, "d": False}))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One websocket connection."""
        self.connections += 1
        if self.refused:
            self.refused -= self.refused > 0
            return web.Response(status=503)
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        await socket.send_str(json.dumps({"op": HELLO, "d": {"heartbeat_interval": 41250}}))
        session: Session | None = None
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            frame = json.loads(message.data)
            match frame["op"]:
                case 1:
                    await socket.send_str(json.dumps({"op": HEARTBEAT_ACK}))
                case 2:
                    session = await self._identify(socket, frame["d"])
                case 6:
                    session = await self._resume(socket, frame["d"])
        if session is not None and session.socket is socket:
            session.socket = None
            if socket.close_code in (1000, 1001):  # the client's own farewell ends the session
                self.sessions.pop(session.id, None)
        return socket

    async def _identify(self, socket: web.WebSocketResponse, data: Payload) -> Session | None:
        if data["token"] != self._token or self.close_code:
            await socket.close(code=self.close_code or 4004)
            return None
        if data["intents"] & MESSAGE_CONTENT and not self.content:
            await socket.close(code=4014, message=b"Disallowed intent(s).")
            return None
        self.identifies += 1
        self.seen_identify.append(data)
        number, count = data.get("shard", (0, 1))
        session = Session(uuid.uuid4().hex, data["intents"], (number, count), socket)
        for name, payload in self._hello(number, count):
            if name == "READY":
                payload = payload | {"session_id": session.id, "resume_gateway_url": self.url, "shard": [number, count]}
            await session.send(name, payload)
        self.sessions[session.id] = session
        return session

    async def _resume(self, socket: web.WebSocketResponse, data: Payload) -> Session | None:
        session = self.sessions.get(data["session_id"])
        if session is None or data["token"] != self._token:
            await socket.send_str(json.dumps({"op": INVALID_SESSION, "d": False}))
            return None
        self.resumes += 1
        session.socket = socket
        for sequence, frame in list(session.events):
            if sequence > (data["seq"] or 0):
                await socket.send_str(frame)
        await session.send("RESUMED", {})
        return session


async def until(condition: Callable[[], Any], what: str, within: float = 10.0) -> Any:
    """Wait until a condition holds and return its value; raise AssertionError that names it after `within` seconds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    while True:
        value = condition()
        if value:
            return value
        if loop.time() > end:
            raise AssertionError(f"after {within:g} s: {what}")
        await asyncio.sleep(0.01)
