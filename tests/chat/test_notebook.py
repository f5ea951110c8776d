"""The notebook: what it answers without a key."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.chat.notebook import FORGETTING, NOTHING, Notebook, is_question
from bot.model import Asked, Memory, Prompt, Result, Round, Tool

MEMORIES = (
    Memory("1", "I prefer all temperatures\nin Celsius.", datetime(2026, 11, 23, tzinfo=UTC), "private"),
    Memory("2", "Ann lives in Porto.", datetime(2026, 10, 1, tzinfo=UTC), "private"),
)


async def answer(said: str, memories: tuple[Memory, ...] = ()) -> str:
    """The whole answer to a message, with these memories recalled."""
    prompt = Prompt("", (("user", "Earlier?"), ("assistant", "Yes."), ("user", said)), memories)
    return "".join([piece async for piece in Notebook().answer(prompt) if isinstance(piece, str)])


@pytest.mark.parametrize(
    ("said", "memories", "answered"),
    [
        (
            "What's a comfortable room temperature?",
            MEMORIES,
            "Here is what I have noted:\n- I prefer all temperatures in Celsius. (2026-11-23)\n"
            "- Ann lives in Porto. (2026-10-01)",
        ),
        ("What do I like?", (), "I have nothing noted about that yet."),
        ("I moved to Lisbon.", (), "Noted."),
        ("help", MEMORIES, NOTHING),
        ("Hello!", (), NOTHING),
        ("?", (), "I have nothing noted about that yet."),
        ("/", (), NOTHING),
        ("forget that I live in Porto", MEMORIES, FORGETTING),
        ("Thanks. I live in Lisbon.", (), "Noted."),
        (
            "I moved to Lisbon.",
            MEMORIES[1:],
            "Noted. Related, from before:\n- Ann lives in Porto. (2026-10-01)",
        ),
    ],
)
async def test_answers(said: str, memories: tuple[Memory, ...], answered: str) -> None:
    """A question reads back what is recalled, a statement is noted, and having nothing is said plainly."""
    assert await answer(said, memories) == answered


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("forget that I live in Porto.", "I live in Porto"),
        ("Please forget about the axolotl!", "the axolotl"),
        ("forget everything about Porto", "Porto"),
        ("forget Porto", "Porto"),
        ("FORGET ALL ABOUT: tea", "tea"),
    ],
)
async def test_a_wish_to_forget_is_looked_at_first(said: str, what: str) -> None:
    """Where that is offered, it asks for what would be forgotten to be shown, and says what came of it."""
    offered = Prompt("", (("user", said),), tools=(Tool("forget", "", {}),))
    (asked,) = [piece async for piece in Notebook().answer(offered)]
    assert isinstance(asked, Asked)
    (call,) = asked.calls
    assert (call.name, call.arguments) == ("forget", {"what": what})
    after = replace(offered, rounds=(Round(asked, (Result("shown", plain="Look."),)),))
    assert [piece async for piece in Notebook().answer(after)] == ["Look."]
    alone = replace(offered, messages=(("user", "please forget"),))
    assert [piece async for piece in Notebook().answer(alone)] == [FORGETTING]


@pytest.mark.parametrize(
    ("said", "question"),
    [
        ("Where do I live?", True),
        ("where do i live", True),
        ("I moved. Do you know where to?", True),
        ("do you know my name", True),
        ("who's my dentist", True),
        ("tell me about my sister", True),
        ("我住在哪里？", True),
        ("I like tea.", False),
        ("When I was young I lived in Rome.", False),
        ("Do not call me Bob", False),
        ("What a day!", False),
        ("Whatever works, works for me", False),
        ("", False),
    ],
)
def test_what_counts_as_a_question(said: str, question: bool) -> None:
    """A question mark, or a question's first words without a full stop, asks; anything else is a note."""
    assert is_question(said) is question
