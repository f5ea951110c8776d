"""One answer as it grows: asked for, redone where it is cut, and honest about what it lacks."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from bot.events import Prompt
from bot.logs import describe
from bot.ports import Chat, ChatError, ChatMisconfigured, ChatOverloaded, ChatRefused, ChatTooLong

log = logging.getLogger(__name__)

#: Tries at a whole answer at once; the SDK's own retries of a refused connection come on top.
ATTEMPTS = 2
#: What asking again would not mend.
HOPELESS = (ChatRefused, ChatTooLong, ChatMisconfigured)
#: Seconds without a word from the model after which the person is told that the answer will follow.
PATIENCE = 10.0
#: What asking again later would mend is told so.
FOLLOWS = "Your answer will follow here."
SLOW = f"This is taking longer than usual. {FOLLOWS}"


class Answer:
    """One answer. After its snapshots have ended, exactly one of `text` and `failure` is set.

    Attributes:
        text: What the model said, whole.
        failure: Why there is no whole answer; None where there is one.
    """

    def __init__(self, chat: Chat, request: Prompt, *, again: bool, patience: float = PATIENCE) -> None:
        """`again`: whether a broken answer will be asked for anew later, which is then what the person is told."""
        self._chat = chat
        self._request = request
        self._again = again
        self._patience = patience
        self.text = ""
        self.failure: ChatError | None = None

    async def snapshots(self) -> AsyncIterator[str]:
        """Yield the text so far, each time more of it has come; end with a plain sentence where it broke.

        A stream that is cut is asked for anew (an answer can't be continued). What was shown stays until the new
        text is longer than it, so that nothing shows twice.
        """
        shown = ""
        for attempt in range(1, ATTEMPTS + 1):
            text = ""
            try:
                async with aclosing(self._pieces()) as pieces:
                    async for piece in pieces:
                        if piece is None:
                            if not shown and self._again:
                                yield SLOW
                            continue
                        text += piece
                        if len(text) > len(shown):
                            shown = text
                            yield text
                if not text.strip():
                    raise ChatError("an empty answer")
            except ChatError as exc:
                log.warning("the answer broke off (attempt %d): %s", attempt, describe(exc))
                # An overloaded service has been asked three times by the SDK: it is left alone for a while.
                if isinstance(exc, (*HOPELESS, ChatOverloaded)) or attempt == ATTEMPTS:
                    self.failure = exc
                    yield f"{shown}\n\n{self._sentence(exc)}".strip()
                    return
            else:
                self.text = text
                if text != shown:
                    yield text
                return

    def _sentence(self, failure: ChatError) -> str:
        if self._again and not isinstance(failure, HOPELESS):
            return f"{failure.reason} {FOLLOWS}"
        return failure.sentence

    async def _pieces(self) -> AsyncGenerator[str | None, None]:
        """The model's pieces; a None among them tells that the first is late."""
        async with aclosing(self._chat.answer(self._request)) as pieces:
            first = asyncio.ensure_future(anext(pieces, None))
            try:
                await asyncio.wait([first], timeout=self._patience)
                if not first.done():
                    yield None
                if (piece := await first) is not None:
                    yield piece
            finally:
                if not first.done():
                    first.cancel()
                    await asyncio.wait([first])
            async for piece in pieces:
                yield piece
