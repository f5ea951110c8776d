"""The chat model that needs no key: it reads back what has been noted."""

import re
import unicodedata
from collections.abc import AsyncGenerator, Collection, Sequence

from bot.model import Asked, Call, Memory, Prompt
from bot.usage import Usage

_WH_WORD = re.compile(r"(who|whom|whose|what|when|where|why|how|which)('s|’s|'re|’re|'d|’d)?\b", re.IGNORECASE)
_INVERTED = re.compile(
    r"(am|is|are|was|were|do|does|did|have|has|had|can|could|will|would|should|may|might)(n't|n’t)?\s+"
    r"(i|you|we|he|she|it|they|my|your|our|his|her|their|the|this|that|these|those|there|anybody|anyone)\b",
    re.IGNORECASE,
)
_ASKING = re.compile(r"(tell me (what|who|when|where|why|how|which|about)|remind me (what|who|when|where|of))\b", re.I)

#: What people type to try the bot out, or to be polite: nothing to note.
_SMALL_TALK = re.compile(
    r"/\S*|help|quit|exit|test(ing)?|hi|hey|hello|hello there|good (morning|evening|night)|bye|goodbye|ok|okay|yes|no"
    r"|yep|nope|sure|thanks|thank you|thx|cool|great|nice|lol|please|memories|link|unlink",
    re.IGNORECASE,
)

_REMEMBER = re.compile(r"(please\s+)?remember(\s+that)?[:,]?\s+(?P<what>\S.{0,2000})", re.IGNORECASE | re.DOTALL)
_ABOUT_ME = re.compile(
    r"(so,?\s+)?what\s+(do|else do)\s+you\s+(know|remember)\s+(about|of)\s+me\b.{0,40}", re.IGNORECASE
)

_SENTENCES = re.compile(r"(?<=[.!?…])\s+|\n")
_FORGET = re.compile(r"(please\s+)?forget\b(\s+(everything\s+about|all\s+about|about|that)\b)?", re.IGNORECASE)


def is_question(text: str) -> bool:
    """Whether a message asks something: it ends with a question mark, or starts like a question without a full stop."""
    text = text.strip()
    if text.endswith(("?", "？", "؟")):
        return True
    if _ASKING.match(text):
        return True
    return not text.endswith((".", "!", "…")) and bool(_WH_WORD.match(text) or _INVERTED.match(text))


def tells(text: str) -> bool:
    """Whether a message tells something to note: it isn't only small talk and questions."""
    return any(_is_statement(sentence.strip()) for sentence in _SENTENCES.split(text))


def _is_statement(sentence: str) -> bool:
    # Punctuation alone (`?`, `/`, `...`) says nothing; an emoji may.
    if all(unicodedata.category(letter)[0] in "PZC" for letter in sentence):
        return False
    if _SMALL_TALK.fullmatch(sentence.rstrip(" .!…")) or _FORGET.match(sentence):
        return False
    return not is_question(sentence)


def _noted(memories: Sequence[Memory]) -> str:
    """The memories as a Markdown list, one line each, with the date each was learned."""
    return "\n".join(
        f"- {' '.join(memory.text.split())} ({memory.learned_at.date().isoformat()})" for memory in memories
    )


NOTHING = "There is nothing in that for me to note. Tell me something about you, or ask me what I know."

FAILED = "That didn't work just now."

UNNOTED = "I note nothing of that: it is off the record."

FORGETTING = "To have me forget something, type /forget and its words, such as: /forget axolotls"


def _call(message: str, tools: Collection[str]) -> Call | None:
    """What a message asks of a tool in so many words, if anything."""
    found = _REMEMBER.fullmatch(message)
    if found and "remember" in tools and not is_question(message):
        return Call("remember", "remember", {"text": found["what"].strip()})
    wish = _FORGET.match(message)
    if wish and "forget" in tools and (what := message[wish.end() :].strip(" .!,:;…")):
        return Call("forget", "forget", {"what": what})
    if _ABOUT_ME.fullmatch(message) and "list_memories" in tools:
        return Call("list", "list_memories", {})
    return None


class Notebook:
    """A `Chat` that composes its answers from the prompt's memories: deterministic, and honest about having none."""

    async def max_usage(self, prompt: Prompt) -> None:
        """Nothing is asked of anybody."""

    async def answer(self, prompt: Prompt) -> AsyncGenerator[str | Usage | Asked, None]:
        """Yield the answer in one piece; or ask a tool for it, whose result is the answer to the next request."""
        message = next((text for role, text in reversed(prompt.messages) if role == "user"), "")
        call = None if prompt.rounds else _call(message.strip(), {tool.name for tool in prompt.tools})
        if prompt.rounds:
            yield "\n\n".join(result.plain or FAILED for result in prompt.rounds[-1].results)
        elif call is not None:
            yield Asked((call,))
        elif _FORGET.match(message.strip()):
            yield FORGETTING
        elif is_question(message):
            if prompt.memories:
                yield f"Here is what I have noted:\n{_noted(prompt.memories)}"
            else:
                yield "I have nothing noted about that yet."
        elif prompt.off_record:
            yield UNNOTED
        elif not tells(message):
            yield NOTHING
        elif prompt.memories:
            yield f"Noted. Related, from before:\n{_noted(prompt.memories)}"
        else:
            yield "Noted."

    async def close(self) -> None:
        """Nothing is held open."""
