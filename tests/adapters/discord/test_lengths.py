"""Lengths as Discord counts them: an emoji has two."""

import pytest

from adapters.discord.lengths import shorten, split, units
from bot.events import CommandEvent, PressEvent, SubmitEvent
from bot.views import Button, Form, Item, Option, View
from tests.adapters.core import StubCore, saying
from tests.adapters.discord.support import running
from tests.fakes.discord import FakeDiscord, until

EMOJI = "\U0001f600"


def test_what_is_cut_keeps_its_length_and_its_characters() -> None:
    """Units are counted, and no character is cut in two."""
    assert units(f"a{EMOJI}") == 3
    assert shorten(EMOJI * 4, 8) == EMOJI * 4
    assert shorten(EMOJI * 5, 9, "…") == EMOJI * 4 + "…"
    assert shorten(EMOJI * 5, 8, "…") == EMOJI * 3 + "…"


@pytest.mark.parametrize(
    "text",
    [
        EMOJI * 3000,
        f"x{EMOJI * 3000}",
        f"{EMOJI} " * 1500,
        f"```python\n{EMOJI * 3000}\n```",
        f"a\n{EMOJI * 999}\n" * 4,
    ],
    ids=["a run", "an odd run", "words", "code", "lines"],
)
def test_a_text_of_emoji_is_split_whole(text: str) -> None:
    """Each part keeps to the limit, none holds half a character, and nothing is lost."""
    parts = split(text, 1998)
    assert all(0 < units(part) <= 1998 for part in parts)
    assert "".join(parts).count(EMOJI) == text.count(EMOJI)
    assert not any("\ud800" <= sign <= "\udfff" for part in parts for sign in part)
    for cut in range(2500, len(text), 301):  # the first parts stay while it grows
        assert split(text[:cut], 1998)[0].rstrip("`\n") == parts[0].rstrip("`\n")


async def test_an_answer_of_emoji_is_shown() -> None:
    """Discord takes every message of it."""
    core = StubCore(saying(f"Here: {EMOJI * 500}", f"Here: {EMOJI * 2500}"))
    async with FakeDiscord() as fake, running(fake, core):
        text = await fake.answer_to(await fake.dm("Ana", "hi"), contains=EMOJI * 700, settle=0.5)
        assert text.count(EMOJI) == 2500
        assert core.failures == []


async def test_a_view_of_emoji_is_shown() -> None:
    """Title, items, buttons and menu keep to Discord's limits for each, and so does a form."""
    long = EMOJI * 3000

    def view(event: CommandEvent | PressEvent | SubmitEvent) -> View:
        items = tuple(Item(number, long, note=long) for number in range(1, 6))
        menu = (Option(long, "forget:1"),)
        buttons = (Button(long, "edit:1", opens_form=True),)
        return View(long, items, buttons=buttons, menu=menu, menu_label=long, footer=long)

    core = StubCore(view=view, form=Form(long, long, long, "edit:1", limit=4000), suggestions=[long])
    async with FakeDiscord() as fake, running(fake, core):
        shown = await fake.slash("Ana", "memories")
        assert EMOJI in await shown.answer()
        pressed = await fake.press("Ana", next(iter(shown.buttons.values())), shown)
        await until(lambda: pressed.form, "the form")
        assert await fake.autocomplete("Ana", "forget", "what", "x") == [EMOJI * 50]
