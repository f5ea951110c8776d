"""The rounds of one answer: its turns ask tools, whose results go into the next request."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bot.model import Asked, Call, Prompt, Result, Round

#: Rounds of one answer, and calls of one of them that are run.
ROUNDS = 6
CALLS = 8

#: Runs one call. Never raises: what fails is a result too.
Run = Callable[[Call], Awaitable[Result]]

LAST = "(This was the last call that you have for this answer: now answer with what you know.)"
TOO_MANY = Result("Not run: these are too many calls at once.", failed=True)
#: In place of a result that the service has refused.
WITHHELD = Result("This result couldn't be shown to you.", failed=True)


class Rounds:
    """Runs what an answer's turns ask for, once; a request that is sent again carries the same results."""

    def __init__(self, run: Run | None) -> None:
        """Without `run` there are no tools, and what is asked of them is ignored."""
        self._run = run
        self._done: tuple[Round, ...] = ()
        self._withheld = False
        #: How often each tool was called.
        self.used: Counter[str] = Counter()

    @property
    def open(self) -> bool:
        """Whether there may be another round."""
        return self._run is not None and len(self._done) < ROUNDS

    def request(self, prompt: Prompt) -> Prompt:
        """The request with the rounds so far."""
        return replace(prompt, rounds=self._done) if self._done else prompt

    async def run(self, asked: Asked) -> None:
        """Run a turn's calls side by side."""
        assert self._run is not None
        results = [*await asyncio.gather(*(self._run(call) for call in asked.calls[:CALLS]))]
        results += [TOO_MANY] * (len(asked.calls) - len(results))
        self.used.update(call.name for call in asked.calls[:CALLS])
        if results and len(self._done) + 1 == ROUNDS:
            results[-1] = replace(results[-1], text=f"{results[-1].text}\n\n{LAST}")
        self._done = (*self._done, Round(asked, tuple(results)))

    def withhold(self) -> bool:
        """Leave the results out of what follows, since they may be what is refused; False if there are none (left)."""
        if self._withheld or not self._done:
            return False
        self._withheld = True
        self._done = tuple(replace(each, results=(WITHHELD,) * len(each.results)) for each in self._done)
        return True
