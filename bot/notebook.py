"""The chat model that needs no key: it reads back what has been noted."""

import re
from collections.abc import AsyncGenerator, Sequence

from bot.events import Memory, Prompt

_WH_WORD = re.compile(r"(who|whom|whose|what|when|where|why|how|which)('s|’s|'re|’re|'d|’d)?\b", re.IGNORECASE)
_INVERTED = re.compile(
    r"(am|is|are|was|were|do|does|did|have|has|had|can|could|will|would|should|may|might)(n't|n’t)?\s+"
    r"(i|you|we|he|she|it|they|my|your|our|his|her|their|the|this|that|these|those|there|anybody|anyone)\b",
    re.IGNORECASE,
)
_ASKING = re.compile(r"(tell me (what|who|when|where|why|how|which|about)|remind me (what|who|when|where|of))\b", re.I)


def is_question(text: str) -> bool:
    """Whether a message asks something: a question mark at its end, or a question's first words and no full stop."""
    text = text.strip()
    if text.endswith(("?", "？", "؟")):
        return True
    if _ASKING.match(text):
        return True
    return not text.endswith((".", "!", "…")) and bool(_WH_WORD.match(text) or _INVERTED.match(text))


def _noted(memories: Sequence[Memory]) -> str:
    """The memories as a Markdown list, one line each, with the date each was learned."""
    return "\n".join(
        f"- {' '.join(memory.text.split())} ({memory.learned_at.date().isoformat()})" for memory in memories
    )


class Notebook:
    """A `Chat` that composes its answers from the prompt's memories: deterministic, and honest about having none."""

    async def answer(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Yield the answer in one piece."""
        said = next((text for role, text in reversed(prompt.messages) if role == "user"), "")
        if is_question(said):
            if prompt.memories:
                yield f"Here is what I have noted:\n{_noted(prompt.memories)}"
            else:
                yield "I have nothing noted about that yet."
        elif prompt.memories:
            yield f"Noted. Related, from before:\n{_noted(prompt.memories)}"
        else:
            yield "Noted."

    async def close(self) -> None:
        """Nothing is held open."""
