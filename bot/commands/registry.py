"""The commands: what every platform offers, what `/help` lists, and what runs them.

A new command is an entry here, the function it runs, and an entry in `slack-manifest.yaml`, where Slack requires it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bot.commands import help
from bot.events import CommandEvent
from bot.views import View

if TYPE_CHECKING:
    from bot.commands.handler import Commands

Run = Callable[["Commands", CommandEvent, str], Awaitable[View]]


@dataclass(frozen=True, slots=True)
class Argument:
    """A command's argument, which is always optional.

    Attributes:
        name: The name of its field on Discord.
        hint: How Slack and `/help` show it.
        description: Discord's description of it, at most 100 characters.
        kind: `code` is a code for `/link`; `words` may also be a number, quoted words or a time; `switch` is `on`
            or `off`.
        suggested: Whether the caller's memories are suggested while they type.
    """

    name: str
    hint: str
    description: str
    kind: Literal["words", "code", "switch"] = "words"
    suggested: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: Without the slash, lower case.
        summary: What it does, in at most 100 characters (Discord's limit).
        argument: Its argument, None if it takes none.
        run: Answers it, given the handler, the event and the argument on one line.
        named: Whether the caller's name is needed.
    """

    name: str
    summary: str
    argument: Argument | None
    run: Run
    named: bool = False

    @property
    def usage(self) -> str:
        """How the command is typed, such as `/memories [search]`."""
        return f"/{self.name} {self.argument.hint}" if self.argument else f"/{self.name}"


COMMANDS: tuple[Command, ...] = (
    Command(
        "memories",
        "See what I remember about you. Only you see the answer.",
        Argument("search", "[search]", "Only memories that hold these words"),
        lambda commands, event, words: commands.list_memories(event, words),
    ),
    Command(
        "forget",
        "Make me forget something, or everything, about you.",
        Argument(
            "what",
            "[number, words or time]",
            "Words, a number from /memories, or a time such as since Monday; empty: everything",
            suggested=True,
        ),
        lambda commands, event, words: commands.forgetting.propose(event, words),
    ),
    Command(
        "private",
        "Keep this conversation off the record, so that I learn nothing from it; or end that.",
        Argument("state", "[on or off]", "on or off; empty switches to the other", kind="switch"),
        lambda commands, event, words: commands.private.run(event, words),
    ),
    Command(
        "link",
        "Share my memory of you with your account on the other platform.",
        Argument(
            "code",
            "[code from the other platform]",
            "The code that I showed you there; leave it empty to get one",
            kind="code",
        ),
        lambda commands, event, code: commands.linking.link(event, code),
        named=True,
    ),
    Command(
        "unlink",
        "Part this account from those it is linked with.",
        None,
        lambda commands, event, _: commands.linking.unlink(event.person),
    ),
    Command(
        "help",
        "See what I can do here, what I keep, and my commands. Only you see the answer.",
        None,
        lambda commands, event, _: help.show(event, COMMANDS, commands.kept),
    ),
)
#: What a person's own page shows where a platform has one (Slack's App Home); nobody types it.
HOME = "home"
BY_NAME = {command.name: command for command in COMMANDS}
