"""The registry of commands: what each platform is told of them, and what their buttons do."""

import re
from pathlib import Path

import pytest

from bot import actions
from bot.actions import Decide, Export, Handle, Page, Record, Search, Switch
from bot.commands.registry import BY_NAME, COMMANDS
from bot.events import CommandEvent
from tests.makers import ANN, DM, GENERAL, MONDAY
from tests.parts import make_commands
from tests.stub_journal import StubJournal
from tests.stubs import StubMemory

MANIFEST = Path(__file__).parents[2] / "slack-manifest.yaml"
_ENTRY = re.compile(r"- command: /(\w+)\n +description: (.+)\n(?: +usage_hint: \"(.+)\"\n)? +should_escape: false\n")


def test_slacks_manifest_names_the_same() -> None:
    """Slack's commands, their summaries and hints are the registry's, in its order."""
    written = _ENTRY.findall(MANIFEST.read_text(encoding="utf-8"))
    assert written == [
        (command.name, command.summary, command.argument.hint if command.argument else "") for command in COMMANDS
    ]


def test_discord_takes_them() -> None:
    """Names and descriptions are within Discord's limits."""
    assert len(BY_NAME) == len(COMMANDS)
    for command in COMMANDS:
        assert re.fullmatch(r"[a-z]{1,32}", command.name)
        assert 1 <= len(command.summary) <= 100
        if command.argument is not None:
            assert re.fullmatch(r"[a-z]{1,32}", command.argument.name)
            assert 1 <= len(command.argument.description) <= 100


@pytest.mark.parametrize(
    "action",
    [
        Page(),
        Page(3, "tea: green"),
        Search(),
        Switch("pause"),
        Switch("resume"),
        Export(),
        Record("off"),
        Record("on"),
        Decide("forget", "t0k-_en"),
        Decide("part", "t0k-_en"),
        Handle("edit", "0b5e", "tea"),
        Handle("back", "0b5e"),
    ],
)
def test_an_action_is_read_as_it_was_written(action: actions.Action) -> None:
    """What a button was given comes back as the same value."""
    assert actions.parse(str(action)) == action
    assert len(str(action)) <= actions.LIMIT


@pytest.mark.parametrize("written", ["", ":", "nonsense", "nonsense:1", "PAGE:1:"])
def test_what_is_no_action_is_none(written: str) -> None:
    """Actions come from outside: what is none of ours does nothing."""
    assert actions.parse(written) is None


def test_a_search_that_is_too_long_is_left_out() -> None:
    """An action stays within what platforms take; the list is then shown from its beginning."""
    assert str(Handle("open", "0b5e", "x" * 45)) == "open:0b5e:"
    assert actions.parse("page:99999999999:tea") == Page(1, "tea")


@pytest.mark.parametrize(("place", "promised"), [(DM, "with you alone"), (GENERAL, "public channel")])
async def test_help_says_what_it_does_here(place: object, promised: str) -> None:
    """`/help` lists every command, what is kept, and where what is said here is used."""
    journal = StubJournal()
    commands = make_commands(journal, StubMemory(), kept="Kept for a day.")
    view = await commands.run(CommandEvent(ANN, place, "help", "", MONDAY))  # type: ignore[arg-type]
    lines = list(view.lines())
    assert view.footer == "Kept for a day."
    assert promised in " ".join(lines)
    for command in COMMANDS:
        assert any(line.startswith(f"• {command.usage}: ") for line in lines)


async def test_an_unknown_command_is_told_which_there_are() -> None:
    """The sentence names the registry's."""
    journal = StubJournal()
    commands = make_commands(journal, StubMemory())
    view = await commands.run(CommandEvent(ANN, DM, "nonsense", "", MONDAY))
    assert view.title == "I don't know /nonsense. I know /memories, /forget, /private, /link, /unlink and /help."
