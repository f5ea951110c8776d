"""The ports' exceptions."""


class ChatError(Exception):
    """The chat model gave no complete answer.

    `sentence` is what the person is told if no retry follows, `reason` if one does. The message is ours, for the log:
    the service's own may quote the request.

    Attributes:
        about_request: The service refuses what this request contains: it would also refuse it when sent again, or as
            context of the next question.
        hint: What an operator is told in place of `sentence`; empty if there is nothing to add.
    """

    reason = "I can't reach Claude right now."
    sentence = f"{reason} Please try again in a little while."
    about_request = False

    def __init__(self, message: str = "", *, hint: str = "", about_request: bool = False) -> None:
        super().__init__(message)
        self.hint = hint
        self.about_request = about_request or type(self).about_request


class ChatOverloaded(ChatError):
    """The service is overloaded or rate-limits us (429, 529), even after the SDK's own retries."""

    reason = "Claude is overloaded right now."
    sentence = f"{reason} Please try again in a minute."


class ChatRefused(ChatError):
    """The model declined to answer (`stop_reason` `refusal`)."""

    sentence = "I'd rather not answer that one."
    about_request = True


class ChatTooLong(ChatError):
    """The request doesn't fit the model's context window."""

    sentence = "That's more text than I can read at once. Could you send a shorter piece?"
    about_request = True


class ChatEmpty(ChatError):
    """The model ended its turn without a word, twice."""

    sentence = "I have no answer to that. Could you put it another way?"


class ChatUnpaid(ChatError):
    """The account behind the key has no credit left: an outage, until it is paid."""

    reason = "I can't use Claude right now."
    sentence = f"{reason} Please try again later."


class ChatMisconfigured(ChatError):
    """The service refuses our key, model or request (400, 401, 403, 404): for the operator to fix."""

    sentence = "I'm not set up correctly to answer right now. Whoever runs me will find the reason in my log."


class LimitReached(ChatError):
    """What may be spent today is used up; `person`: by this person, not in all. Nothing was sent.

    `seconds` is how long that lasts: until the next day begins, in UTC.
    """

    sentence = "I've reached my limit for today. I can answer again after midnight UTC."

    def __init__(self, *, person: bool, seconds: float) -> None:
        super().__init__("the person's limit for today is reached" if person else "the limit for today is reached")
        self.person = person
        self.seconds = seconds


class MemoryUnavailable(Exception):
    """The memory store can't be read or written now; what waits is kept and retried."""


class LearningFailed(MemoryUnavailable):
    """An extraction gave no usable answer (cut, malformed, refused, or the service is down).

    `smaller` asks for the same exchanges in smaller batches; `final` says that a retry is pointless. `ids` are the
    exchanges at fault, if not all of them. `outage` says that none is: the service can't be used for now, and no
    exchange is set aside for that, however long it lasts. `tries` allows fewer attempts than usual, for unexpected
    errors, which an exchange itself may cause. `wait`: for so many seconds no attempt can succeed, since the day's
    spending limit is reached; that is no failure.
    """

    def __init__(
        self,
        reason: str,
        *,
        smaller: bool = False,
        final: bool = False,
        outage: bool = False,
        ids: tuple[int, ...] | None = None,
        tries: int | None = None,
        wait: float = 0.0,
    ) -> None:
        super().__init__(reason)
        self.outage = outage
        self.smaller = smaller
        self.final = final
        self.ids = ids
        self.tries = tries
        self.wait = wait


class JournalUnavailable(Exception):
    """The journal's database can't be read or written now (disk full, connection lost). Nothing was committed."""


class ClaimLost(Exception):
    """Another process has taken an event over from this one, which may then neither show nor keep any of its answer."""


class PlatformRefused(Exception):
    """The platform refuses an answer for good, in every form that the adapter has for it: a retry would fail too.

    Raised by `ReplyHandle.stream`, `found` and `whisper`. `code` is the platform's own error code, for the log (never
    text); `sentence` is what the person is told instead, if anything can be said there.
    """

    sentence = "I have an answer for you, but I'm not allowed to post it here."

    def __init__(self, code: str, sentence: str = "") -> None:
        super().__init__(code)
        self.code = code
        if sentence:
            self.sentence = sentence


class TooManyCodes(Exception):
    """An account has entered too many wrong codes: for a while, none is accepted."""


class Superseded(Exception):
    """The lesson may no longer be committed: its text was erased, or another process has learned it."""


class CannotOpen(Exception):
    """A file that came with a message can't be fetched. `reason` completes a sentence that begins with its name."""

    def __init__(self, reason: str = "couldn't be downloaded") -> None:
        super().__init__(reason)
        self.reason = reason
