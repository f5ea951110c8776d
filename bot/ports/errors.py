"""What ports raise."""


class ChatError(Exception):
    """The chat model gave no whole answer.

    `sentence` is what the person is told where that is the end of it; `reason` where the answer will follow. The
    message is ours, for the log: the service's own may quote the request.

    Attributes:
        about_request: The service refuses what this very request holds: sent again, or as context of the next
            question, it would be refused again.
        hint: What whoever runs the bot is told in place of `sentence`; empty where there is nothing to add.
    """

    reason = "I can't reach Claude right now."
    sentence = f"{reason} Please try again in a little while."
    about_request = False

    def __init__(self, message: str = "", *, hint: str = "", about_request: bool = False) -> None:
        super().__init__(message)
        self.hint = hint
        self.about_request = about_request or type(self).about_request


class ChatOverloaded(ChatError):
    """The model's service is overloaded or rate-limits us (429, 529) after the SDK's own retries."""

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
    """The model ended its turn without a word, asked twice."""

    sentence = "I have no answer to that. Could you put it another way?"


class ChatUnpaid(ChatError):
    """The account behind the key has no credit left: an outage, over once it is paid."""

    reason = "I can't use Claude right now."
    sentence = f"{reason} Please try again later."


class ChatMisconfigured(ChatError):
    """The service refuses our key, model or request (400, 401, 403, 404): for the operator to fix."""

    sentence = "I'm not set up correctly to answer right now. Whoever runs me will find the reason in my log."


class MemoryUnavailable(Exception):
    """The memory store can't be read or written now; what waits is kept and tried again."""


class LearningFailed(MemoryUnavailable):
    """An extraction gave no usable answer (cut, malformed, refused, or the service is down).

    `smaller` asks for the same exchanges in smaller batches; `final` says that trying again is of no use. `ids` are
    those of the exchanges that it is about, where it isn't about all that were given. `outage` says that it is about
    none: the service can't be used for now, and nothing is given up for that, however long it lasts. `tries`
    is how often an exchange is tried, where that is less than usual: what nobody foresaw may be its own fault.
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
    ) -> None:
        super().__init__(reason)
        self.outage = outage
        self.smaller = smaller
        self.final = final
        self.ids = ids
        self.tries = tries


class JournalUnavailable(Exception):
    """The journal's database can't be read or written now (disk full, connection lost). Nothing was committed."""


class ClaimLost(Exception):
    """Another process has taken an event over: this one, silent for too long, shows and keeps nothing of its answer."""


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
    """An account has entered too many wrong codes: for a while no code counts."""


class Superseded(Exception):
    """The lesson may no longer be committed: the person has forgotten, or another process has learned it."""
