"""Slash commands and buttons on Discord: private, about the caller alone, and known after a restart."""

import asyncio
from dataclasses import replace

import pytest

from adapters.discord.asking import NAME
from adapters.discord.views import render
from bot.events import CommandEvent, PressEvent, SubmitEvent
from bot.model import Audience
from bot.views import Button, Item, Option, View
from tests.adapters.core import StubCore
from tests.adapters.discord.support import running
from tests.fakes.discord import FakeDiscord, until

LIST = View(
    "What I remember about you",
    (Item(1, "Likes *tea* <@1> @everyone\n# loud", "2026-11-20, #general", "https://discord.com/channels/1/2/3"),),
    "Use /forget to remove any.",
    (Button("Forget", "act:token", danger=True), Button("Cancel", "no:token")),
)


def answer(event: CommandEvent | PressEvent | SubmitEvent) -> View:
    return LIST if isinstance(event, CommandEvent) else View(f"Done: {event.action}")


async def test_commands_work_everywhere_for_everyone(fake: FakeDiscord) -> None:
    """Every command is registered for servers and people, in channels, DMs and group DMs; no option is required."""
    async with running(fake, StubCore()):
        await until(lambda: fake.commands, "no commands")
    known = {command["name"]: command for command in fake.commands}
    assert set(known) == {"memories", "forget", "private", "link", "unlink", "help", NAME}
    assert known[NAME]["type"] == 3
    for command in known.values():
        assert (command["contexts"], command["integration_types"]) == ([0, 1, 2], [0, 1])
        assert not any(option["required"] for option in command.get("options", []))
    assert known["forget"]["options"][0]["autocomplete"]
    assert known["link"]["options"][0]["name"] == "code"


async def test_memories_are_shown_to_the_caller_alone(fake: FakeDiscord) -> None:
    """The list is ephemeral, can't ping, and shows what was remembered as plain text."""
    core = StubCore(view=answer)
    guild = fake.add_guild()
    channel = fake.add_channel(guild, "general")
    async with running(fake, core):
        shown = await fake.slash("Ana", "memories", {"search": " tea "}, channel)
        text = await shown.answer()
    assert shown.ephemeral
    assert shown.shown is not None
    assert shown.shown["allowed_mentions"] == {"parse": []}
    assert r"Likes \*tea\* \<\@1\> \@everyone \# loud" in text
    assert "[open](<https://discord.com/channels/1/2/3>)" in text
    command = core.commands[0]
    assert (command.name, command.argument) == ("memories", "tea")
    assert command.person.user == fake.user("Ana").id
    assert (command.place.audience, command.place.channel) == (Audience.PUBLIC, channel.id)


async def test_a_command_without_words_and_in_a_group(fake: FakeDiscord) -> None:
    """An option left out is empty; a group DM is its members' place, never a private one."""
    core = StubCore()
    async with running(fake, core):
        await (await fake.slash("Ana", "forget", channel=fake.group_with("Ana", "Ben"))).answer()
        await (await fake.slash("Ana", "forget")).answer()
    assert [(command.argument, command.place.audience) for command in core.commands] == [
        ("", Audience.MEMBERS),
        ("", Audience.PRIVATE),
    ]


async def test_a_button_acts_for_who_clicked_it(fake: FakeDiscord) -> None:
    """The person of a press is who clicked; the outcome takes the view's place, without its buttons."""
    core = StubCore(view=answer)
    async with running(fake, core):
        shown = await fake.slash("Ana", "forget", {"what": "tea"})
        await shown.answer()
        pressed = await fake.press("Ben", shown.buttons["Forget"], shown)
        assert "Done: act:token" in (await pressed.answer()).replace("\\", "")
    assert core.presses[0].person.user == fake.user("Ben").id
    assert core.presses[0].action == "act:token"
    assert pressed.buttons == {}


async def test_a_button_survives_a_restart(fake: FakeDiscord) -> None:
    """A button shown by one process is understood by the next."""
    async with running(fake, StubCore(view=answer)):
        shown = await fake.slash("Ana", "forget")
        await shown.answer()
    later = StubCore(view=answer)
    async with running(fake, later):
        await (await fake.press("Ana", shown.buttons["Cancel"], shown)).answer()
    assert [press.action for press in later.presses] == ["no:token"]


async def test_forget_suggests_what_is_remembered(fake: FakeDiscord) -> None:
    """At most 25 choices of at most 100 characters, none twice, for what the caller has typed."""
    core = StubCore(suggestions=["tea", "tea", "x" * 150, " "] + [f"memory {number}" for number in range(40)])
    async with running(fake, core):
        choices = await fake.autocomplete("Ana", "forget", "what", "te")
    assert choices[:2] == ["tea", "x" * 100]
    assert len(choices) == 25
    assert (core.commands[0].name, core.commands[0].argument) == ("forget", "te")
    assert core.commands[0].person.user == fake.user("Ana").id


async def test_suggestions_that_take_too_long_are_none(fake: FakeDiscord) -> None:
    """Discord waits three seconds for an autocompletion: a memory that is slower offers nothing, within that time."""

    class Slow(StubCore):
        async def suggest(self, event: CommandEvent) -> list[str]:
            await asyncio.sleep(60)
            return ["tea"]

    async with running(fake, Slow()):
        async with asyncio.timeout(3):
            assert await fake.autocomplete("Ana", "forget", "what", "te") == []


async def test_a_failing_command_says_so_privately(fake: FakeDiscord) -> None:
    """Where the core breaks, the caller gets a plain sentence that nobody else sees."""

    def broken(event: CommandEvent | PressEvent | SubmitEvent) -> View:
        raise RuntimeError("broken")

    core = StubCore(view=broken)
    async with running(fake, core):
        shown = await fake.slash("Ana", "memories")
        await until(lambda: shown.followups, "no apology")
        assert shown.followups[0]["content"].startswith("Something went wrong")
        assert shown.followups[0]["flags"] == 64
        assert await fake.answer_to(await fake.dm("Ana", "hi")) == "You said: hi"


PERMALINK = "https://discord.com/channels/1002236129004351749/1002236129004351749/14380000000000000{}"


def whole(view: View) -> str:
    """All of a view's text."""
    return "\n".join(render(view))


def page(*texts: str) -> View:
    """A page of the list as /memories shows it, with these memories."""
    items = tuple(
        Item(number, text, "2026-11-20, #general, may be used in channels", PERMALINK.format(number))
        for number, text in enumerate(texts, 1)
    )
    return View("I remember 25 things about you, newest first:", items, "Page 1 of 3. " + "What I keep. " * 20)


@pytest.mark.parametrize("text", ["Likes tea, no coffee.", "word " * 60, "*" * 300, "ü" * 300])
def test_a_page_of_ten_keeps_every_link(text: str) -> None:
    """Ten memories of any length with ordinary permalinks: each with its number, date, place and link."""
    shown = whole(page(*[text] * 10))
    assert len(shown) <= 4000
    for number in range(1, 11):
        assert f"**{number}.**" in shown
        assert f"[open](<{PERMALINK.format(number)}>)" in shown
    assert shown.count("2026\\-11\\-20, \\#general, may be used in channels") == 10
    assert "What I keep" in shown.splitlines()[-1]


def test_what_is_cut_shows_that_it_is() -> None:
    """A short memory beside long ones is whole; each of the long ones ends with an ellipsis."""
    lines = whole(page("Likes tea.", *["*long* " * 42] * 9)).splitlines()
    memories = [line for line in lines if line.startswith("**")]
    assert memories[0] == "**1.** Likes tea."
    assert all(line.endswith("…") for line in memories[1:])


def test_a_memory_is_shown_whole() -> None:
    """A memory of 2,000 characters, opened with eight messages that taught it, is there to its last word."""
    text = ("Tea - from Assam, not (!) Ceylon. " * 60)[:1990] + "last words"
    items = tuple(Item(number, "You said so", "#general", PERMALINK.format(number)) for number in range(1, 9))
    shown = whole(View(f"3. {text}", items, "It is used in direct messages only."))
    assert len(shown) <= 4000
    assert "last words\n" in shown
    assert shown.count("[open](<") == 8


async def test_a_page_of_long_memories_is_taken(fake: FakeDiscord) -> None:
    """Discord takes the longest page there is, menu and buttons included, and a press on it changes it in place."""
    full = replace(
        page(*["*" * 300] * 10),
        menu=tuple(Option("o" * 100, f"open:{number}") for number in range(10)),
        buttons=tuple(Button(f"{number}", f"page:{number}") for number in range(5)),
    )
    async with running(fake, StubCore(view=lambda event: full)):
        shown = await fake.slash("Ana", "memories")
        assert "**10.**" in await shown.answer()
        again = await fake.press("Ana", shown.buttons["4"], shown)
        assert "**10.**" in await again.answer()


def test_a_link_that_is_none_is_left_out() -> None:
    """Nothing but a web address becomes a link."""
    text = whole(
        View("Title", (Item(1, "a", "b", "javascript:alert(1)"), Item(2, "c", "", "https://x/) [y](http://z")))
    )
    assert "](<" not in text
