"""Commands given in words."""

import pytest

from bot.commands.spoken import command
from tests.makers import MONDAY

LONG = "forget " + "x" * 100_000


@pytest.mark.parametrize(
    ("text", "name", "argument"),
    [
        ("memories", "memories", ""),
        ("Memories?", "memories", ""),
        ("forget", "forget", ""),
        ("forget 3", "forget", "3"),
        ("Forget #12", "forget", "#12"),
        ("forget yesterday", "forget", "yesterday"),
        ("forget since Monday", "forget", "since Monday"),
        ("memories from last week", "memories", "from last week"),
        ("forget 'that I keep two axolotls'", "forget", "that I keep two axolotls"),
        ("memories “tea and milk”", "memories", "tea and milk"),
        ("forget everything", "forget", "everything"),
        ("Forget everything!", "forget", "everything"),
        ("forget 3.", "forget", "3"),
        ("forget yesterday.", "forget", "yesterday"),
        ('memories "tea"?', "memories", "tea"),
        ("forget 'Ann's bike'", "forget", "Ann's bike"),
        ("private", "private", ""),
        ("Private on.", "private", "on"),
        ("private OFF", "private", "OFF"),
        ("link", "link", ""),
        ("link K7QF-2M9X", "link", "K7QF-2M9X"),
        ("link k7qf2m9x", "link", "k7qf2m9x"),
        ("unlink", "unlink", ""),
        ("/FORGET  that I keep two axolotls ", "forget", "that I keep two axolotls"),
        ("/memories of my childhood", "memories", "of my childhood"),
        ("/forget\nthis", "forget", "this"),
    ],
)
def test_commands(text: str, name: str, argument: str) -> None:
    """A command is what begins with a slash, its bare word, or the word with a number, a time or quoted words."""
    found = command(text, MONDAY)
    assert found is not None
    assert (found.name, found.argument, found.slash) == (name, argument, text.startswith("/"))


@pytest.mark.parametrize(
    "text",
    [
        "forget about that, what's the capital of Peru?",
        "memories of my childhood make me smile",
        "forget it",
        "forget it, thanks",
        'forget "the plan", it was "a joke"',
        "forget 'tis the season, what's 'up'",
        'forget " "',
        "forget that I live in Porto",
        "Forget Monday, let's meet on Tuesday at the café",
        "forget 3 of them",
        "forgetful",
        "private on Mondays",
        "private matters",
        "link me to the plan",
        "link homepage",
        "unlink the two pages",
        "what memories",
        "/forgetful",
        "/shrug",
        "",
        LONG,
    ],
)
def test_talk(text: str) -> None:
    """Every other sentence is talk, whatever its first word."""
    assert command(text, MONDAY) is None
