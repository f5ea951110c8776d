"""One growing answer: requested, restarted if the stream breaks, and honest about what it lacks."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from enum import Enum

from bot.aio.deadline import Deadline
from bot.core.rounds import Rounds, Run
from bot.core.web import Findings
from bot.logs import describe
from bot.model import Asked, Prompt, Web
from bot.ports import (
    CUT,
    Charge,
    Chat,
    ChatEmpty,
    ChatError,
    ChatMisconfigured,
    ChatOverloaded,
    ChatRefused,
    ChatTooLong,
    ChatUnpaid,
    LimitReached,
)
from bot.usage import Usage

log = logging.getLogger(__name__)

#: Immediate attempts at a complete answer, on top of the SDK's own retries.
ATTEMPTS = 2
#: Errors that no retry fixes.
PERMANENT_ERRORS = (ChatRefused, ChatTooLong, ChatMisconfigured, ChatEmpty, LimitReached)
#: Errors that no immediate retry fixes: the SDK has already tried three times, or the account has no credit.
PATIENT = (ChatOverloaded, ChatUnpaid)
#: Seconds without a word from the model after which the person is told that the answer will follow.
PATIENCE = 10.0
#: An answer's limits in seconds and in characters (the token limit is about half of that, but a compatible server may
#: ignore it). At the limit, what has arrived becomes the answer, marked as cut.
LONGEST_TIME = 300.0
LONGEST = 20_000
LATE = "… (cut: it took too long)"
#: What a person is told if a retry may still succeed.
FOLLOWS = "Your answer will follow here."
SLOW = f"This is taking longer than usual. {FOLLOWS}"

_FAILURES = (*PERMANENT_ERRORS, *PATIENT, ChatError)


class Omitted(Enum):
    """What had to be left out of the request before the model would answer it."""

    NOTHING = "nothing"
    FILES = "files"
    NEARBY = "nearby"
    TURNS = "turns"
    MEMORIES = "memories"


def failed_with(shown: str) -> type[ChatError] | None:
    """The failure whose sentence ends what was shown; None if it is an answer."""
    end = shown.rstrip()
    return next((failure for failure in _FAILURES if end.endswith(failure.sentence)), None)


class Answer:
    """One answer. After its snapshots have ended, exactly one of `text` and `failure` is set.

    Attributes:
        text: The model's complete answer.
        failure: Why there is no complete answer; None if there is one.
        omitted: What had to be left out of the request.
        too_long: Whether that was because the request was too long.
        used: How often each tool was called.
        usage: The tokens of all requests for it, at most where that isn't known.
        nanodollars: What they cost; None if the model's price isn't known.
        first_word_at: When its first words arrived, by the loop's clock; None until then.
    """

    def __init__(
        self,
        chat: Chat,
        requests: Sequence[Prompt],
        charge: Callable[[Prompt], Awaitable[Charge]],
        *,
        again: bool,
        tools: Run | None = None,
        event_id: str = "",
        operator: bool = False,
        patience: float = PATIENCE,
        longest_time: float = LONGEST_TIME,
    ) -> None:
        """Try `requests` in turn (`bot.core.prompt.ladder`) as long as the model refuses what they contain.

        `charge` reserves what a request may take, before it is sent: the first when this is entered as a context.
        `again`: whether a failed answer is retried later, which the person is then told. `tools` runs the calls of
        tools that the requests offer.
        `operator`: whether the person may be told what is wrong with the settings.
        """
        self._chat = chat
        self._requests = requests
        self._charge = charge
        self._reserved: Charge | None = None
        self._again = again
        self._event_id = event_id
        self._operator = operator
        self._patience = patience
        self._longest_time = longest_time
        self._rounds = Rounds(tools)
        self.used = self._rounds.used
        self._found = Findings()
        self.text = ""
        self.failure: ChatError | None = None
        self.omitted = Omitted.NOTHING
        self.too_long = False
        self.usage = Usage()
        self.nanodollars: int | None = 0
        self.first_word_at: float | None = None

    async def __aenter__(self) -> "Answer":
        """Reserve what the first request may take. Raises LimitReached: then nothing of an answer is shown."""
        self._reserved = await self._charge(self._requests[0])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reserved is not None:  # it was never sent
            self._reserved.usage = Usage()
            async with self._reserved:
                self._reserved = None

    @property
    def turns_length(self) -> int:
        """How many characters of earlier turns the first request holds."""
        return sum(len(text) for _, text in self._requests[0].messages[:-1])

    async def snapshots(self) -> AsyncGenerator[str, None]:
        """Yield the text so far whenever more of it has arrived; end with a plain sentence if it failed.

        A broken stream is requested again, since an answer can't be continued. What was shown stays until the new
        text is longer, so that nothing is shown twice. If a turn calls tools, the text goes on after them; what has
        run isn't run again, whatever breaks then.
        """
        shown = before = ""
        attempt, rung = 1, 0
        until = asyncio.get_running_loop().time() + self._longest_time
        while True:
            text, asked = before, None
            request = self._rounds.request(self._requests[rung])
            try:
                async with self._charged(request) as charge, aclosing(self._pieces(request, until, charge)) as pieces:
                    async for piece in pieces:
                        if piece is None:
                            if not shown and self._again:
                                yield SLOW
                            continue
                        if isinstance(piece, Asked):
                            asked = piece
                            continue
                        if isinstance(piece, Web):
                            self._found.note(piece)
                            continue
                        if self.first_word_at is None:
                            self.first_word_at = asyncio.get_running_loop().time()
                        text = _continued(text, piece) if text is before else text + piece
                        if len(text) > LONGEST:
                            text = text[:LONGEST] + CUT
                        if len(text) > len(shown):
                            shown = text
                            yield text
                        if len(text) > LONGEST:
                            log.warning("%s: answer cut at %d characters", self._event_id, LONGEST)
                            break
                if asked is not None and self._rounds.open:
                    before, attempt = text, 1
                    await self._rounds.run(asked)
                    continue
                if not text.strip():
                    raise ChatEmpty("an empty answer")
            except TimeoutError:
                cut = self._event_id, self._longest_time, len(text)
                log.warning("%s: answer cut after %.0f seconds, at %d characters", *cut)
                if not text.strip():
                    self.failure = ChatError(f"no answer within {self._longest_time:.0f} seconds")
                    yield f"{shown}\n\n{self._sentence(self.failure)}".strip()
                    return
                text += LATE
            except ChatError as exc:
                failure = self._event_id, attempt, str(exc), describe(exc)
                log.warning("%s: answer failed (attempt %d): %s; %s", *failure)
                if exc.about_request and self._rounds.withhold():
                    continue
                if exc.about_request and rung + 1 < len(self._requests):
                    self._climb(exc, rung)
                    rung += 1
                    continue
                if attempt == ATTEMPTS or exc.about_request or _is_final(exc):
                    self.failure = exc
                    # A refusal also withdraws the partial answer before it.
                    left = "" if isinstance(exc, ChatRefused) else shown
                    yield f"{left}\n\n{self._sentence(exc)}".strip()
                    return
                attempt += 1
                continue
            self.text = text = f"{text}{self._found.line}"
            if text != shown:
                yield text
            return

    @asynccontextmanager
    async def _charged(self, request: Prompt) -> AsyncIterator[Charge]:
        """Reserve what a request may take, unless that is done, and count what it took."""
        charge, self._reserved = self._reserved or await self._charge(request), None
        try:
            async with charge:
                yield charge
        finally:
            self.usage += charge.usage
            cost = charge.nanodollars
            self.nanodollars = None if cost is None or self.nanodollars is None else self.nanodollars + cost

    def _climb(self, failure: ChatError, rung: int) -> None:
        """Note what the next request leaves out."""
        self.too_long = isinstance(failure, ChatTooLong)
        before, now = self._requests[rung], self._requests[rung + 1]
        if before.files != now.files:
            self.omitted = Omitted.FILES
        elif before.around and before.messages[:-1] == now.messages[:-1]:
            self.omitted = Omitted.NEARBY
        else:
            self.omitted = Omitted.TURNS if now.messages != before.messages else Omitted.MEMORIES

    def _sentence(self, failure: ChatError) -> str:
        if self._again and not isinstance(failure, PERMANENT_ERRORS):
            return f"{failure.reason} {FOLLOWS}"
        if self._operator and not isinstance(failure, (ChatRefused, ChatEmpty)):
            return failure.hint or (f"{failure.sentence} ({failure})" if str(failure) else failure.sentence)
        return failure.sentence

    async def _pieces(
        self, request: Prompt, until: float, charge: Charge
    ) -> AsyncGenerator[str | Asked | Web | None, None]:
        """Yield the model's pieces, or None once if the first is late. Raises TimeoutError at `until`."""
        async with aclosing(_words(self._chat.answer(request), charge)) as pieces:
            first = asyncio.ensure_future(anext(pieces, None))
            try:
                left = max(0.0, until - asyncio.get_running_loop().time())
                await asyncio.wait([first], timeout=min(self._patience, left))
                if not first.done() and left > self._patience:
                    yield None
                with Deadline(until) as deadline:
                    piece = await deadline.wait(lambda: first)
                    while piece is not None:
                        yield piece
                        piece = await deadline.wait(lambda: anext(pieces, None))
            finally:
                if not first.done():
                    first.cancel()
                    await asyncio.wait([first])


async def _words(
    pieces: AsyncGenerator[str | Usage | Asked | Web, None], charge: Charge
) -> AsyncGenerator[str | Asked | Web, None]:
    """Yield the text of an answer and what it asks of tools, and note its usage."""
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Usage):
                charge.usage = piece
            else:
                yield piece


def _continued(before: str, piece: str) -> str:
    """The text of an answer that goes on after a call of tools, with its next words."""
    piece = piece.lstrip() if before.strip() else piece
    return f"{before.rstrip()}\n\n{piece}" if before.strip() and piece else before + piece


def _is_final(failure: ChatError) -> bool:
    """Whether an immediate retry is pointless."""
    return isinstance(failure, (*PERMANENT_ERRORS, *PATIENT)) and not isinstance(failure, ChatEmpty)
