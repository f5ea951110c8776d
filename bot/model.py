"""The core's values: people, places, turns, memories and their sources. All are frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from bot.files.values import Block

#: Characters of a file's name that are shown: enough to recognise it.
NAME_LENGTH = 120


class Audience(StrEnum):
    """Who can read a place: the person alone, a closed group, or everybody in the workspace."""

    PRIVATE = "private"
    MEMBERS = "members"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Person:
    """An account on one platform.

    `workspace` is the team id of Slack's installation; it is empty on Discord and in the terminal, whose user ids are
    global.
    """

    platform: str
    workspace: str
    user: str

    @property
    def key(self) -> str:
        """The account's own mem0 user id: `discord:<user>`, `slack:<team>:<user>`, `terminal:<user>`."""
        parts = (self.platform, self.workspace, self.user)
        return ":".join(part for part in parts if part)

    @classmethod
    def parse(cls, key: str) -> "Person":
        """The account of a key."""
        platform, _, rest = key.partition(":")
        workspace, _, user = rest.rpartition(":")
        return cls(platform, workspace, user)


def one_person(key: str, other: str) -> bool:
    """Whether two keys belong to one person.

    Slack's user ids are the same in all workspaces; earlier versions gave one person a key for each of several.
    """
    return key == other or (
        key.startswith("slack:") and other.startswith("slack:") and key.rpartition(":")[2] == other.rpartition(":")[2]
    )


#: The scope of what was learned in direct messages: the person's alone, on every platform.
PRIVATE_SCOPE = "private"


#: The scope of memories that their owner has shared with every channel.
SHARED_SCOPE = "shared"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message was written.

    `workspace` is Discord's guild id or Slack's team id, empty if there is none. `thread` is the thread's own id
    (Slack: `thread_ts`), None outside threads. `name` is what people call the place (`#general`, `DM`). With
    `external`, people from outside the workspace can read it too; its audience is then never `public`.
    """

    platform: str
    workspace: str
    channel: str
    thread: str | None
    audience: Audience
    name: str = ""
    external: bool = False

    @property
    def workspace_key(self) -> str:
        """The workspace after the platform's name, `slack:T1`; empty if there is none."""
        return f"{self.platform}:{self.workspace}" if self.workspace else ""

    @property
    def channel_key(self) -> str:
        """The channel after the platform's name, `slack:C1`: the same in all workspaces that it is shared with."""
        return f"{self.platform}:{self.channel}"

    @property
    def scope(self) -> str:
        """The audience as written on a memory: one string per set of people who can read it."""
        if self.audience is Audience.PRIVATE:
            return PRIVATE_SCOPE
        if self.audience is Audience.PUBLIC and not self.external:
            return f"public:{self.platform}:{self.workspace}"
        return f"members:{self.platform}:{self.workspace}:{self.channel}"

    @property
    def recallable(self) -> frozenset[str] | None:
        """The scopes that may be recalled here; None means all of the person's (in a direct message)."""
        if self.audience is Audience.PRIVATE:
            return None
        if self.external:  # outsiders can't read the workspace's public channels
            return frozenset({self.scope, SHARED_SCOPE})
        return frozenset({self.scope, f"public:{self.platform}:{self.workspace}", SHARED_SCOPE})

    @property
    def narrowest(self) -> "Place":
        """The same place, treated as if it were unknown who can read it."""
        return self if self.audience is Audience.PRIVATE else replace(self, audience=Audience.MEMBERS, external=True)

    @property
    def key(self) -> str:
        """One string per thread, or per channel outside threads."""
        return str(PlaceKey(self.platform, self.workspace, self.channel, self.thread))


class PlaceKey(NamedTuple):
    """Identifies a place: one string per thread, or per channel outside threads. The parts are as in `Place`."""

    platform: str
    workspace: str
    channel: str
    thread: str | None

    def __str__(self) -> str:
        return ":".join((self.platform, self.workspace, self.channel, self.thread or ""))

    @classmethod
    def parse(cls, key: str) -> "PlaceKey":
        """Parse a key. Raises ValueError if it isn't one."""
        platform, workspace, channel, thread = key.split(":", 3)
        return cls(platform, workspace, channel, thread or None)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, kept as context for the next. `author` is `user` or `assistant`."""

    author: str
    name: str
    text: str
    at: datetime
    person_key: str = ""


@dataclass(frozen=True, slots=True)
class Replied:
    """The exchange that a message replies to, as far as its turns are kept. `to_answer`: it replies to the answer."""

    asked: Turn | None
    answered: Turn | None
    to_answer: bool

    @property
    def turn(self) -> Turn | None:
        """The turn that is replied to."""
        return self.answered if self.to_answer else self.asked


@dataclass(frozen=True, slots=True)
class Attachment:
    """A reference to a file that came with a message; its content is in no event, and in no table.

    Attributes:
        id: The platform's own id of the file; empty if there is nothing to open, as with a sticker.
        name: What it is called. Data from outside.
        type: Its media type as the platform tells it, empty if it doesn't. Only its content can be trusted.
        size: Its size in bytes, 0 if the platform doesn't tell it.
        message: The message that it came with, if that is another one than the event's (same form as its `id`).
        url: Where it can be fetched for now. Never stored: the platform is asked for it again.
    """

    id: str
    name: str
    type: str = ""
    size: int = 0
    message: str = ""
    url: str = field(default="", repr=False, compare=False)

    @property
    def quoted_name(self) -> str:
        """The name as it stands in a line of the prompt, which it can't end."""
        name = " ".join(self.name.replace('"', "'").split())
        return f'"{name[:NAME_LENGTH]}"'


@dataclass(frozen=True, slots=True)
class Nearby:
    """A message that stands around a question on its platform: read when the question is answered, then dropped.

    Attributes:
        id: The platform's own message identity, in the form of `MessageEvent.id`.
        author: Its author's display name; empty for the bot itself. Data from outside.
        person_key: Its author's account, empty for the bot and other apps.
        above: Whether it is what the question replies to.
        files: Its files, if the question is about this message: it replies to it, or was asked in its thread.
    """

    id: str
    author: str
    person_key: str
    text: str
    at: datetime
    above: bool = False
    files: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """Where an answer is shown, and in which messages, in order (same form as event ids)."""

    place: Place
    message_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a person said and what was answered, waiting to be learned. Raw text: dropped once learned."""

    id: int
    event_id: str
    user_id: str
    scope: str
    name: str
    text: str
    answer: str
    at: datetime
    link: str
    place: str
    conversation: str
    attempts: int = 0
    person_key: str = ""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message that is stored verbatim: `text` is its own, then its answer's. `waiting`: it may still be learned."""

    event_id: str
    text: str
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """An event that taught a memory: its id, when and where it was said, a link to it, and the author's account."""

    event_id: str
    at: datetime
    place: str = ""
    link: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """One remembered fact. `scope` is its audience; `superseded_by` names the memory that replaced it."""

    id: str
    text: str
    learned_at: datetime
    scope: str
    sources: tuple[Source, ...] = ()
    superseded_by: str | None = None
    edited_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """Facts to be kept word for word, because their owner asked for that.

    Attributes:
        user_id: The mem0 user whose memories they become.
        scope: The audience they are for.
        texts: One fact each.
        source: Where they come from.
        conversation: The key of the conversation it was said in, "" for none.
        asked_by: The message that asks for it, as long as it is being answered: nothing is kept once that is forgotten.
    """

    user_id: str
    scope: str
    texts: tuple[str, ...]
    source: Source
    conversation: str = ""
    asked_by: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """How many memories in force a person has in some scopes, and whether there are any outside of these."""

    here: int
    elsewhere: bool = False


class Reach(StrEnum):
    """What came of looking for memories for an answer: `read`, or why it didn't happen."""

    READ = "read"
    UNASKED = "unasked"
    PAUSED = "paused"
    ERASING = "erasing"
    OFF = "off"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Account:
    """An account, as each message looks it up.

    Attributes:
        user_id: The mem0 user id whose memories it has: its own key, unless it is linked.
        paused: The person wants nothing recalled and nothing learned.
        pause_announced: An answer has said so.
        erasing: An erasure in the memory store isn't done: until then nothing may be recalled.
        introduced: The person has been told that they are remembered, in the workspace that was asked about; in a place
            without one, anywhere.
        off_record: They keep what they say in that place off the record.
    """

    user_id: str
    paused: bool = False
    pause_announced: bool = False
    erasing: bool = False
    introduced: bool = True
    off_record: bool = False


@dataclass(frozen=True, slots=True)
class QueuedAdd:
    """An `add` to a memory service that queues its work, from before the request until its outcome is known.

    Attributes:
        token: Our id, in the metadata of every memory that comes of it.
        user_id: The mem0 user it is for.
        source: The message it comes from, "" for none.
        replaces: The memory it replaces, "" if it is learned from an exchange.
        exchange_id: That exchange, 0 for none.
        event: The service's id for it, "" until known.
        void: Its text was erased or replaced: nothing of it may stay.
        at: When it was recorded, in seconds since 1970.
    """

    token: str
    user_id: str
    source: str
    replaces: str = ""
    exchange_id: int = 0
    event: str = ""
    void: bool = False
    at: float = 0.0

    @property
    def told(self) -> bool:
        """Whether it keeps a fact word for word: it neither learns an exchange nor replaces a memory."""
        return not self.replaces and not self.exchange_id


@dataclass(frozen=True, slots=True)
class Tool:
    """What the chat model may call while it answers; `schema` is the JSON schema of its input."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool. `arguments` is None if the input couldn't be read. `name` and input are the model's words."""

    id: str
    name: str
    arguments: Mapping[str, Any] | None = field(hash=False, repr=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """The end of a turn that calls tools, or of one that is only paused, with no calls.

    `content` is the whole turn, opaque to all but the model that wrote it.
    """

    calls: tuple[Call, ...]
    content: tuple[Mapping[str, Any], ...] = field(default=(), hash=False, repr=False)


class Link(NamedTuple):
    """A page on the web, as the model was told of it: its address and its title, in somebody else's words."""

    url: str
    title: str


@dataclass(frozen=True, slots=True)
class Web:
    """The model has looked at the web for its turn; `sources` is what it cites or has read, if it says so."""

    sources: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool answers the model; `failed` if it couldn't do what it was called for.

    `plain` says the same to the person, for a model that can't put it in words of its own.
    """

    text: str = field(repr=False)
    failed: bool = False
    plain: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Round:
    """A turn that called tools, and what each of them answered, in the order of the calls."""

    asked: Asked
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Prompt:
    """One request to the chat model: the system prompt, and the messages, oldest first, ending with the user's.

    Attributes:
        memories: Those that `briefing` already contains as text, for a model that composes its answer from them.
        around: Whether the last message quotes what stands around it on the platform.
        files: Come with the last message.
        briefing: Goes before the last message: what differs from one request to the next, memories included.
        tools: What may be called.
        toolless: The system prompt for a model that accepts no tools.
        rounds: The calls that this answer has made so far, after the last message.
        off_record: Whether nothing is learned from the last message, for a model that says what it notes.
    """

    system: str
    messages: tuple[tuple[str, str], ...]  # (role, text)
    memories: tuple[Memory, ...] = ()
    around: bool = False
    files: tuple[Block, ...] = ()
    briefing: str = ""
    tools: tuple[Tool, ...] = ()
    toolless: str = ""
    rounds: tuple[Round, ...] = ()
    off_record: bool = False
