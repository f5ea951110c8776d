"""What platforms report: messages, commands, presses and forms; and the notices that the core sends.

All values are frozen. Ids come from the platform's own event, never from text.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from bot.model import Attachment, Audience, Person, Place
from bot.text import off_record

#: A message with nothing but this, in any case, stops the answer that is growing in that conversation.
STOP = "stop"


@dataclass(frozen=True, slots=True)
class MessageEvent:
    """A message meant for the bot.

    Attributes:
        id: The platform's own message identity: `discord:<message id>`, `slack:<team>:<channel>:<ts>`.
        text: The message's text, without the bot's mention. May be empty if only a file was sent.
        attachments: The files that came with it, in order.
        quoted_files: Files that it only points at: those forwarded with it, and those of the message replied to if that
            is the author's own.
        name: The author's display name. Data from outside, shown to the model as data.
        at: When it was written, by the platform's clock, in the author's time zone (UTC if that can't be told).
        link: A permalink to the message; empty if the platform has none.
        reply_to: The message this one replies to, or whose thread it is in (same form as `id`), if any.
        quoted: The text of the message replied to, if that is the bot's or the author's own; used only if the journal
            no longer has it.
        forwarded: Texts forwarded with it: somebody else's words, never learned and never kept as turns.
        notice: One sentence that is the whole answer, if nothing in the message can be read or answered.
        bare: Whether it mentions the bot and says nothing: it then means what stands around it, if that can be read;
            `notice` is the answer if not.
        given: The place as it is when the answer is retried; None on the first attempt. Never stored.
        stranger: Whether it was written to the bot alone by somebody whom the platform's allow-list leaves out. Never
            stored.
        addressed: Whether it speaks to the bot; False for what follows in a thread that the bot takes part in. Never
            stored.
        bot_name: What the bot is called there; empty if that isn't known. Never stored.
        confidential: Whether it is asked and answered between the person and the bot alone, wherever that is, about
            what is `forwarded`: recalled as in a direct message, in one attempt, and recorded nowhere.
        kept_off_record: Whether its person keeps the conversation off the record. Never stored.
        joined: Messages of the same person that joined it while it was unanswered, and that its answer is to as well.
            Never stored with it: they have rows of their own.
    """

    id: str
    person: Person
    place: Place
    text: str
    name: str
    at: datetime
    attachments: tuple[Attachment, ...] = ()
    link: str = ""
    reply_to: str | None = None
    quoted: str = ""
    forwarded: tuple[str, ...] = ()
    notice: str = ""
    bare: bool = False
    given: Place | None = None
    stranger: bool = False
    addressed: bool = True
    confidential: bool = False
    quoted_files: tuple[Attachment, ...] = ()
    bot_name: str = ""
    kept_off_record: bool = False
    joined: "tuple[MessageEvent, ...]" = ()

    @property
    def asks_off_record(self) -> bool:
        """Whether it says by itself that it isn't to be remembered."""
        return any(off_record.asks(each.text) for each in (self, *self.joined))

    @property
    def off_record(self) -> bool:
        """Whether nothing is learned from it, as far as it and its conversation say."""
        return self.kept_off_record or self.asks_off_record

    @property
    def stops(self) -> bool:
        """Whether it says nothing but "stop"."""
        beside = self.attachments or self.forwarded or self.notice
        return not beside and self.text.strip().rstrip(".!").casefold() == STOP

    @property
    def alone(self) -> bool:
        """Whether it is never answered together with another message."""
        return self.stops or bool(self.notice and not self.bare)

    @property
    def thought(self) -> "tuple[MessageEvent, ...]":
        """It and what has joined it, in the order in which they were written."""
        return tuple(sorted((self, *self.joined), key=lambda event: (event.at, event.id)))

    @property
    def said(self) -> str:
        """What is kept of it as a turn, and learned from: its text, and a line that names its files."""
        names = ", ".join(file.quoted_name for file in self.attachments)
        return "\n\n".join(part for part in (self.text, f"(Attached: {names})" if names else "") if part)

    @property
    def blank(self) -> bool:
        """Whether there is nothing to answer."""
        return not (self.text.strip() or self.attachments or self.forwarded or self.notice)

    @property
    def scope(self) -> str:
        """The scope of what is learned from it: its place's or, if that was public and no longer is, today's."""
        closed = self.place.audience is Audience.PUBLIC and self.given and self.given.audience is not Audience.PUBLIC
        return self.given.scope if closed and self.given else self.place.scope

    @property
    def recallable(self) -> frozenset[str] | None:
        """The scopes that may be recalled for its answer (`Place.recallable`), both when it was asked and now."""
        if self.confidential:
            return None
        asked = self.place.recallable
        now = asked if self.given is None else self.given.recallable
        if asked is None or now is None:
            return now if asked is None else asked
        return asked & now

    @property
    def opened(self) -> bool:
        """Whether the answer can be read by anyone who couldn't read the conversation when it was asked."""
        asked, now = self.place, self.given
        if now is None or now.audience is Audience.PRIVATE:
            return False
        wider = now.audience is Audience.PUBLIC and asked.audience is not Audience.PUBLIC
        return asked.audience is Audience.PRIVATE or wider or (now.external and not asked.external)


@dataclass(frozen=True, slots=True)
class CommandEvent:
    """A command: `name` is that of a registered command, `argument` the words after it (may be empty).

    `at` is in the person's time zone, as with messages, presses and forms. `caller` is the person's name on the
    platform, in a form that distinguishes people of the same name.
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
    """A submitted form (`Form`). `person` is who filled it in; `action` is the form's own string."""

    person: Person
    place: Place
    action: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Recalled:
    """Notice: how many memories went into the prompt of that event."""

    event_id: str
    count: int


@dataclass(frozen=True, slots=True)
class Learned:
    """Notice: how many new facts that person's memory was updated with (0: nothing worth keeping was said)."""

    user_id: str
    facts: int


class Signal(IntEnum):
    """What is to become of an answer in progress; the greatest one wins."""

    #: Another message of its asker's has joined the question: only while the answer isn't whole.
    JOINED = 0
    STOP = 1
    EDITED = 2
    DELETED = 3


class Edit(StrEnum):
    """What an edit on the platform means to the bot."""

    #: The message was never meant for the bot, or is so old that only its memories are left.
    UNKNOWN = "unknown"
    #: Its text hasn't changed.
    SAME = "same"
    #: It is still being answered.
    OPEN = "open"
    #: It was answered, and its text has changed.
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Edited:
    """An edit, and whose message it is (a mem0 user id). With `learn`, the new text is to be learned."""

    event: MessageEvent
    user_id: str
    learn: bool
