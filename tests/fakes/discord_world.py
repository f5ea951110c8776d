"""What there is in the fake Discord: people, servers, channels, and payloads of them as Discord sends them."""

import itertools
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.discord_gateway import Payload
from tests.fakes.discord_model import (
    DM,
    GROUP_DM,
    GUILD_TEXT,
    PRIVATE_THREAD,
    PUBLIC_THREAD,
    Channel,
    Guild,
    User,
)

EPOCH = 1420070400000
VIEW_AND_CONNECT = (1 << 10) | (1 << 20)


def shard_of(guild_id: str, count: int) -> int:
    """The shard, of so many, that a server's events come by."""
    return (int(guild_id) >> 22) % count


class World:
    """Everything that has an id; nothing here is told to anybody.

    Attributes:
        bot: The bot's own account.
    """

    def __init__(self) -> None:
        self.bot = User("1000000000000000001", "Memo", bot=True)
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.users: dict[str, User] = {}
        self._last_id = itertools.count(1)

    def flags(self) -> int:
        """The application's flags."""
        return 0

    def snowflake(self, hours_ago: float = 0) -> str:
        """A new id, in order of time."""
        milliseconds = int((time.time() - hours_ago * 3600) * 1000) - EPOCH
        return str((milliseconds << 22) | next(self._last_id) & 0x3FFFFF)

    def user(self, name: str) -> User:
        """The person of that name, made at the first call."""
        if name not in self.users:
            self.users[name] = User(self.snowflake(), name)
        return self.users[name]

    def add_guild(self, name: str = "Guild", *, shard: tuple[int, int] = (0, 1)) -> Guild:
        """A server that the bot is in, of one shard of so many. Make it before the bot connects."""
        number, count = shard
        guild = Guild(next(x for x in iter(self.snowflake, "") if shard_of(x, count) == number), name)
        self.guilds[guild.id] = guild
        return guild

    def join(self, guild: Guild, *names: str) -> None:
        """Make people members of a server."""
        guild.members.update(self.user(name).id for name in names)

    def add_role(self, guild: Guild, name: str, **fields: Any) -> str:
        """A role of a server; return its id. Make it before the bot connects."""
        role: Payload = {"id": self.snowflake(), "name": name, "permissions": "0", "position": 1, "color": 0}
        guild.roles.append(role | {"hoist": False, "managed": False, "mentionable": True, "flags": 0} | fields)
        return str(role["id"])

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

    def hello(self, shard: int, count: int) -> list[tuple[str, Payload]]:
        """What a shard's new session is told first: READY, then its servers."""
        guilds = [guild for guild in self.guilds.values() if shard_of(guild.id, count) == shard]
        application = {"id": self.bot.id, "flags": self.flags()}
        ready = {"v": 10, "user": self.bot.payload(), "application": application}
        ready["guilds"] = [{"id": guild.id, "unavailable": True} for guild in guilds]
        return [("READY", ready)] + [("GUILD_CREATE", self.described(guild)) for guild in guilds]

    def described(self, guild: Guild) -> Payload:
        """A server with its channels and threads."""
        everyone = {
            "id": guild.id,
            "name": "@everyone",
            "permissions": str(VIEW_AND_CONNECT | (1 << 11)),
            "position": 0,
        }
        everyone |= {"color": 0, "hoist": False, "managed": False, "mentionable": False, "flags": 0}
        member = {"user": self.bot.payload(), "roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "flags": 0}
        payload: Payload = {
            "id": guild.id,
            "name": guild.name,
            "owner_id": "1",
            "roles": [everyone, *guild.roles],
            "emojis": [],
        }
        payload |= {"members": [member | {"deaf": False, "mute": False}], "member_count": 2, "unavailable": False}
        payload["channels"] = [channel.payload() for channel in guild.channels if not channel.parent]
        payload["threads"] = [channel.payload() for channel in guild.channels if channel.parent]
        return payload

    def message(self, channel: Channel, author: User, content: str, hours_ago: float = 0) -> Payload:
        """A new message as Discord sends it, stored nowhere yet."""
        at = datetime.now(UTC) - timedelta(hours=hours_ago)
        message: Payload = {"id": self.snowflake(hours_ago), "channel_id": channel.id, "author": author.payload()}
        message |= {"content": content, "timestamp": at.isoformat(), "edited_timestamp": None, "flags": 0}
        message |= {"tts": False, "mention_everyone": False, "mentions": self.mentions(content), "pinned": False}
        message |= {"mention_roles": [], "attachments": [], "embeds": [], "components": [], "type": 0}
        if channel.guild is not None:
            message["guild_id"] = channel.guild.id
            message["member"] = {"roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "flags": 0}
            message["member"] |= {"deaf": False, "mute": False, "nick": None}
        return message

    def mentions(self, content: str) -> list[Payload]:
        """The accounts mentioned in a text."""
        known = {user.id: user for user in [self.bot, *self.users.values()]}
        found = dict.fromkeys(re.findall(r"<@!?(\d+)>", content))
        return [known[user_id].payload() for user_id in found if user_id in known]
