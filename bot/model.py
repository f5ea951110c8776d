"""What the core speaks of: people, places, turns, memories and their sources. All values are frozen."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


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


def one_person(key: str, other: str) -> bool:
    """Whether two keys are of the same account.

    Slack's user ids are the same in all workspaces, by several of which earlier versions have called one person.
    """
    return key == other or (
        key.startswith("slack:") and other.startswith("slack:") and key.rpartition(":")[2] == other.rpartition(":")[2]
    )


#: The scope of what was learned in a direct message. It belongs to the person alone, wherever they wrote it.
PRIVATE_SCOPE = "private"


#: The scope of what its owner has opened to every channel.
SHARED_SCOPE = "shared"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message was written.

    `workspace` is Discord's guild id or Slack's team id, empty where there is none. `thread` is the thread's own
    id (Slack: `thread_ts`), None outside threads. `name` is what people call the place (`#general`, `DM`).
    `external` says that people from outside the workspace read it too: its audience is never `public` then.
    """

    platform: str
    workspace: str
    channel: str
    thread: str | None
    audience: Audience
    name: str = ""
    external: bool = False

    @property
    def scope(self) -> str:
        """The audience as it is written on a memory: one string per set of people that can read it."""
        if self.audience is Audience.PRIVATE:
            return PRIVATE_SCOPE
        if self.audience is Audience.PUBLIC and not self.external:
            return f"public:{self.platform}:{self.workspace}"
        return f"members:{self.platform}:{self.workspace}:{self.channel}"

    @property
    def recallable(self) -> frozenset[str] | None:
        """The scopes that may be recalled here; None means all of the person's own (a direct message)."""
        if self.audience is Audience.PRIVATE:
            return None
        if self.external:  # who reads along from outside can't read the workspace's public channels
            return frozenset({self.scope, SHARED_SCOPE})
        return frozenset({self.scope, f"public:{self.platform}:{self.workspace}", SHARED_SCOPE})

    @property
    def narrowest(self) -> "Place":
        """The same place where nobody can tell who reads it."""
        return self if self.audience is Audience.PRIVATE else replace(self, audience=Audience.MEMBERS, external=True)

    @property
    def key(self) -> str:
        """One string per thread, or per channel outside threads."""
        return str(PlaceKey(self.platform, self.workspace, self.channel, self.thread))


class PlaceKey(NamedTuple):
    """What a place is known by: one string per thread, or per channel outside threads. Its parts as in `Place`."""

    platform: str
    workspace: str
    channel: str
    thread: str | None

    def __str__(self) -> str:
        return ":".join((self.platform, self.workspace, self.channel, self.thread or ""))

    @classmethod
    def parse(cls, key: str) -> "PlaceKey":
        """The parts of a key. Raises ValueError where it is none."""
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
    """The exchange that a message replies to, as far as its turns are kept. `to_answer`: to the bot's part of it."""

    asked: Turn | None
    answered: Turn | None
    to_answer: bool

    @property
    def turn(self) -> Turn | None:
        """The very turn that is replied to."""
        return self.answered if self.to_answer else self.asked


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
    """A message that is kept as it was said: `text` is its own, then its answer's. `waiting`: it may yet be learned."""

    event_id: str
    text: str
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """An event that taught a memory: its id, when it was said, where, a link to it, and by which account."""

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
class Account:
    """An account as it is found on the way of each message.

    Attributes:
        user_id: The mem0 user id whose memories it has: its own key, unless it is linked.
        paused: Its person wants nothing recalled and nothing learned.
        pause_announced: An answer has said so.
        erasing: Something is still being forgotten in the memory store: until then nothing may be recalled.
    """

    user_id: str
    paused: bool = False
    pause_announced: bool = False
    erasing: bool = False


@dataclass(frozen=True, slots=True)
class QueuedAdd:
    """What a memory service that works behind a queue is asked to add, from before it is asked until it has ended.

    Attributes:
        token: Ours, in the metadata of whatever comes of it.
        user_id: The mem0 user that it is for.
        source: The message that it is from, "" for none.
        replaces: The memory whose place it takes, "" where it is learned from an exchange.
        exchange_id: That exchange, 0 for none.
        event: The service's id for it, "" until that is known.
        void: What it is for was erased or replaced: nothing of it may stay.
        at: When it was written down, in seconds since 1970.
    """

    token: str
    user_id: str
    source: str
    replaces: str = ""
    exchange_id: int = 0
    event: str = ""
    void: bool = False
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request to the chat model: the system prompt, and the messages, oldest first, ending with the user's.

    `memories` are those that `system` already holds as text, for a model that composes its answer from them.
    """

    system: str
    messages: tuple[tuple[str, str], ...]  # (role, text)
    memories: tuple[Memory, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """What requests to the chat model took, in tokens. `input` is neither of `cached` (read from the cache) nor of
    `written` (into it)."""

    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input + other.input,
            self.cached + other.cached,
            self.written + other.written,
            self.output + other.output,
        )

    def __str__(self) -> str:
        return f"{self.input} in, {self.cached} from the cache, {self.written} into it, {self.output} out"
