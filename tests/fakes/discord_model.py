"""What the fake Discord keeps: accounts, servers, channels, and interactions as their caller sees them."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.fakes.discord_gateway import Payload, until

GUILD_TEXT, DM, GUILD_VOICE, GROUP_DM, PUBLIC_THREAD, PRIVATE_THREAD = 0, 1, 2, 3, 11, 12
EPHEMERAL, COMPONENTS_V2 = 64, 1 << 15
ROW, BUTTON, SELECT, MODAL, TEXT = 1, 2, 3, 9, 10


@dataclass(frozen=True)
class User:
    """An account."""

    id: str
    name: str
    bot: bool = False

    def payload(self) -> Payload:
        """As Discord sends it."""
        base = {"id": self.id, "username": self.name.lower(), "global_name": self.name, "discriminator": "0"}
        return base | {"avatar": None, "bot": self.bot, "public_flags": 0, "flags": 0, "primary_guild": None}


def reference_to(channel: "Channel", message_id: object) -> Payload:
    """How a reply names the message that it is a reply to."""
    where = {"message_id": str(message_id), "channel_id": channel.id}
    return {"type": 0, **where, **({"guild_id": channel.guild.id} if channel.guild else {})}


@dataclass
class Guild:
    """A server; `members` are the ids of those whom REST calls its members."""

    id: str
    name: str
    channels: list["Channel"] = field(default_factory=list)
    roles: list[Payload] = field(default_factory=list)
    members: set[str] = field(default_factory=set)


@dataclass
class Channel:
    """A channel, thread or DM, with its messages by id, oldest first.

    `open_to` are roles that see a private one; `joined` says whether the bot is a member of a thread.
    """

    id: str
    type: int
    name: str = ""
    guild: Guild | None = None
    parent: "Channel | None" = None
    private: bool = False
    recipients: tuple[User, ...] = ()
    open_to: tuple[str, ...] = ()
    messages: dict[str, Payload] = field(default_factory=dict)
    joined: bool = False

    def where(self) -> Payload:
        """How an event names it."""
        return {"channel_id": self.id} | ({"guild_id": self.guild.id} if self.guild else {})

    def payload(self) -> Payload:
        """As Discord sends it."""
        last = max(self.messages, key=int, default=None)
        base: Payload = {"id": self.id, "type": self.type, "last_message_id": last, "flags": 0}
        if self.guild is None:
            name = {"name": self.name, "icon": None, "owner_id": self.recipients[0].id} if self.type == GROUP_DM else {}
            return base | name | {"recipients": [user.payload() for user in self.recipients]}
        base |= {"guild_id": self.guild.id, "name": self.name, "parent_id": self.parent.id if self.parent else None}
        if self.type in (PUBLIC_THREAD, PRIVATE_THREAD):
            stamp = datetime.now(UTC).isoformat()
            meta = {"archived": False, "auto_archive_duration": 60, "archive_timestamp": stamp, "locked": False}
            if self.joined:
                base["member"] = {"id": self.id, "join_timestamp": stamp, "flags": 1}
            return base | {
                "owner_id": "1",
                "message_count": 0,
                "total_message_sent": 0,
                "member_count": 1,
                "thread_metadata": meta,
            }
        deny = str(1 << 10) if self.private else "0"
        overwrites = [{"id": self.guild.id, "type": 0, "allow": "0", "deny": deny}]
        overwrites += [{"id": role, "type": 0, "allow": str(1 << 10), "deny": "0"} for role in self.open_to]
        base |= {"position": 0, "nsfw": False, "topic": None, "rate_limit_per_user": 0}
        return base | {"permission_overwrites": overwrites, "bitrate": 64000, "user_limit": 0}


@dataclass
class Interaction:
    """A command, press, form or autocompletion as its user sees it: what was shown, to whom, with what buttons.

    `files` are those of the further messages, by name; `further` are these, as they are now, by id.
    """

    id: str
    token: str
    channel: Channel
    callbacks: list[Payload] = field(default_factory=list)
    followups: list[Payload] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    shown: Payload | None = None
    further: dict[str, Payload] = field(default_factory=dict)

    @property
    def ephemeral(self) -> bool:
        """Whether the answer is for the caller alone (fixed by the first callback)."""
        return bool(self.callbacks and (self.callbacks[0].get("data") or {}).get("flags", 0) & EPHEMERAL)

    @property
    def content(self) -> str:
        """The text of the answer, empty before there is one."""
        shown = self.shown or {}
        texts = [part["content"] for part in shown.get("components") or [] if part["type"] == TEXT]
        return "\n".join(texts) or str(shown.get("content") or "")

    @property
    def parts(self) -> list[str]:
        """The texts of the answer and of the further messages, as they are now."""
        return [self.content, *(str(message["content"]) for message in self.further.values())]

    @property
    def buttons(self) -> dict[str, str]:
        """The answer's buttons: label to custom id."""
        return {item["label"]: item["custom_id"] for item in self._components(BUTTON)}

    @property
    def menu(self) -> dict[str, str]:
        """The choices of the answer's menu: label to value."""
        return {option["label"]: option["value"] for option in self.options}

    @property
    def options(self) -> list[Payload]:
        """The choices of the answer's menu."""
        return [option for item in self._components(SELECT) for option in item["options"]]

    @property
    def placeholder(self) -> str:
        """What stands in the menu until something is chosen."""
        return str(self._components(SELECT)[0]["placeholder"])

    @property
    def menu_id(self) -> str:
        """The menu's custom id."""
        return str(self._components(SELECT)[0]["custom_id"])

    @property
    def form(self) -> Payload | None:
        """The form that was opened."""
        return next((callback["data"] for callback in self.callbacks if callback["type"] == MODAL), None)

    def _components(self, kind: int) -> list[Payload]:
        rows = (self.shown or {}).get("components") or []
        return [item for row in rows for item in row.get("components", []) if item["type"] == kind]

    async def answer(self, within: float = 10.0) -> str:
        """Wait for the answer and return its text."""
        await until(lambda: self.shown, f"no answer to interaction {self.id}", within)
        return self.content


def numbered(components: list[Payload], ids: Iterator[int] | None = None) -> list[Payload]:
    """Components as they come back: each has an id of its own."""
    ids = ids or itertools.count(1)
    return [
        {
            "id": next(ids),
            **part,
            **({"components": numbered(part["components"], ids)} if "components" in part else {}),
        }
        for part in components
    ]


def units(text: str) -> int:
    """How long Discord holds a text to be."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def view_faults(body: Payload) -> str:
    """What Discord refuses in a message with components, empty where there is nothing."""
    parts = body.get("components") or []
    if body.get("flags", 0) & COMPONENTS_V2:
        texts = [part["content"] for part in parts if part["type"] == TEXT]
        if body.get("content") or body.get("embeds"):
            return "content beside components"
        if not all(texts) or sum(map(units, texts)) > 4000:
            return "text"
        if sum(1 + len(part.get("components", [])) for part in parts) > 40:
            return "too many components"
    elif any(part["type"] != ROW for part in parts) or len(parts) > 5 or units(str(body.get("content") or "")) > 2000:
        return "components"
    rows = [part for part in parts if part["type"] == ROW]
    items = [item for row in rows for item in row["components"]]
    ids = [item["custom_id"] for item in items]
    if any(not 1 <= len(row["components"]) <= 5 for row in rows) or len(set(ids)) < len(ids):
        return "rows"
    if any(len(custom_id) > 100 for custom_id in ids):
        return "custom_id"
    if any(item["type"] == BUTTON and not 1 <= units(item["label"]) <= 80 for item in items):
        return "label"
    for options, placeholder in (
        (item["options"], item.get("placeholder")) for item in items if item["type"] == SELECT
    ):
        values = [option["value"] for option in options]
        if not 1 <= len(options) <= 25 or len(set(values)) < len(values) or units(placeholder or "") > 150:
            return "options"
        if any(not 1 <= units(text) <= 100 for option in options for text in (option["label"], option["value"])):
            return "option"
    return ""


def form_faults(form: Payload) -> str:
    """What Discord refuses in a form, empty where there is nothing."""
    label = form["components"][0]
    field = label["component"]
    if not (1 <= units(form["title"]) <= 45 and 1 <= units(label["label"]) <= 45 and len(form["custom_id"]) <= 100):
        return "labels"
    limit = field.get("max_length", 4000)
    return "" if 1 <= limit <= 4000 and units(field.get("value") or "") <= limit else "value"
