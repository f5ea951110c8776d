"""What the fake Discord keeps: accounts, servers, channels, and interactions as their caller sees them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.fakes.discord_gateway import Payload, until

GUILD_TEXT, DM, GUILD_VOICE, GROUP_DM, PUBLIC_THREAD, PRIVATE_THREAD = 0, 1, 2, 3, 11, 12
EPHEMERAL = 64


@dataclass(frozen=True)
class User:
    """An account."""

    id: str
    name: str
    bot: bool = False

    def payload(self) -> Payload:
        """As Discord sends it."""
        base = {"id": self.id, "username": self.name.lower(), "global_name": self.name, "discriminator": "0"}
        return base | {"avatar": None, "bot": self.bot, "public_flags": 0}


@dataclass
class Guild:
    """A server."""

    id: str
    name: str
    channels: list["Channel"] = field(default_factory=list)


@dataclass
class Channel:
    """A channel, thread or DM, with its messages by id, oldest first."""

    id: str
    type: int
    name: str = ""
    guild: Guild | None = None
    parent: "Channel | None" = None
    private: bool = False
    recipients: tuple[User, ...] = ()
    messages: dict[str, Payload] = field(default_factory=dict)

    def payload(self) -> Payload:
        """As Discord sends it."""
        base: Payload = {"id": self.id, "type": self.type, "last_message_id": None, "flags": 0}
        if self.guild is None:
            name = {"name": self.name, "icon": None, "owner_id": self.recipients[0].id} if self.type == GROUP_DM else {}
            return base | name | {"recipients": [user.payload() for user in self.recipients]}
        base |= {"guild_id": self.guild.id, "name": self.name, "parent_id": self.parent.id if self.parent else None}
        if self.type in (PUBLIC_THREAD, PRIVATE_THREAD):
            stamp = datetime.now(UTC).isoformat()
            meta = {"archived": False, "auto_archive_duration": 60, "archive_timestamp": stamp, "locked": False}
            return base | {"owner_id": "1", "message_count": 0, "member_count": 1, "thread_metadata": meta}
        deny = str(1 << 10) if self.private else "0"
        overwrites = [{"id": self.guild.id, "type": 0, "allow": "0", "deny": deny}]
        base |= {"position": 0, "nsfw": False, "topic": None, "rate_limit_per_user": 0}
        return base | {"permission_overwrites": overwrites, "bitrate": 64000, "user_limit": 0}


@dataclass
class Interaction:
    """A command, press or autocompletion as its caller sees it: what was shown, to whom, with what buttons."""

    id: str
    token: str
    channel: Channel
    callbacks: list[Payload] = field(default_factory=list)
    followups: list[Payload] = field(default_factory=list)
    shown: Payload | None = None

    @property
    def ephemeral(self) -> bool:
        """Whether the answer is for the caller alone (fixed by the first callback)."""
        return bool(self.callbacks and (self.callbacks[0].get("data") or {}).get("flags", 0) & EPHEMERAL)

    @property
    def content(self) -> str:
        """The text of the answer, empty before there is one."""
        return str((self.shown or {}).get("content") or "")

    @property
    def buttons(self) -> dict[str, str]:
        """The answer's buttons: label to custom id."""
        rows = (self.shown or {}).get("components") or []
        return {item["label"]: item["custom_id"] for row in rows for item in row.get("components", [])}

    async def answer(self, within: float = 10.0) -> str:
        """Wait for the answer and return its text."""
        await until(lambda: self.shown, f"no answer to interaction {self.id}", within)
        return self.content
