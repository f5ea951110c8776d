"""What the bot says with an answer and is no part of it: shown, and neither kept as a turn nor learned from."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import NamedTuple

from bot.core.answer import Answer
from bot.events import MessageEvent
from bot.logs import describe
from bot.model import Account
from bot.ports import Introductions, JournalUnavailable, Notices
from bot.text import secrets

log = logging.getLogger(__name__)

#: How the first answer after pausing begins.
PAUSED_LINE = "(Memory is paused: I use nothing that I remember about you, and learn nothing. /memories resumes it.)"
_TOLD = (
    "I remember what you tell me, for you alone. {0}/memories{0} shows and pauses it, {0}/forget{0} erases it, "
    "{0}/help{0} says more."
)
#: What a person is told before they are remembered.
REMEMBERED = _TOLD.format("")
#: The same as the end of the first answer that a person gets, and of the first in each workspace.
INTRODUCTION = f"({_TOLD.format('`')})"
#: Below the answer to a message that says by itself that it is off the record, with how long it stays in view.
_UNLEARNED = "(Off the record: I learn nothing from this message."
_IN_VIEW = " It stays in our recent conversation for {hours:g} hours."
#: Below the answer to a message with a secret in it, once in a while.
MASKED = (
    "(There seems to be a password, a key or a card number in your message. I mask it in what I keep and learn; you "
    "may want to delete the message, too.)"
)
#: Seconds after which a person is told again that a secret is masked.
TELL_AGAIN = 3600.0
_FENCE = "```"


class Asides:
    """What is said below one answer.

    Attributes:
        introduced: Whether the person was told with it that they are remembered.
        off_record: Whether they want nothing of the exchange learned, and are told with it that so it is.
    """

    def __init__(
        self,
        event: MessageEvent,
        account: Account,
        introductions: Introductions | None,
        notices: Notices,
        asked: Callable[[], bool] = lambda: False,
        *,
        remember: bool = True,
        hours: float = 24,
    ) -> None:
        """Without `introductions` nobody is told that they are remembered. Turns are kept for so many `hours`.

        `asked`: whether the person was understood to want nothing of the exchange learned. Without `remember` memory is
        off.
        """
        self._event = event
        self._hours = hours
        self._silent = account.paused or event.confidential or not remember
        self._asked = asked
        self.off_record = event.asks_off_record
        self._account = account
        self._introductions = introductions
        self._notices = notices
        self.introduced = False

    async def follow(self, answer: Answer, snapshots: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
        """Yield an answer's snapshots, and once it is whole, that with what is said below it."""
        text = ""
        async with aclosing(snapshots):
            async for text in snapshots:
                yield text
        if answer.failure is None:
            self.off_record = self.off_record or self._asked()
            lines = [off_record(self._hours)] if self.off_record and not self._silent else []
            self.introduced = await self._introduces()
            lines += [MASKED] if await self._masks() else []
            lines += [INTRODUCTION] if self.introduced else []
            if lines:
                yield _below(text, *lines)

    async def _masks(self) -> bool:
        """Whether the answer says that a secret in the message is masked."""
        event = self._event
        if event.confidential or not any(secrets.holds(each.said) for each in event.thought):
            return False
        try:
            return await self._notices.first("secret", event.person.key, TELL_AGAIN)
        except JournalUnavailable as exc:
            log.warning("%s: whether its person knows that secrets are masked is unknown: %s", event.id, describe(exc))
            return True

    async def _introduces(self) -> bool:
        """Whether this is the answer that tells the person that they are remembered."""
        event, account = self._event, self._account
        if self._introductions is None or account.introduced or self._silent:
            return False
        try:
            return await self._introductions.due(event.person.key, event.place.workspace_key, event.id)
        except JournalUnavailable as exc:
            # Being told twice does less harm than never.
            log.warning("%s: whether its person knows that they are remembered is unknown: %s", event.id, describe(exc))
            return True


def off_record(hours: float) -> str:
    """What is said below the answer to a message of which nothing is learned, if turns are kept for so many hours."""
    return f"{_UNLEARNED}{_IN_VIEW.format(hours=hours) if hours else ''})"


def _below(text: str, *lines: str) -> str:
    """An answer with lines below it, which an open code block would swallow."""
    closed = f"{text}\n{_FENCE}" if text.count(_FENCE) % 2 else text
    return "\n\n".join((closed, *lines))


class Shown(NamedTuple):
    """An answer as it was made, and whether what is said below it is the introduction, and that nothing is learned."""

    made: str
    introduced: bool
    off_record: bool


def without(shown: str) -> Shown:
    """Read an answer from what is shown of it, where a platform's own markup may have changed all but the letters."""
    unintroduced = above(shown, INTRODUCTION)
    made = unmasked = above(unintroduced, MASKED)
    for hours in (24.0, 0.0):  # any number of hours has the same letters
        made = above(made, off_record(hours))
    return Shown(_without_beginning(made, PAUSED_LINE), unintroduced != shown, made != unmasked)


def above(shown: str, line: str) -> str:
    """What stands above a line that ends what is shown; all of it if it doesn't."""
    start = len(shown)
    for letter in reversed(_letters(line)):
        start = _before(shown, start)
        if start < 0 or shown[start] != letter:
            return shown
    kept = shown[:start]
    # What stands before its first letter, in its own paragraph, belongs to it.
    paragraph = kept.rfind("\n") + 1
    return kept.rstrip() if any(map(str.isalnum, kept[paragraph:])) else kept[:paragraph].rstrip()


def _before(text: str, end: int) -> int:
    """Where the last letter before `end` stands, -1 if there is none."""
    return next((index for index in range(end - 1, -1, -1) if text[index].isalpha()), -1)


def _without_beginning(shown: str, line: str) -> str:
    first, _, rest = shown.partition("\n")
    return rest.lstrip() if _letters(first) == _letters(line) else shown


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text))
