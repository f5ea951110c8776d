"""Views on Discord: menus, forms and files, each for the caller alone and known after a restart."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.events import CommandEvent, PressEvent, SubmitEvent
from bot.views import Button, File, Form, Item, Option, View
from tests.adapters.core import StubCore
from tests.adapters.discord.support import running
from tests.fakes.discord import FakeDiscord, Interaction, until

LIST = View(
    "What I remember about you",
    (Item(1, "Likes tea"),),
    "",
    (Button("Edit", "edit:1", opens_form=True), Button("Next", "page:2")),
    (Option("1. Likes tea", "open:1"), Option("2. Likes *coffee*", "open:2")),
    "Choose one",
)
FORM = Form("Edit a memory", "What I should remember", "Likes tea", "edit:1")


def answer(event: CommandEvent | PressEvent | SubmitEvent) -> View:
    """The list for a command; otherwise what was understood."""
    if isinstance(event, CommandEvent):
        return LIST
    return View(f"Done: {event.action} {event.text if isinstance(event, SubmitEvent) else ''}")


@pytest.fixture
async def core(fake: FakeDiscord) -> AsyncIterator[StubCore]:
    stub = StubCore(view=answer, form=FORM)
    async with running(fake, stub):
        yield stub


async def memories(fake: FakeDiscord) -> Interaction:
    """The list, as Ana sees it."""
    shown = await fake.slash("Ana", "memories")
    await shown.answer()
    return shown


async def test_choosing_from_a_menu_is_a_press(fake: FakeDiscord, core: StubCore) -> None:
    """The choice acts for who made it, and the outcome takes the view's place."""
    shown = await memories(fake)
    assert list(shown.menu) == ["1. Likes tea", "2. Likes *coffee*"]
    assert shown.placeholder == "Choose one"
    chosen = await fake.choose("Ben", "2. Likes *coffee*", shown)
    assert "Done: open:2" in (await chosen.answer()).replace("\\", "")
    assert (core.presses[0].action, core.presses[0].person.user) == ("open:2", fake.user("Ben").id)


async def test_a_form_is_opened_filled_in_and_acted_on(fake: FakeDiscord, core: StubCore) -> None:
    """A button that asks opens a form with the present text; what is sent takes the view's place."""
    shown = await memories(fake)
    pressed = await fake.press("Ana", shown.buttons["Edit"], shown)
    form = await until(lambda: pressed.form, "no form")
    field = form["components"][0]["component"]
    assert (form["title"], form["components"][0]["label"]) == ("Edit a memory", "What I should remember")
    assert (field["type"], field["style"], field["value"], field["max_length"]) == (4, 2, "Likes tea", 2000)
    sent = await fake.submit("Ana", " Likes\nherbal tea ", shown, pressed)
    assert "Done: edit:1 Likes herbal tea" in (await sent.answer()).replace("\\", "")
    submitted = core.submits[0]
    assert (submitted.action, submitted.text) == ("edit:1", "Likes\nherbal tea")
    assert submitted.person.user == fake.user("Ana").id
    assert submitted.place.name == "DM"
    assert sent.callbacks == [{"type": 6}]  # the view itself is edited, nothing is added below it


async def test_a_form_in_the_older_shape_is_understood(fake: FakeDiscord, core: StubCore) -> None:
    """A client may wrap the field in a row instead of a label."""
    shown = await memories(fake)
    row = {"type": 1, "components": [{"type": 4, "custom_id": "text", "value": "Likes cocoa"}]}
    sent = await fake.interact(5, "Ana", shown.channel, {"custom_id": "f:edit:1", "components": [row]}, shown.shown)
    await sent.answer()
    assert core.submits[0].text == "Likes cocoa"


async def test_a_form_that_may_not_be_opened(fake: FakeDiscord) -> None:
    """Where the core gives a view instead, it takes the place of the one before."""
    core = StubCore(view=answer, form=View("That memory is gone."))
    async with running(fake, core):
        shown = await memories(fake)
        pressed = await fake.press("Ana", shown.buttons["Edit"], shown)
        assert "That memory is gone" in await pressed.answer()
        assert pressed.form is None


async def test_a_form_survives_a_restart(fake: FakeDiscord) -> None:
    """Opened by one process, understood by the next."""
    async with running(fake, StubCore(view=answer, form=FORM)):
        shown = await memories(fake)
        pressed = await fake.press("Ana", shown.buttons["Edit"], shown)
        await until(lambda: pressed.form, "no form")
    later = StubCore(view=answer)
    async with running(fake, later):
        await (await fake.submit("Ana", "Likes cocoa", shown, pressed)).answer()
    assert later.submits[0].text == "Likes cocoa"


async def test_a_file_is_sent_to_the_caller_alone(fake: FakeDiscord) -> None:
    """The view comes first, then the file in a message that nobody else sees."""
    content = b'{"memories": ["\xc3\xa4"]}'
    core = StubCore(view=lambda event: View("Here is everything.", file=File("memories.json", content)))
    async with running(fake, core):
        shown = await memories(fake)
        await until(lambda: shown.files, "no file")
    assert "Here is everything" in shown.content
    assert shown.files == {"memories.json": content}
    assert (shown.followups[0]["flags"], shown.followups[0]["allowed_mentions"]) == (64, {"parse": []})


async def test_a_file_that_is_refused_is_said_to_be_missing(fake: FakeDiscord) -> None:
    """Where Discord takes no file (too large, or not in this channel), a sentence says what to do; the view stays."""
    core = StubCore(view=lambda event: View("Here is everything.", file=File("memories.json", b"{}")))
    fake.takes_files = False
    async with running(fake, core):
        shown = await fake.slash("Ana", "memories")
        await until(lambda: len(shown.followups) == 2, "no sentence")
    assert "Here is everything" in shown.content
    assert shown.files == {}
    assert "direct message" in shown.followups[-1]["content"]
    assert shown.followups[-1]["flags"] == 64


async def test_what_is_too_much_for_discord_is_cut(fake: FakeDiscord) -> None:
    """Long labels, a hundred choices, doubles and emptiness make no refused request."""
    options = tuple(Option("x" * 300, f"open:{number % 60}:" + "y" * 80) for number in range(100))
    buttons = tuple(Button("z" * 200, f"page:{number}") for number in range(40))
    core = StubCore(
        view=lambda event: replace(LIST, menu=(Option("", "none"), *options), menu_label="m" * 300, buttons=buttons),
        form=Form("t" * 99, "l" * 99, "v" * 9000, "edit:" + "1" * 85, limit=9000),
    )
    async with running(fake, core):
        shown = await memories(fake)
        assert len(shown.menu) == 2  # 25 choices, whose labels are alike once cut
        assert len(shown.options) == 25
        pressed = await fake.interact(3, "Ana", shown.channel, {"custom_id": "a:x", "component_type": 2}, shown.shown)
        form = await until(lambda: pressed.form, "no form")
    assert len(form["components"][0]["component"]["value"]) == 4000


async def test_link_codes_reach_the_core(fake: FakeDiscord, core: StubCore) -> None:
    """`/link` with and without a code, and `/unlink`, are private commands like the others."""
    for name, options in (("link", None), ("link", {"code": " K7QF-2M9X "}), ("unlink", None)):
        shown = await fake.slash("Ana", name, options)
        await shown.answer()
        assert shown.ephemeral
    assert [(command.name, command.argument) for command in core.commands] == [
        ("link", ""),
        ("link", "K7QF-2M9X"),
        ("unlink", ""),
    ]


@pytest.mark.parametrize("items", [(), (Item(1, "Linked with your Slack account"),)])
async def test_a_code_can_be_copied_as_it_is(fake: FakeDiscord, items: tuple[Item, ...]) -> None:
    """A code stands in a code span wherever it is shown: "Copy text" on a phone takes along what escapes its hyphen."""
    code = "K7QF-2M9X"
    view = View(f"Your code is {code}", items, f"Type /link {code} on your *other* account.", code=code)
    async with running(fake, StubCore(view=lambda event: view)):
        text = await (await fake.slash("Ana", "link")).answer()
    assert f"Your code is `{code}`" in text
    assert rf"/link `{code}` on your \*other\* account" in text
    assert code not in text.replace(f"`{code}`", "")
