"""What the bot says with an answer and is no part of it: shown, and neither kept as a turn nor learned from."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from bot.core.answer import Answer
from bot.events import MessageEvent
from bot.logs import describe
from bot.model import Account
from bot.ports import Introductions, JournalUnavailable

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
_FENCE = "```"


class Asides:
    """What is said below one answer.

    Attributes:
        introduced: Whether the person was told with it that they are remembered.
    """

    def __init__(self, event: MessageEvent, account: Account, introductions: Introductions | None) -> None:
        """Without `introductions` nobody is told that they are remembered."""
        self._event = event
        self._account = account
        self._introductions = introductions
        self.introduced = False

    async def follow(self, answer: Answer, snapshots: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
        """Yield an answer's snapshots, and once it is whole, that with what is said below it."""
        text = ""
        async with aclosing(snapshots):
            async for text in snapshots:
                yield text
        if answer.failure is None:
            self.introduced = await self._introduces()
            if self.introduced:
                yield _below(text, INTRODUCTION)

    async def _introduces(self) -> bool:
        """Whether this is the answer that tells the person that they are remembered."""
        event, account = self._event, self._account
        if self._introductions is None or account.introduced or account.paused or event.confidential:
            return False
        try:
            return await self._introductions.due(event.person.key, event.place.workspace_key, event.id)
        except JournalUnavailable as exc:
            # Being told twice does less harm than never.
            log.warning("%s: whether its person knows that they are remembered is unknown: %s", event.id, describe(exc))
            return True


def _below(text: str, line: str) -> str:
    """An answer with a line below it, which an open code block would swallow."""
    closed = f"{text}\n{_FENCE}" if text.count(_FENCE) % 2 else text
    return f"{closed}\n\n{line}"


def without(shown: str) -> tuple[str, bool]:
    """An answer as it was made, from what is shown of it; and whether it ends with the introduction.

    A platform's own markup may have changed everything but letters and digits.
    """
    made = above(shown, INTRODUCTION)
    return _without_beginning(made, PAUSED_LINE), made != shown


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
    return kept.rstrip() if _letters(kept[paragraph:]) else kept[:paragraph].rstrip()


def _before(text: str, end: int) -> int:
    """Where the last letter or digit before `end` stands, -1 if there is none."""
    return next((index for index in range(end - 1, -1, -1) if text[index].isalnum()), -1)


def _without_beginning(shown: str, line: str) -> str:
    first, _, rest = shown.partition("\n")
    return rest.lstrip() if _letters(first) == _letters(line) else shown


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))
