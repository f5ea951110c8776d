"""A small Discord on 127.0.0.1: REST v10, gateway, interactions, and people who talk to the bot.

Payloads follow Discord's public documentation. Give `url` to a bot as DISCORD_API_BASE, in this process or another.
"""

import asyncio
import itertools
import re
import time
import uuid
from datetime import UTC, datetime
from typing import Any, Self

from aiohttp import web

from tests.fakes.discord_gateway import Gateway, Payload, until
from tests.fakes.discord_model import (
    DM,
    GROUP_DM,
    GUILD_TEXT,
    PRIVATE_THREAD,
    PUBLIC_THREAD,
    Channel,
    Guild,
    Interaction,
    User,
)
from tests.fakes.discord_rest import FAKE, ROUTES, guard

__all__ = ["Channel", "FakeDiscord", "Guild", "Interaction", "User", "until"]

TOKEN = "fake-discord-token"
EPOCH = 1420070400000
VIEW_AND_CONNECT = (1 << 10) | (1 << 20)


class FakeDiscord:
    """The server.

    Attributes:
        requests: (method, path, JSON body) of each REST request, in order.
        typing: Channel ids in which the bot showed typing, in order.
        commands: What the bot registered.
        rest_failures: Statuses to answer the next requests to channels with; 429 asks to wait 0.05 s.
        unreachable: While true, REST drops every connection.
        forbidden: Channel ids in which the bot may not write.
        slow_typing: Seconds that a typing request takes.
    """

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token
        self.bot = User("1000000000000000001", "Memo", bot=True)
        self.gateway = Gateway(token, self.bot.id, self._hello)
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.users: dict[str, User] = {}
        self.interactions: dict[str, Interaction] = {}
        self.requests: list[tuple[str, str, Payload]] = []
        self.typing: list[str] = []
        self.commands: list[Payload] = []
        self.rest_failures: list[int] = []
        self.unreachable = False
        self.forbidden: set[str] = set()
        self.slow_typing = 0.0
        self.sessions_left = 1000
        self._nonces: dict[tuple[str, str], str] = {}
        self._answers: dict[str, list[Payload]] = {}
        self._first: dict[str, asyncio.Future[Payload]] = {}
        self._changes: dict[str, asyncio.Event] = {}
        self._last_id = itertools.count(1)
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, port: int = 0) -> Self:
        """Listen on 127.0.0.1; `url` is then the REST root."""
        app = web.Application(middlewares=[guard], client_max_size=2**26)
        fake: FakeDiscord = self
        app[FAKE] = fake
        app.add_routes(ROUTES)
        app.router.add_get("/gateway", self.gateway.handle)
        app.router.add_get("/gateway/", self.gateway.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{bound}/api/v10"
        self.gateway.url = f"ws://{host}:{bound}/gateway"
        return self

    async def stop(self) -> None:
        """Close every connection."""
        await self.gateway.drop()
        if self._runner:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # The world

    def snowflake(self) -> str:
        """A new id, in order of time."""
        return str((int(time.time() * 1000) - EPOCH << 22) | next(self._last_id) & 0x3FFFFF)

    def user(self, name: str) -> User:
        """The person of that name, made at the first call."""
        if name not in self.users:
            self.users[name] = User(self.snowflake(), name)
        return self.users[name]

    def add_guild(self, name: str = "Guild") -> Guild:
        """A server that the bot is in. Make it before the bot connects."""
        guild = Guild(self.snowflake(), name)
        self.guilds[guild.id] = guild
        return guild

    def add_channel(
        self, guild: Guild, name: str, *, private: bool = False, parent: Channel | None = None, kind: int = GUILD_TEXT
    ) -> Channel:
        """A channel, or a thread with `parent`. Make it before the bot connects; later ones aren't announced."""
        if parent is not None:
            kind = PRIVATE_THREAD if private else PUBLIC_THREAD
        channel = Channel(self.snowflake(), kind, name, guild, parent, private)
        self.channels[channel.id] = channel
        guild.channels.append(channel)
        return channel

    def dm_with(self, user: str) -> Channel:
        """The person's DM with the bot."""
        return self._direct(DM, (self.user(user),))

    def group_with(self, *users: str) -> Channel:
        """A group DM, where only commands of user-installed apps reach the bot."""
        return self._direct(GROUP_DM, tuple(self.user(user) for user in users))

    def _direct(self, kind: int, people: tuple[User, ...]) -> Channel:
        for channel in self.channels.values():
            if channel.type == kind and channel.recipients == people:
                return channel
        channel = Channel(self.snowflake(), kind, "group", recipients=people)
        self.channels[channel.id] = channel
        return channel

    def _hello(self) -> list[tuple[str, Payload]]:
        application = {"id": self.bot.id, "flags": 0}
        ready = {"v": 10, "user": self.bot.payload(), "application": application}
        ready["guilds"] = [{"id": guild.id, "unavailable": True} for guild in self.guilds.values()]
        return [("READY", ready)] + [("GUILD_CREATE", self._guild(guild)) for guild in self.guilds.values()]

    def _guild(self, guild: Guild) -> Payload:
        everyone = {
            "id": guild.id,
            "name": "@everyone",
            "permissions": str(VIEW_AND_CONNECT | (1 << 11)),
            "position": 0,
        }
        everyone |= {"color": 0, "hoist": False, "managed": False, "mentionable": False, "flags": 0}
        member = {"user": self.bot.payload(), "roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "flags": 0}
        payload: Payload = {"id": guild.id, "name": guild.name, "owner_id": "1", "roles": [everyone], "emojis": []}
        payload |= {"members": [member | {"deaf": False, "mute": False}], "member_count": 2, "unavailable": False}
        payload["channels"] = [channel.payload() for channel in guild.channels if not channel.parent]
        payload["threads"] = [channel.payload() for channel in guild.channels if channel.parent]
        return payload

    # What people do

    async def dm(self, user: str, text: str, **extra: Any) -> str:
        """Write to the bot directly; return the message's id."""
        return await self.post(self.dm_with(user), self.user(user), text, **extra)

    async def say(self, channel: Channel, user: str, text: str, *, mention: bool = True, **extra: Any) -> str:
        """Write in a channel, with the bot's mention first unless told otherwise; return the message's id.

        `reply_to` is a message id; `ping` whether the reply pings its author.
        """
        content = f"<@{self.bot.id}> {text}" if mention else text
        return await self.post(channel, self.user(user), content, **extra)

    async def post(
        self,
        channel: Channel,
        author: User,
        content: str,
        *,
        reply_to: str | None = None,
        ping: bool = True,
        attachments: tuple[str, ...] = (),
        **fields: Any,
    ) -> str:
        """Store a message and dispatch it; `fields` overwrite the payload's. Return its id."""
        message = self.message(channel, author, content)
        for name in attachments:
            file = {"id": self.snowflake(), "filename": name, "size": 1, "url": "http://x/", "proxy_url": "http://x/"}
            message["attachments"].append(file)
        if reply_to is not None:
            original = channel.messages[reply_to]
            message |= {"type": 19, "message_reference": {"message_id": reply_to, "channel_id": channel.id}}
            message["referenced_message"] = original
            if ping and all(user["id"] != original["author"]["id"] for user in message["mentions"]):
                message["mentions"].append(original["author"])
        message |= fields
        channel.messages[message["id"]] = message
        await self.gateway.dispatch("MESSAGE_CREATE", message)
        return str(message["id"])

    async def delete(self, channel: Channel, message_id: str) -> None:
        """Delete a message, as a person or a moderator does."""
        del channel.messages[message_id]
        guild = {"guild_id": channel.guild.id} if channel.guild else {}
        await self.gateway.dispatch("MESSAGE_DELETE", {"id": message_id, "channel_id": channel.id} | guild)

    async def edit(self, channel: Channel, message_id: str, content: str) -> None:
        """Edit a message, as its author does."""
        message = channel.messages[message_id]
        message |= {"content": content, "edited_timestamp": datetime.now(UTC).isoformat()}
        message["mentions"] = self._mentions(content)
        await self.gateway.dispatch("MESSAGE_UPDATE", message)

    def message(self, channel: Channel, author: User, content: str) -> Payload:
        """A new message as Discord sends it, stored nowhere yet."""
        message: Payload = {"id": self.snowflake(), "channel_id": channel.id, "author": author.payload()}
        message |= {"content": content, "timestamp": datetime.now(UTC).isoformat(), "edited_timestamp": None}
        message |= {"tts": False, "mention_everyone": False, "mentions": self._mentions(content), "pinned": False}
        message |= {"mention_roles": [], "attachments": [], "embeds": [], "components": [], "type": 0}
        if channel.guild is not None:
            message["guild_id"] = channel.guild.id
            message["member"] = {"roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "flags": 0}
            message["member"] |= {"deaf": False, "mute": False, "nick": None}
        return message

    def _mentions(self, content: str) -> list[Payload]:
        known = {user.id: user for user in [self.bot, *self.users.values()]}
        found = dict.fromkeys(re.findall(r"<@!?(\d+)>", content))
        return [known[user_id].payload() for user_id in found if user_id in known]

    async def slash(
        self, user: str, name: str, options: dict[str, str] | None = None, channel: Channel | None = None
    ) -> Interaction:
        """Use a slash command, in the DM unless a channel is given."""
        values = [{"name": key, "type": 3, "value": value} for key, value in (options or {}).items()]
        return await self._interact(2, user, channel, {"id": "1", "name": name, "type": 1, "options": values})

    async def press(self, user: str, custom_id: str, shown: Interaction) -> Interaction:
        """Click a button of an interaction's answer; the answer may be edited in place."""
        pressed = await self._interact(
            3, user, shown.channel, {"custom_id": custom_id, "component_type": 2}, message=shown.shown
        )
        pressed.shown = None
        return pressed

    async def autocomplete(self, user: str, name: str, option: str, typed: str) -> list[str]:
        """Type into a command's option; return the choices shown."""
        options = [{"name": option, "type": 3, "value": typed, "focused": True}]
        asked = await self._interact(4, user, None, {"id": "1", "name": name, "type": 1, "options": options})
        await until(lambda: asked.callbacks, "no autocompletion")
        return [choice["name"] for choice in asked.callbacks[0]["data"]["choices"]]

    async def _interact(
        self, kind: int, user: str, channel: Channel | None, data: Payload, message: Payload | None = None
    ) -> Interaction:
        channel = channel or self.dm_with(user)
        interaction = Interaction(self.snowflake(), uuid.uuid4().hex, channel)
        self.interactions[interaction.token] = interaction
        payload: Payload = {"id": interaction.id, "application_id": self.bot.id, "type": kind, "data": data}
        payload |= {"token": interaction.token, "version": 1, "channel_id": channel.id, "channel": channel.payload()}
        payload |= {"locale": "en-US", "app_permissions": "0", "entitlements": [], "attachment_size_limit": 10**7}
        payload |= {"authorizing_integration_owners": {}, "context": {DM: 1, GROUP_DM: 2}.get(channel.type, 0)}
        account = self.user(user).payload()
        if channel.guild is None:
            payload["user"] = account
        else:
            member = {"user": account, "roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "flags": 0}
            payload |= {"guild_id": channel.guild.id, "guild_locale": "en-US"}
            payload["member"] = member | {"deaf": False, "mute": False, "permissions": "0"}
        if message is not None:
            payload["message"] = message
        await self.gateway.dispatch("INTERACTION_CREATE", payload)
        return interaction

    # What people see

    def answers(self, message_id: str) -> list[Payload]:
        """The bot's messages that reply to a message, in order, those deleted since left out."""
        found = self._answers.get(message_id, [])
        return [answer for answer in found if answer["id"] in self.channels[answer["channel_id"]].messages]

    async def first_answer(self, message_id: str, within: float = 10.0) -> Payload:
        """The first message that replies to a message, as soon as it is there."""
        future = self._first.setdefault(message_id, asyncio.get_running_loop().create_future())
        return await asyncio.wait_for(asyncio.shield(future), within)

    async def answer_to(
        self, message_id: str, *, contains: str = "", settle: float = 0.25, within: float = 10.0
    ) -> str:
        """Wait for the whole answer to a message: it holds `contains` and has not changed for `settle` seconds."""
        loop = asyncio.get_running_loop()
        changed = self._changes.setdefault(message_id, asyncio.Event())
        end = loop.time() + within
        while True:
            changed.clear()
            text = "\n".join(str(answer["content"]) for answer in self.answers(message_id))
            ready = bool(text) and contains in text
            try:
                await asyncio.wait_for(changed.wait(), settle if ready else max(0.01, end - loop.time()))
            except TimeoutError:
                if ready:
                    return text
                raise AssertionError(f"no answer to {message_id} within {within:g} s; there is: {text!r}") from None

    def store(self, channel: Channel, body: Payload) -> Payload:
        """Keep a message of the bot's; one with a nonce that was there before is not sent again."""
        nonce = str(body["nonce"]) if body.get("nonce") is not None and body.get("enforce_nonce") else None
        if nonce is not None:
            earlier = self._nonces.get((channel.id, nonce))
            if earlier in channel.messages:
                return channel.messages[earlier]
        message = self.message(channel, self.bot, str(body.get("content") or "").strip())
        message["components"] = body.get("components") or []
        reference = body.get("message_reference")
        if reference:
            message |= {"type": 19, "message_reference": reference}
            message["referenced_message"] = channel.messages.get(str(reference["message_id"]))
        channel.messages[message["id"]] = message
        if nonce is not None:
            self._nonces[channel.id, nonce] = message["id"]
        if reference:
            original = str(reference["message_id"])
            self._answers.setdefault(original, []).append(message)
            waiting = self._first.setdefault(original, asyncio.get_running_loop().create_future())
            if not waiting.done():
                waiting.set_result(message)
        self.touch(message)
        return message

    def touch(self, message: Payload) -> None:
        """Wake who waits for the answer that this message is part of."""
        reference = message.get("message_reference")
        if reference and (changed := self._changes.get(str(reference["message_id"]))):
            changed.set()
