"""The fake Discord's REST routes, version 10."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiohttp import web

from tests.fakes.discord_gateway import Payload
from tests.fakes.discord_model import Channel, User

if TYPE_CHECKING:
    from tests.fakes.discord import FakeDiscord

ROUTES = web.RouteTableDef()
#: Under which the application keeps its `FakeDiscord`.
FAKE: "web.AppKey[FakeDiscord]" = web.AppKey("fake")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _json(data: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    # Discord names no charset, and discord.py parses nothing else.
    return web.Response(body=json.dumps(data).encode(), status=status, headers=headers, content_type="application/json")


def _error(status: int, code: int, message: str) -> web.Response:
    return _json({"code": code, "message": message}, status=status)


def _fake(request: web.Request) -> "FakeDiscord":
    return request.app[FAKE]


def _channel(request: web.Request) -> Channel:
    channel = _fake(request).channels.get(request.match_info["channel"])
    if channel is None:
        raise web.HTTPNotFound(
            text=json.dumps({"code": 10003, "message": "Unknown Channel"}), content_type="application/json"
        )
    return channel


def _shape(message: Payload) -> Payload:
    return {key: value for key, value in message.items() if key != "guild_id"}


@ROUTES.get("/api/v10/gateway/bot")
async def gateway_bot(request: web.Request) -> web.Response:
    """Where the gateway is, and how many sessions are left."""
    fake = _fake(request)
    limit = {"total": 1000, "remaining": fake.sessions_left, "reset_after": 1000, "max_concurrency": 1}
    return _json({"url": fake.gateway.url, "shards": 1, "session_start_limit": limit})


@ROUTES.get("/api/v10/users/@me")
async def me(request: web.Request) -> web.Response:
    """The bot's own account."""
    return _json(_fake(request).bot.payload())


@ROUTES.get("/api/v10/oauth2/applications/@me")
@ROUTES.get("/api/v10/applications/@me")
async def application(request: web.Request) -> web.Response:
    """The bot's application."""
    fake = _fake(request)
    owner = User("1", "Owner").payload()
    info: Payload = {"id": fake.bot.id, "name": fake.bot.name, "icon": None, "description": "", "bot_public": True}
    info |= {"bot_require_code_grant": False, "verify_key": "0", "owner": owner, "team": None, "flags": 0}
    return _json(info)


@ROUTES.get("/api/v10/applications/{app}/commands")
async def get_commands(request: web.Request) -> web.Response:
    """The registered commands."""
    return _json(_fake(request).commands)


@ROUTES.put("/api/v10/applications/{app}/commands")
async def put_commands(request: web.Request) -> web.Response:
    """Register commands in place of all before."""
    fake = _fake(request)
    base = {"application_id": fake.bot.id, "version": "1", "default_member_permissions": None}
    fake.commands = [{"id": fake.snowflake()} | base | command for command in await request.json()]
    return _json(fake.commands)


@ROUTES.post("/api/v10/users/@me/channels")
async def open_dm(request: web.Request) -> web.Response:
    """Open a DM."""
    fake = _fake(request)
    recipient = str((await request.json())["recipient_id"])
    name = next(user.name for user in fake.users.values() if user.id == recipient)
    return _json(fake.dm_with(name).payload())


@ROUTES.get("/api/v10/channels/{channel}")
async def get_channel(request: web.Request) -> web.Response:
    """One channel."""
    return _json(_channel(request).payload())


@ROUTES.post("/api/v10/channels/{channel}/typing")
async def post_typing(request: web.Request) -> web.Response:
    """Show typing for ten seconds."""
    fake = _fake(request)
    fake.typing.append(request.match_info["channel"])
    await asyncio.sleep(fake.slow_typing)
    return web.Response(status=204)


@ROUTES.post("/api/v10/channels/{channel}/messages")
async def post_message(request: web.Request) -> web.Response:
    """Send a message; a repeated nonce with `enforce_nonce` gives the first one."""
    fake, channel, body = _fake(request), _channel(request), await request.json()
    if channel.id in fake.forbidden:
        return _error(403, 50013, "Missing Permissions")
    content = str(body.get("content") or "")
    if not content.strip():
        return _error(400, 50006, "Cannot send an empty message")
    if len(content) > 2000 or len(str(body.get("nonce") or "")) > 25:
        return _error(400, 50035, "Invalid Form Body")
    known = len(channel.messages)
    message = fake.store(channel, body)
    if len(channel.messages) > known:
        await fake.gateway.dispatch("MESSAGE_CREATE", message)
    return _json(_shape(message))


@ROUTES.get("/api/v10/channels/{channel}/messages")
async def get_messages(request: web.Request) -> web.Response:
    """The channel's history, newest first; `after` and `before` are message ids."""
    messages = list(_channel(request).messages.values())
    limit = int(request.query.get("limit", 50))
    if after := request.query.get("after"):
        messages = [message for message in messages if int(message["id"]) > int(after)][:limit]
    if before := request.query.get("before"):
        messages = [message for message in messages if int(message["id"]) < int(before)]
    return _json([_shape(message) for message in messages[-limit:][::-1]])


@ROUTES.route("*", "/api/v10/channels/{channel}/messages/{message}")
async def one_message(request: web.Request) -> web.Response:
    """Read, edit or delete a message."""
    fake, channel = _fake(request), _channel(request)
    message = channel.messages.get(request.match_info["message"])
    if message is None:
        return _error(404, 10008, "Unknown Message")
    if request.method == "DELETE":
        del channel.messages[message["id"]]
        fake.touch(message)
        return web.Response(status=204)
    if request.method == "PATCH":
        body = await request.json()
        if len(str(body.get("content") or "")) > 2000:
            return _error(400, 50035, "Invalid Form Body")
        message |= {"content": str(body["content"]).strip(), "edited_timestamp": datetime.now(UTC).isoformat()}
        fake.touch(message)
    return _json(_shape(message))


@ROUTES.post("/api/v10/interactions/{id}/{token}/callback")
async def callback(request: web.Request) -> web.Response:
    """The first answer to an interaction; a second one is refused."""
    fake, body = _fake(request), await request.json()
    interaction = fake.interactions[request.match_info["token"]]
    if interaction.callbacks:
        return _error(400, 40060, "Interaction has already been acknowledged.")
    interaction.callbacks.append(body)
    if body["type"] == 4:
        interaction.shown = fake.message(interaction.channel, fake.bot, "") | body["data"]
    state = {"id": interaction.id, "type": 2, "response_message_loading": True, "response_message_ephemeral": True}
    return _json({"interaction": state})


@ROUTES.patch("/api/v10/webhooks/{app}/{token}/messages/@original")
async def edit_original(request: web.Request) -> web.Response:
    """Put an answer in the place of the deferred one, or of the message whose button was pressed."""
    fake, body = _fake(request), await request.json()
    interaction = fake.interactions.get(request.match_info["token"])
    if interaction is None or not interaction.callbacks:
        return _error(404, 10015, "Unknown Webhook")
    if len(str(body.get("content") or "")) > 2000:
        return _error(400, 50035, "Invalid Form Body")
    interaction.shown = fake.message(interaction.channel, fake.bot, "") | body
    return _json(_shape(interaction.shown))


@ROUTES.post("/api/v10/webhooks/{app}/{token}")
async def follow_up(request: web.Request) -> web.Response:
    """A further message about an interaction."""
    fake, body = _fake(request), await request.json()
    interaction = fake.interactions[request.match_info["token"]]
    interaction.followups.append(body)
    return _json(_shape(fake.message(interaction.channel, fake.bot, "") | body))


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Check the token, keep a record, and fail where the test wants it."""
    if not request.path.startswith("/api/"):
        return await handler(request)
    fake = _fake(request)
    if fake.unreachable:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()
    open_route = request.path.startswith(("/api/v10/interactions/", "/api/v10/webhooks/"))
    if not open_route and request.headers.get("Authorization") != f"Bot {fake.token}":
        return _error(401, 0, "401: Unauthorized")
    body = await request.text()
    fake.requests.append((request.method, request.path, json.loads(body) if body else {}))
    if fake.rest_failures and "/channels/" in request.path:
        status = fake.rest_failures.pop(0)
        if status == 429:
            waits = {"message": "You are being rate limited.", "retry_after": 0.05, "global": False}
            return _json(waits, status=429, headers={"Via": "1.1 google"})
        return _error(status, 0, "")
    return await handler(request)
