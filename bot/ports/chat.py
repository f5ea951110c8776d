"""The chat model."""

from collections.abc import AsyncGenerator
from typing import Protocol

from bot.model import Prompt
from bot.usage import Usage

#: Appended to an answer that was cut at its length limit.
CUT = "… (cut at my length limit)"


class Chat(Protocol):
    """The chat model."""

    def answer(self, prompt: Prompt) -> AsyncGenerator[str | Usage, None]:
        """Yield the answer's text in pieces as they arrive and, near the end, its usage once, if known.

        Raises ChatError if the answer is incomplete. Closing the generator cancels the request.
        """
        ...

    async def close(self) -> None:
        """Release the connections."""
        ...
