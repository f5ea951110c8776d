"""What people do in the fake Discord: they write, edit, delete, and use commands, buttons, menus and forms."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.fakes.discord_answers import Answers
from tests.fakes.discord_gateway import Gateway, Payload, until
from tests.fakes.discord_model import DM, GROUP_DM, Channel, Guild, Interaction, User, reference_to


class People(Answers):
    """People's doings, each told to the bot by the gateway."""

    gateway: Gateway
    url: str

    def __init__(self) -> None:
        super().__init__()
        self.interactions: dict[str, Interaction] = {}
        self.cdn: dict[str, bytes] = {}

    def flags(self) -> int:
        """The application's flags."""
        return self.gateway.flags

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
        files: Mapping[str, bytes] | None = None,
        paste: bytes | None = None,
        hours_ago: float = 0,
        **fields: Any,
    ) -> str:
        """Store a message and dispatch it; `fields` overwrite the payload's. Return its id.

        `files` come with it, by name. `paste` is a text that the client turned into a file, since it has more than
        2,000 characters.
        """
        message = self.message(channel, author, content, hours_ago)
        for name in attachments:
            message["attachments"].append(self.file(name, b"?", "application/octet-stream"))
        for name, held in (files or {}).items():
            message["attachments"].append(self.file(name, held, "application/octet-stream"))
        if paste is not None:
            message["attachments"].append(self.file("message.txt", paste, "text/plain; charset=utf-8"))
        if reply_to is not None:
            original = channel.messages[reply_to]
            message |= {"type": 19, "message_reference": reference_to(channel, reply_to)}
            message["referenced_message"] = original
            if ping and all(user["id"] != original["author"]["id"] for user in message["mentions"]):
                message["mentions"].append(original["author"])
        message |= fields
        channel.messages[message["id"]] = message
        await self.gateway.dispatch("MESSAGE_CREATE", message)
        return str(message["id"])

    def file(self, name: str, content: bytes, content_type: str) -> Payload:
        """A file on Discord's CDN, as a message names it."""
        file_id = self.snowflake()
        self.cdn[file_id] = content
        url = f"{self.url.removesuffix('/api/v10')}/attachments/{file_id}/{name}"
        about = {"id": file_id, "filename": name, "size": len(content), "content_type": content_type}
        return about | {"url": url, "proxy_url": url}

    async def forward(self, user: str, text: str, **snapshot: Any) -> str:
        """Forward somebody's message into the DM with the bot; `snapshot` overwrites what is shown of it."""
        now = datetime.now(UTC).isoformat()
        shown: Payload = {"type": 0, "content": text, "embeds": [], "attachments": [], "timestamp": now, "flags": 0}
        shown |= {"edited_timestamp": None, "mentions": [], "mention_roles": [], "components": []} | snapshot
        origin = {"type": 1, "message_id": self.snowflake(), "channel_id": self.snowflake(), "guild_id": "1"}
        return await self.dm(user, "", flags=1 << 14, message_reference=origin, message_snapshots=[{"message": shown}])

    async def delete(self, channel: Channel, message_id: str) -> None:
        """Delete a message, as a person or a moderator does."""
        del channel.messages[message_id]
        await self.gateway.dispatch("MESSAGE_DELETE", {"id": message_id} | channel.where())

    async def delete_many(self, channel: Channel, message_ids: list[str]) -> None:
        """Delete messages at once, as a moderator's tool does."""
        for message_id in message_ids:
            del channel.messages[message_id]
        await self.gateway.dispatch("MESSAGE_DELETE_BULK", {"ids": message_ids} | channel.where())

    async def edit(self, channel: Channel, message_id: str, content: str) -> None:
        """Edit a message, as its author does."""
        message = channel.messages[message_id]
        message |= {"content": content, "edited_timestamp": datetime.now(UTC).isoformat()}
        message["mentions"] = self.mentions(content)
        await self.gateway.dispatch("MESSAGE_UPDATE", message)

    async def unfurl(self, channel: Channel, message_id: str) -> None:
        """Add a link's preview to a message, as Discord does by itself some time after it was written or edited."""
        message = channel.messages[message_id]
        message["embeds"] = [{"type": "link", "url": "https://example.org", "title": "Example"}]
        await self.gateway.dispatch("MESSAGE_UPDATE", message)

    async def expel(self, guild: Guild) -> None:
        """Remove the bot from a server."""
        del self.guilds[guild.id]
        await self.gateway.dispatch("GUILD_DELETE", {"id": guild.id})

    async def invite(self, name: str = "Guild") -> Guild:
        """Add the bot to a new server."""
        guild = self.add_guild(name)
        joined = {key: value for key, value in self.described(guild).items() if key != "unavailable"}
        await self.gateway.dispatch("GUILD_CREATE", joined)
        return guild

    async def slash(
        self, user: str, name: str, options: dict[str, str] | None = None, channel: Channel | None = None
    ) -> Interaction:
        """Use a slash command, in the DM unless a channel is given."""
        values = [{"name": key, "type": 3, "value": value} for key, value in (options or {}).items()]
        return await self.interact(2, user, channel, {"id": "1", "name": name, "type": 1, "options": values})

    async def choose_message(self, user: str, message: Payload, channel: Channel, command: str) -> Interaction:
        """Use a command of a message's menu (*Apps*); Discord sends the message with it, whole."""
        data: Payload = {"id": "1", "name": command, "type": 3, "target_id": message["id"]}
        data["resolved"] = {"messages": {message["id"]: {k: v for k, v in message.items() if k != "guild_id"}}}
        return await self.interact(2, user, channel, data)

    async def fill_in(self, user: str, text: str, opened: Interaction) -> Interaction:
        """Fill in the form that a command has opened; no message belongs to it."""
        form = await until(lambda: opened.form, "no form")
        field = form["components"][0]["component"]
        typed = {"type": 4, "id": 2, "custom_id": field["custom_id"], "value": text}
        data = {"custom_id": form["custom_id"], "components": [{"type": 18, "id": 1, "component": typed}]}
        return await self.interact(5, user, opened.channel, data)

    async def press(self, user: str, custom_id: str, shown: Interaction) -> Interaction:
        """Click a button of an interaction's answer; the answer may be edited in place."""
        return await self.interact(
            3, user, shown.channel, {"custom_id": custom_id, "component_type": 2}, message=shown.shown
        )

    async def choose(self, user: str, label: str, shown: Interaction) -> Interaction:
        """Choose from the menu of an interaction's answer."""
        data = {"custom_id": shown.menu_id, "component_type": 3, "values": [shown.menu[label]]}
        return await self.interact(3, user, shown.channel, data, message=shown.shown)

    async def submit(self, user: str, text: str, shown: Interaction, pressed: Interaction) -> Interaction:
        """Fill in the form that a press on an interaction's answer has opened."""
        assert pressed.form is not None
        field = pressed.form["components"][0]["component"]
        typed = {"type": 4, "id": 2, "custom_id": field["custom_id"], "value": text}
        data = {"custom_id": pressed.form["custom_id"], "components": [{"type": 18, "id": 1, "component": typed}]}
        return await self.interact(5, user, shown.channel, data, message=shown.shown)

    async def autocomplete(self, user: str, name: str, option: str, typed: str) -> list[str]:
        """Type into a command's option; return the choices shown."""
        options = [{"name": option, "type": 3, "value": typed, "focused": True}]
        asked = await self.interact(4, user, None, {"id": "1", "name": name, "type": 1, "options": options})
        await until(lambda: asked.callbacks, "no autocompletion")
        return [choice["name"] for choice in asked.callbacks[0]["data"]["choices"]]

    async def interact(
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
