"""What platforms tell: messages, commands, presses and forms; and the notices that the core sends.

All values are frozen. Ids come from the platform's own event, never from text.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.model import Audience, Person, Place


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
        given: The place as it is when an answer is retried; None where it isn't. Kept nowhere.
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
    """A form that the bot had opened (`Form`), filled in. `person` is who did; `action` is the form's own string."""

    person: Person
    place: Place
    action: str
    text: str
    at: datetime


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
