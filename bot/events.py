"""The common event: what every platform's message is turned into, and what the core speaks of.

All values are frozen. Ids come from the platform's own event, never from text.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any


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
        return ":".join((self.platform, self.workspace, self.channel, self.thread or ""))


@dataclass(frozen=True, slots=True)
class MessageEvent:
    """A message meant for the bot.

    Attributes:
        id: The platform's own message identity: `discord:<message id>`, `slack:<team>:<channel>:<ts>`.
        text: What was said, the bot's mention already stripped. May be empty where only a file was sent.
        attachments: File names, in order.
        name: How the speaker is called there. Data from outside, shown to the model as data.
        at: When it was written, by the platform's clock, timezone-aware.
        link: A permalink to the message, empty where the platform has none.
        reply_to: The message this one answers, or whose thread it is in (same form as `id`), where there is one.
        quoted: What the message replied to says, where that is the bot's or the speaker's own; needed only where the
            journal no longer has it.
        forwarded: Texts that were forwarded with it: somebody else's words, never learned and never kept as turns.
        notice: One sentence that is the whole answer, where nothing in the message can be read or answered.
        given: The place as it is when an answer that was put off is given; None where it wasn't. Kept nowhere.
    """

    id: str
    person: Person
    place: Place
    text: str
    name: str
    at: datetime
    attachments: tuple[str, ...] = ()
    link: str = ""
    reply_to: str | None = None
    quoted: str = ""
    forwarded: tuple[str, ...] = ()
    notice: str = ""
    given: Place | None = None

    @property
    def blank(self) -> bool:
        """Whether it holds nothing to answer."""
        return not (self.text.strip() or self.attachments or self.forwarded or self.notice)

    @property
    def scope(self) -> str:
        """The audience of what is learned from it: that of the place it was said in, or of what that has become since
        where that is closed to some who could read it then."""
        closed = self.place.audience is Audience.PUBLIC and self.given and self.given.audience is not Audience.PUBLIC
        return self.given.scope if closed and self.given else self.place.scope

    @property
    def recallable(self) -> frozenset[str] | None:
        """The scopes that may be recalled for its answer, see `Place.recallable`: where it was asked and is given."""
        asked = self.place.recallable
        now = asked if self.given is None else self.given.recallable
        if asked is None or now is None:
            return now if asked is None else asked
        return asked & now

    @property
    def opened(self) -> bool:
        """Whether others can read the answer than those who could read the conversation when it was asked."""
        asked, now = self.place, self.given
        if now is None or now.audience is Audience.PRIVATE:
            return False
        wider = now.audience is Audience.PUBLIC and asked.audience is not Audience.PUBLIC
        return asked.audience is Audience.PRIVATE or wider or (now.external and not asked.external)


@dataclass(frozen=True, slots=True)
class CommandEvent:
    """A command: `name` is `memories`, `forget`, `link` or `unlink`; `argument` the words behind it (may be empty).

    `caller` is how the person is called on the platform, in a way that tells them from others of the same name.
    """

    person: Person
    place: Place
    name: str
    argument: str
    at: datetime
    caller: str = ""


@dataclass(frozen=True, slots=True)
class PressEvent:
    """A click on a button that the bot showed. `person` is who clicked; `action` is the button's own string."""

    person: Person
    place: Place
    action: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SubmitEvent:
    """A form that the bot had opened (`Ask`), filled in. `person` is who did; `action` is the form's own string."""

    person: Person
    place: Place
    action: str
    text: str
    at: datetime


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
class Said:
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
        paused: Its person wants nothing recalled and nothing learned; `told` says whether an answer has said so.
        erasing: Something is still being forgotten in the memory store: until then nothing may be recalled.
    """

    user_id: str
    paused: bool = False
    told: bool = False
    erasing: bool = False


@dataclass(frozen=True, slots=True)
class Erasure:
    """Something to be erased from (or moved in) the memory store. `what` holds ids, never text.

    `user_id` is set where that person's memories may not be recalled meanwhile; `id` once it is written down.
    """

    kind: str
    what: Mapping[str, Any]
    user_id: str = ""
    id: int = 0


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
class Joined:
    """Accounts were linked or parted: their memories go from `former` to `user_id`, by `moving`."""

    user_id: str
    former: str
    moving: Erasure


class Edit(StrEnum):
    """What a message that was edited on its platform is to us."""

    #: Never meant for us, or so long ago that only its memories are left.
    UNKNOWN = "unknown"
    #: Its text is what it was.
    SAME = "same"
    #: It is still being answered.
    OPEN = "open"
    #: It was answered, and its text is another now.
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Edited:
    """An edit, and the mem0 user whose it is. With `learn` its new text is to be learned."""

    event: MessageEvent
    user_id: str
    learn: bool


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


@dataclass(frozen=True, slots=True)
class Recalled:
    """Notice: so many memories went into the prompt of that event."""

    event_id: str
    count: int


@dataclass(frozen=True, slots=True)
class Learned:
    """Notice: that person's memory was updated with so many new facts (0: nothing worth keeping was said)."""

    user_id: str
    facts: int


@dataclass(frozen=True, slots=True)
class Button:
    """A button of a view. `action` comes back in a `PressEvent`; at most 90 characters.

    With `asks` a press opens a form: the platform gets it from `Core.ask` and sends back a `SubmitEvent`.
    """

    label: str
    action: str
    danger: bool = False
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a view's menu; choosing it is a press of `action` (at most 90 characters)."""

    label: str
    action: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A form with one text field: its title, the field's label, what stands in it, and how much it takes.

    `send` is the label of the button that sends it, where the platform lets us name that.
    """

    title: str
    label: str
    value: str
    action: str
    most: int = 2000
    send: str = "Save"


@dataclass(frozen=True, slots=True)
class File:
    """A file handed to the caller alone."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a view: the number people can name it by, its text, and a line about it (date, place)."""

    number: int
    text: str
    note: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """A private answer to a command, the same on every platform: a title, numbered items, a footer, buttons.

    `menu` is a drop-down of choices under the items (`menu_label` stands in it until one is chosen), at most 25; `file`
    is sent along; `changed` says that what other views have shown is out of date. All strings are plain text, to be
    escaped by the platform's adapter; none is markup. `code` is what in the title and the footer is to be copied as it
    stands: shown as code where the platform can, for what escapes a text would be copied with its escapes.
    """

    title: str
    items: tuple[Item, ...] = ()
    footer: str = ""
    buttons: tuple[Button, ...] = field(default=())
    menu: tuple[Option, ...] = ()
    menu_label: str = ""
    file: File | None = None
    changed: bool = False
    code: str = ""

    def lines(self, *, links: bool = False) -> Iterator[str]:
        """The view as plain lines, for platforms and readers that show nothing else; `links` written out."""
        yield self.title
        for item in self.items:
            yield f"{item.number}. {item.text}" + (f"  ({item.note})" if item.note else "")
            if links and item.link:
                yield f"   {item.link}"
        if self.footer:
            yield self.footer
