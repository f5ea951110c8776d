"""The chat model."""

from collections.abc import AsyncGenerator
from typing import Protocol

from bot.model import Prompt, Usage

#: What an answer ends with that reached a limit of its length.
CUT = "… (cut at my length limit)"


class Chat(Protocol):
    """The chat model."""

    def answer(self, prompt: Prompt) -> AsyncGenerator[str | Usage, None]:
        """Yield the answer's text in pieces as they arrive, and once, near its end, what it took where that is known.

        Raises ChatError where the answer is not whole.

        Closing the generator ends the request behind it.
        """
        ...

    async def close(self) -> None:
        """Release the connections."""
        ...
