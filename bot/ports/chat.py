"""The chat model."""

from collections.abc import AsyncGenerator
from typing import NamedTuple, Protocol

from bot.model import Asked, Prompt, Web
from bot.usage import Usage

#: Appended to an answer that was cut at its length limit.
CUT = "… (cut at my length limit)"


class MaxUsage(NamedTuple):
    """The most that one request can take of a model."""

    model: str
    usage: Usage


class Chat(Protocol):
    """The chat model."""

    async def max_usage(self, prompt: Prompt) -> MaxUsage | None:
        """The most that one request with this prompt can take; None if it costs nothing."""
        ...

    def answer(self, prompt: Prompt) -> AsyncGenerator[str | Usage | Asked | Web, None]:
        """Yield the answer's text in pieces as they arrive and, among them, the most it takes as far as is known.

        If the turn ends by calling tools, the last thing yielded is what it asks of them: the answer goes on with the
        next request, whose `rounds` hold that and the results.

        If it has looked at the web, it says so after its text, once a turn.

        Each Usage replaces the one before, and `max_usage`; the last one of a whole answer is exact. Raises ChatError
        if the answer is incomplete. Closing the generator cancels the request.
        """
        ...

    async def close(self) -> None:
        """Release the connections."""
        ...
