"""The fake Discord's REST routes, version 10."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.fakes.discord_gateway import Payload
from tests.fakes.discord_model import COMPONENTS_V2, MODAL, Channel, User, form_faults, numbered, view_faults
from tests.fakes.discord_refusing import blocked, error, json_response, refused, unwelcome
from tests.fakes.traffic import TRAFFIC, Record

if TYPE_CHECKING:
    from tests.fakes.discord import FakeDiscord

ROUTES = web.RouteTableDef()
#: Under which the application keeps its `FakeDiscord`.
FAKE: "web.AppKey[FakeDiscord]" = web.AppKey("fake")
#: Under which a request keeps its parsed JSON, and its files by name.
BODY: "web.RequestKey[Any]" = web.RequestKey("body")
FILES: "web.RequestKey[Any]" = web.RequestKey("files")

_PROXIED = {"proxy_url": "https://example.org/f"}


class UnknownChannel(Exception):
    """A request names a channel that isn't there."""


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _fake(request: web.Request) -> "FakeDiscord":
    return request.app[FAKE]


def _channel(request: web.Request) -> Channel:
    channel = _fake(request).channels.get(request.match_info["channel"])
    if channel is None:
        raise UnknownChannel
    return channel


def _broken(fake: "FakeDiscord", channel: Channel) -> bool:
    if channel.id not in fake.broken:
        return False
    fake.broken[channel.id] -= 1
    return fake.broken[channel.id] < 0


def _shape(message: Payload) -> Payload:
    return {key: value for key, value in message.items() if key != "guild_id"}


@ROUTES.get("/api/v10/gateway/bot")
async def gateway_bot(request: web.Request) -> web.Response:
    """Where the gateway is, and how many sessions are left."""
    fake = _fake(request)
    limit = {"total": 1000, "remaining": fake.sessions_left, "reset_after": 1000, "max_concurrency": 1}
    return json_response({"url": fake.gateway.url, "shards": 1, "session_start_limit": limit})


@ROUTES.get("/api/v10/users/@me")
async def me(request: web.Request) -> web.Response:
    """The bot's own account."""
    more = {"mfa_enabled": True, "locale": "en-US", "premium_type": 0, "email": None, "verified": True}
    return json_response(_fake(request).bot.payload() | more)


@ROUTES.get("/api/v10/oauth2/applications/@me")
@ROUTES.get("/api/v10/applications/@me")
async def application(request: web.Request) -> web.Response:
    """The bot's application."""
    fake = _fake(request)
    owner = User("1", "Owner").payload()
    info: Payload = {"id": fake.bot.id, "name": fake.bot.name, "icon": None, "description": "", "bot_public": True}
    info |= {"bot_require_code_grant": False, "verify_key": "0", "owner": owner, "team": None}
    info |= {"flags": fake.gateway.flags}
    info |= dict.fromkeys(("type", "role_connections_verification_url", "interactions_endpoint_url"))
    info |= {"redirect_uris": [], "flags_new": "0", "explicit_content_filter": 0, "eligible_oauth2_scopes": []}
    counts = ("approximate_user_install_count", "approximate_user_authorization_count", "approximate_guild_count")
    info |= dict.fromkeys(counts, 0)
    return json_response(info)


@ROUTES.get("/api/v10/applications/{app}/commands")
async def get_commands(request: web.Request) -> web.Response:
    """The registered commands."""
    return json_response(_fake(request).commands)


@ROUTES.put("/api/v10/applications/{app}/commands")
async def put_commands(request: web.Request) -> web.Response:
    """Register commands in place of all before."""
    fake = _fake(request)
    base = {"application_id": fake.bot.id, "version": "1", "default_member_permissions": None}
    base["description"] = ""  # of what stands in a menu
    fake.commands = [{"id": fake.snowflake()} | base | command for command in request[BODY]]
    return json_response(fake.commands)


@ROUTES.post("/api/v10/users/@me/channels")
async def open_dm(request: web.Request) -> web.Response:
    """Open a DM."""
    fake = _fake(request)
    recipient = str(request[BODY]["recipient_id"])
    name = next(user.name for user in fake.users.values() if user.id == recipient)
    return json_response(fake.dm_with(name).payload())


@ROUTES.get("/api/v10/guilds/{guild}/members/{user}")
async def get_member(request: web.Request) -> web.Response:
    """One member of a server that the bot is in."""
    fake, user_id = _fake(request), request.match_info["user"]
    if fake.member_failures and (status := fake.member_failures.pop(0)):
        return error(status, 0, "")
    guild = fake.guilds.get(request.match_info["guild"])
    if guild is None:
        return error(403, 50001, "Missing Access")
    if user_id not in guild.members:
        return error(404, 10007, "Unknown Member")
    user = next(user for user in fake.users.values() if user.id == user_id)
    member: Payload = dict.fromkeys(("avatar", "banner", "communication_disabled_until", "nick", "premium_since"))
    member |= {"user": user.payload(), "roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "flags": 0}
    return json_response(member | {"pending": False, "mute": False, "deaf": False})


@ROUTES.get("/api/v10/channels/{channel}")
async def get_channel(request: web.Request) -> web.Response:
    """One channel."""
    return json_response(_channel(request).payload())


@ROUTES.post("/api/v10/channels/{channel}/typing")
async def post_typing(request: web.Request) -> web.Response:
    """Show typing for ten seconds."""
    fake = _fake(request)
    if answer := refused(fake, "typing"):
        return answer
    if _channel(request).id in fake.forbidden:
        return error(403, 50013, "Missing Permissions")
    fake.typing.append(request.match_info["channel"])
    await asyncio.sleep(fake.slow_typing)
    return web.Response(status=204)


@ROUTES.post("/api/v10/channels/{channel}/messages")
async def post_message(request: web.Request) -> web.Response:
    """Send a message; a repeated nonce with `enforce_nonce` gives the first one."""
    fake, channel, body = _fake(request), _channel(request), request[BODY]
    if channel.id in fake.forbidden:
        return error(403, 50013, "Missing Permissions")
    if channel.id in fake.locked:
        return error(403, 160005, "Thread is locked")
    if any(user.name in fake.closed for user in channel.recipients):
        return error(403, 50007, "Cannot send messages to this user")
    reference = body.get("message_reference")
    if reference and channel.id in fake.unhistoried:
        return error(403, 160002, "Cannot reply without permission to read message history")
    if reference and (answer := refused(fake, "reply")):
        return answer
    # discord.py sends some ids as numbers, which Discord reads too.
    if reference and reference.get("fail_if_not_exists", True) and str(reference["message_id"]) not in channel.messages:
        return error(400, 50035, "Invalid Form Body")
    if len(str(body.get("nonce") or "")) > 25:
        return error(400, 50035, "Invalid Form Body")
    if answer := refused(fake, "send"):
        return answer
    if int(body.get("flags") or 0) & COMPONENTS_V2 and body.get("components"):
        if wrong := view_faults(body):
            return error(400, 50035, f"Invalid Form Body: {wrong}")
    elif answer := unwelcome(fake, str(body.get("content") or "")):
        return answer
    await asyncio.sleep(fake.slow_messages)
    fake.archived.discard(channel.id)
    known = len(channel.messages)
    message = fake.store(channel, body)
    if channel.parent and not channel.joined:
        channel.joined = True
        member = {"id": channel.id, "user_id": fake.bot.id, "join_timestamp": message["timestamp"], "flags": 1}
        joined = {"id": channel.id, "member_count": 2, "added_members": [member]} | channel.where()
        await fake.gateway.dispatch("THREAD_MEMBERS_UPDATE", joined)
    if len(channel.messages) > known:
        await fake.gateway.dispatch("MESSAGE_CREATE", message)
    if fake.lost_answers:
        fake.lost_answers -= 1
        return error(503, 0, "")
    return json_response(_shape(message))


@ROUTES.get("/api/v10/channels/{channel}/messages")
async def get_messages(request: web.Request) -> web.Response:
    """The channel's history, newest first; `after`, `before` and `around` are message ids."""
    fake, channel, query = _fake(request), _channel(request), request.query
    if channel.id in fake.forbidden:
        return error(403, 50001, "Missing Access")
    if _broken(fake, channel):
        return error(503, 0, "")
    fake.reading += 1
    fake.most_reading = max(fake.most_reading, fake.reading)
    await asyncio.sleep(fake.slow_history)
    fake.reading -= 1
    hidden = channel.id in fake.unhistoried
    shown = [] if hidden else [key for key in channel.messages if key not in fake.unlisted]
    messages = [channel.messages[key] for key in sorted(shown, key=int)]
    limit = int(query.get("limit", 50))
    if not 1 <= limit <= 100 or len({"after", "before", "around"} & set(query)) > 1:
        return error(400, 50035, "Invalid Form Body")
    if "after" in query:
        messages = [message for message in messages if int(message["id"]) > int(query["after"])][:limit]
    if "before" in query:
        messages = [message for message in messages if int(message["id"]) < int(query["before"])]
    if "around" in query:
        older = sum(int(message["id"]) < int(query["around"]) for message in messages)
        messages = messages[max(0, older - limit // 2) :][:limit]
    return json_response([_shape(fake.gateway.over_rest(message)) for message in messages[-limit:][::-1]])


@ROUTES.route("*", "/api/v10/channels/{channel}/messages/{message}")
async def one_message(request: web.Request) -> web.Response:
    """Read, edit or delete a message."""
    fake, channel = _fake(request), _channel(request)
    if request.method == "GET" and channel.id in fake.forbidden | fake.unhistoried:
        return error(403, 50001, "Missing Access")
    if request.method == "GET" and _broken(fake, channel):
        return error(503, 0, "")
    message = channel.messages.get(request.match_info["message"])
    if message is None:
        return error(404, 10008, "Unknown Message")
    if request.method in ("DELETE", "PATCH"):
        if answer := refused(fake, "delete" if request.method == "DELETE" else "edit"):
            return answer
        if channel.id in fake.archived | fake.locked:
            return error(400, 50083, "Thread is archived")
    if request.method == "DELETE":
        del channel.messages[message["id"]]
        fake.touch(message)
        await fake.gateway.dispatch("MESSAGE_DELETE", {"id": message["id"]} | channel.where())
        return web.Response(status=204)
    if request.method == "PATCH":
        body = request[BODY]
        if message["author"]["id"] != fake.bot.id:
            return error(403, 50005, "Cannot edit a message authored by another user")
        if answer := unwelcome(fake, str(body.get("content") or "")):
            return answer
        if "components" in body:
            if wrong := view_faults(body):
                return error(400, 50035, f"Invalid Form Body: {wrong}")
            message["components"] = numbered(body["components"])
        message |= {"content": str(body["content"]).strip(), "edited_timestamp": datetime.now(UTC).isoformat()}
        fake.touch(message)
        await fake.gateway.dispatch("MESSAGE_UPDATE", message)
    return json_response(_shape(fake.gateway.over_rest(message)))


@ROUTES.post("/api/v10/interactions/{id}/{token}/callback")
async def callback(request: web.Request) -> web.Response:
    """The first answer to an interaction; a second one is refused."""
    fake, body = _fake(request), request[BODY]
    if answer := refused(fake, "callback"):
        return answer
    interaction = fake.interactions[request.match_info["token"]]
    if interaction.callbacks:
        return error(400, 40060, "Interaction has already been acknowledged.")
    if body["type"] == MODAL and (wrong := form_faults(body["data"])):
        return error(400, 50035, f"Invalid Form Body: {wrong}")
    interaction.callbacks.append(body)
    if body["type"] == 4:
        interaction.shown = fake.message(interaction.channel, fake.bot, "") | body["data"]
    state = {"id": interaction.id, "type": 2, "response_message_loading": True, "response_message_ephemeral": True}
    return json_response({"interaction": state})


@ROUTES.patch("/api/v10/webhooks/{app}/{token}/messages/@original")
async def edit_original(request: web.Request) -> web.Response:
    """Put an answer in the place of the deferred one, or of the message whose button was pressed."""
    fake, body = _fake(request), request[BODY]
    interaction = fake.interactions.get(request.match_info["token"])
    if interaction is None or not interaction.callbacks:
        return error(404, 10015, "Unknown Webhook")
    if wrong := view_faults(body):
        return error(400, 50035, f"Invalid Form Body: {wrong}")
    if answer := refused(fake, "edit original"):
        return answer
    if answer := _empty(body) or blocked(fake, str(body.get("content") or "")):
        return answer
    message = fake.message(interaction.channel, fake.bot, "")
    interaction.shown = message | body
    return json_response(_shape(message | _shown(body)))


@ROUTES.route("*", "/api/v10/webhooks/{app}/{token}/messages/{message}")
async def further(request: web.Request) -> web.Response:
    """Edit or delete a further message about an interaction."""
    fake, body = _fake(request), request[BODY]
    interaction = fake.interactions[request.match_info["token"]]
    if answer := refused(fake, "edit follow up"):
        return answer
    message = interaction.further.get(request.match_info["message"])
    if message is None:
        return error(404, 10008, "Unknown Message")
    if request.method == "DELETE":
        del interaction.further[message["id"]]
        return web.Response(status=204)
    if wrong := view_faults(body):
        return error(400, 50035, f"Invalid Form Body: {wrong}")
    message |= _shown(body)
    return json_response(_shape(message))


def _empty(body: Payload) -> web.Response | None:
    """How Discord refuses a response without anything in it."""
    shows = str(body.get("content") or "").strip() or body.get("components") or body.get("attachments")
    return None if shows else error(400, 50006, "Cannot send an empty message")


@ROUTES.post("/api/v10/webhooks/{app}/{token}")
async def follow_up(request: web.Request) -> web.Response:
    """A further message about an interaction."""
    fake, body = _fake(request), request[BODY]
    if answer := refused(fake, "follow up"):
        return answer
    interaction = fake.interactions[request.match_info["token"]]
    if request[FILES] and (answer := refused(fake, "file")):
        return answer
    if wrong := view_faults(body):
        return error(400, 50035, f"Invalid Form Body: {wrong}")
    if answer := blocked(fake, str(body.get("content") or "")):
        return answer
    interaction.followups.append(body)
    if request[FILES] and not fake.takes_files:
        return error(413, 40005, "Request entity too large")
    interaction.files |= request[FILES]
    message = fake.message(interaction.channel, fake.bot, "") | _shown(body)
    interaction.further[message["id"]] = message
    return json_response(_shape(message))


def _shown(body: Payload) -> Payload:
    """What of a request to show something comes back in the message."""
    shown = {key: body[key] for key in ("content", "flags", "embeds") if body.get(key) is not None}
    shown["components"] = numbered(body.get("components") or [])
    files = [
        {"id": str(file["id"]), "filename": file["filename"], "size": 1, "url": "https://example.org/f"} | _PROXIED
        for file in body.get("attachments") or []
    ]
    return shown | ({"attachments": files} if files else {})


@ROUTES.get("/attachments/{file}/{name}")
async def attachment(request: web.Request) -> web.StreamResponse:
    """A file, as Discord's CDN gives it."""
    fake = _fake(request)
    fake.fetched.append(request.match_info["file"])
    if fake.cdn_failures:
        status = fake.cdn_failures.pop(0)
        if status == 302:
            return web.Response(status=302, headers={"Location": "http://127.0.0.1:9/elsewhere"})
        if status:
            return web.Response(status=status, headers={"Retry-After": "1"})
    await asyncio.sleep(fake.slow_files)
    return web.Response(body=fake.cdn[request.match_info["file"]], content_type="text/plain")


async def _read(request: web.Request) -> tuple[Payload, dict[str, bytes]]:
    """A request's JSON and files; with files it is a form whose `payload_json` is the JSON."""
    if request.content_type != "multipart/form-data":
        body = await request.text()
        return json.loads(body) if body else {}, {}
    form = await request.post()
    files = {part.filename: part.file.read() for part in form.values() if isinstance(part, web.FileField)}
    return json.loads(str(form["payload_json"])), files


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
        return error(401, 0, "401: Unauthorized")
    request[BODY], request[FILES] = await _read(request)
    fake.requests.append((request.method, request.path, request[BODY]))
    name = f"{request.method} {re.sub('{[^}]*}', '{}', _template(request))}"
    TRAFFIC.note(Record("discord", "request", name, request[BODY]))
    response = await _answer(fake, request, handler)
    if isinstance(response, web.Response):
        raw = response.body if isinstance(response.body, bytes) and response.content_type == "application/json" else b""
        body = json.loads(raw) if raw else None
        TRAFFIC.note(Record("discord", "answer", name, body, response.status))
    return response


def _template(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return (resource.canonical if resource else request.path).removeprefix("/api/v10")


async def _answer(fake: "FakeDiscord", request: web.Request, handler: Handler) -> web.StreamResponse:
    headers: dict[str, str] = {}
    if fake.limits:
        limited, headers = fake.limits.take(request.method, request.path)
        if limited:
            waits = {"message": "You are being rate limited.", "retry_after": limited.seconds}
            headers |= {"Via": "1.1 google", "Retry-After": f"{limited.seconds:.3f}"}
            return json_response(waits | {"global": limited.everywhere}, status=429, headers=headers)
    if fake.pages and "/channels/" in request.path:
        return web.Response(text="<h1>Blocked</h1>", status=403, content_type="text/html")
    if fake.webhook_failures and "/webhooks/" in request.path:
        status = fake.webhook_failures.pop(0)
        if status == 429:
            waits = {"message": "You are being rate limited.", "retry_after": 0.05, "global": False}
            return json_response(waits, status=429, headers={"Via": "1.1 google"})
        if status:
            return error(status, 0, "")
    if fake.rest_failures and "/channels/" in request.path:
        status = fake.rest_failures.pop(0)
        if status == 429:
            waits = {"message": "You are being rate limited.", "retry_after": 0.05, "global": False}
            return json_response(waits, status=429, headers={"Via": "1.1 google"})
        if status:
            return error(status, 0, "")
    try:
        response = await handler(request)
    except UnknownChannel:
        response = error(404, 10003, "Unknown Channel")
    response.headers.update(headers)
    return response
