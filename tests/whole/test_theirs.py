"""What people can see, change and take away, on Discord and Slack at once: the bot as a child process behind both."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.claude import FakeClaude, briefing
from tests.fakes.discord import FakeDiscord, Interaction, until
from tests.fakes.slack import FakeSlack, would_ping
from tests.whole.process import BotProcess

PAUSED = "(Memory is paused: I use nothing that I remember about you, and learn nothing. /memories resumes it.)"
MARKED = "I collect `stamps` of <@U0BEN> <!channel> @everyone, see [a shop](https://evil.test)"


class World:
    """The two platforms and the model. Ann is `ann` on Discord and `UANN` on Slack."""

    def __init__(self, claude: FakeClaude, discord: FakeDiscord, slack: FakeSlack) -> None:
        self.claude = claude
        self.discord = discord
        self.slack = slack

    def bot(self, folder: Path) -> BotProcess:
        """The bot, not started yet."""
        own = {"DISCORD_TOKEN": self.discord.token, "DISCORD_API_BASE": self.discord.url}
        model = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": self.claude.url}
        return BotProcess(folder, {**own, **model, **self.slack.environment()})

    async def says(self, text: str) -> str:
        """Ann writes on Discord; what she is answered."""
        return await self.discord.answer_to(await self.discord.dm("ann", text), within=30)

    async def memories(self, holds: Callable[[Interaction], bool] = lambda shown: True) -> Interaction:
        """Ann's /memories on Discord, as soon as `holds` is true of it."""
        async with asyncio.timeout(30):
            while True:
                shown = await self.discord.slash("ann", "memories")
                await shown.answer()
                assert shown.ephemeral
                if holds(shown):
                    return shown
                await asyncio.sleep(0.3)

    async def press(self, shown: Interaction, label: str) -> Interaction:
        """Ann presses a button, or chooses from the menu, on Discord; the view that takes its place."""
        if label in shown.buttons:
            pressed = await self.discord.press("ann", shown.buttons[label], shown)
        else:
            pressed = await self.discord.choose("ann", label, shown)
        await pressed.answer()
        return pressed


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Both platforms and the model, on loopback."""
    async with FakeClaude() as claude, FakeDiscord() as discord, FakeSlack() as slack:
        yield World(claude, discord, slack)


async def listening(bot: BotProcess) -> None:
    """Wait until both platforms' events arrive."""
    await bot.said("discord: listening")
    await bot.said("slack: listening")


def plain(content: str) -> str:
    """What a person reads: Discord takes the backslashes away."""
    return re.sub(r"\\(.)", r"\1", content)


async def test_seen_changed_and_opened_on_discord(tmp_path: Path, world: World) -> None:
    """A memory full of markup is shown as it is, linked, edited in a form, opened to channels and closed again."""
    async with world.bot(tmp_path) as bot:
        await listening(bot)
        await world.says(MARKED)
        shown = await world.memories(lambda shown: bool(shown.menu))
        assert f"**1.** {MARKED}" in plain(shown.content)
        rest, links = re.subn(r" · \[open\]\(<https://discord\.com/channels/@me/\d+/\d+>\)", "", shown.content)
        assert links == 1
        assert re.search(r"(?<!\\)[@<\[`]", rest) is None
        opened = await world.press(shown, next(iter(shown.menu)))
        asked = await world.discord.press("ann", opened.buttons["Edit"], opened)
        form: dict[str, Any] = await until(lambda: asked.form, "no form")
        assert form["components"][0]["component"]["value"] == MARKED
        edited = await world.discord.submit("ann", "I collect coins.", opened, asked)
        assert "I collect coins." in plain(await edited.answer())
        assert "edited" in (await world.memories()).content

        general = world.discord.add_channel(world.discord.add_guild(), "general")

        async def used_in_channel() -> bool:
            answered = await world.discord.say(general, "ann", "What do I collect?")
            await world.discord.answer_to(answered, within=30)
            return "I collect coins." in briefing(world.claude.chats[-1])

        assert not await used_in_channel()
        wide = await world.press(edited, "May be used in channels")
        assert await used_in_channel()
        await world.press(wide, "Keep to where I learned it")
        assert not await used_in_channel()


async def test_paused_linked_exported_and_forgotten_across_platforms(tmp_path: Path, world: World) -> None:
    """What one account pauses, links or forgets holds for the other; and a restart keeps the buttons working."""
    slack = world.slack
    async with world.bot(tmp_path) as bot:
        await listening(bot)
        await world.says("I like tea.")
        before = await world.memories(lambda shown: bool(shown.menu))
        # A code from Discord, entered on Slack.
        offered = await world.discord.slash("ann", "link")
        code = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}", plain(await offered.answer()))
        assert code is not None
        assert offered.ephemeral
        asked = await slack.command("UANN", "link", code[0].lower(), "C0GENERAL")
        assert asked["response_type"] == "ephemeral"
        assert "the Discord account of ann (@ann)" in asked["text"]
        linked = await slack.press("UANN", asked, "Join", "C0GENERAL")
        assert linked["text"].startswith("Linked: ")
        assert (await slack.command("UBEN", "link", code[0]))["text"].startswith("That code doesn't work")
        listed = await slack.command("UANN", "memories")
        assert "I like tea." in listed["text"]
        assert would_ping(listed) == []
        # Paused on Slack, said once on Discord, and nothing said then is ever learned.
        await slack.press("UANN", listed, "Pause memory")
        first, second = await world.says("My bird is a zebrafinch."), await world.says("It sings.")
        assert (first.splitlines()[0], PAUSED in second) == (PAUSED, False)
        assert all("I like tea." not in briefing(asked) for asked in world.claude.chats[-2:])
        paused = await world.memories(lambda shown: "paused" in shown.content)
        await world.press(paused, "Resume memory")
        await world.says("I live in Porto.")
        everything = await world.memories(lambda shown: "Porto" in shown.content)
        assert "zebrafinch" not in everything.content
        assert "zebrafinch" not in json.dumps(list(world.claude.extractions))

    async with world.bot(tmp_path) as bot:
        await listening(bot)
        # A button from before the restart.
        handed = await world.press(before, "Export")
        await until(lambda: handed.files, "no file")
        (exported,) = [json.loads(content) for content in handed.files.values()]
        assert sorted(memory["text"] for memory in exported["memories"]) == ["I like tea.", "I live in Porto."]
        assert [link["account"] for link in exported["linked_accounts"]] == ["slack:T0FAKE001:UANN"]
        assert "My bird is a zebrafinch." in [turn["text"] for turn in exported["turns"]]
        assert len(exported["settings"]["memory_was_paused"]) == 1

        shown = len(slack.homes["UANN"])  # by what was changed on Slack before
        await slack.open_home("UANN")
        assert "Porto" in json.dumps(await slack.home("UANN", shown + 1))
        proposed = await slack.command("UANN", "forget")
        assert "all 2 of your linked accounts" in proposed["text"]
        done = await slack.press("UANN", proposed, "Forget everything")
        assert done["text"].startswith("Everything is forgotten: 2 things")
        assert "Porto" not in json.dumps(await slack.home("UANN", shown + 2))
        assert "remember anything" in (await world.memories()).content
        assert "zebrafinch" not in json.dumps((await asked_again(world))["messages"])


async def asked_again(world: World) -> dict[str, Any]:
    """What the model is asked when Ann writes once more."""
    await world.says("What is my bird?")
    return world.claude.chats[-1]
