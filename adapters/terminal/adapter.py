"""The terminal: a prompt with history when typed at, one message per line when input is piped."""

import logging
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from adapters.terminal.input import Input, Keyboard, Pipe, printable, unicode
from bot.commands.spoken import command
from bot.events import CommandEvent, Learned, MessageEvent, PressEvent, Recalled, SubmitEvent
from bot.model import Attachment, Audience, Nearby, Person, Place
from bot.ports import CannotOpen, Core
from bot.views import Button, File, Foot, Form, View

log = logging.getLogger(__name__)

NOTEBOOK = "Notebook mode: no ANTHROPIC_API_KEY is set, so I keep what you tell me and answer by reading it back."
WELCOME = "Talk to me. /help shows the commands, quit leaves."
LEAVING = "quit, exit or Ctrl-D leaves."

_COMMAND = re.compile(r"/([a-z]+)(?!\S)", re.IGNORECASE)
#: Other ways to ask for help.
_HELP = ("/", "?", "/?")
_QUIT = ("quit", "exit", "/quit", "/exit")
_CHOICE = re.compile(r"\[?(\d{1,3})\]?")
_ITEM = re.compile(r"#(\d{1,6})")


class _Answer:
    """Prints the answer to one message as it grows (`bot.ports.ReplyHandle`)."""

    def __init__(
        self, write: Callable[[str], None], below: Callable[[Foot], None], show: Callable[[View], None]
    ) -> None:
        self._write = write
        self._below = below
        self._show = show

    def working(self) -> AbstractAsyncContextManager[None]:
        """Show nothing: the answer's first words arrive soon enough."""
        return nullcontext()

    async def stream(self, snapshots: AsyncIterator[str]) -> tuple[str, ...]:
        """Print what each snapshot adds; one that replaces the text starts on a new line."""
        printed = ""
        try:
            async for snapshot in snapshots:
                text = printable(snapshot)
                if text.startswith(printed):
                    self._write(text[len(printed) :])
                else:
                    self._write(f"\n{text}")
                printed = text
        finally:
            if printed:
                self._write("\n")
        return (f"terminal:{uuid4().hex}",) if printed else ()

    async def found(self) -> None:
        """Nothing: what an earlier process printed can't be found."""
        return

    @property
    def begun(self) -> bool:
        """No: what an answer that failed has printed stays as it is."""
        return False

    async def around(self, limit: int) -> list[Nearby]:
        """Nobody else writes here."""
        return []

    async def withdraw(self) -> None:
        """Nothing: what is printed stays."""

    async def below(self, message_ids: Sequence[str], foot: Foot) -> None:
        """Print the line, and what can be chosen."""
        self._below(foot)

    async def show(self, view: View) -> None:
        """Print a view."""
        self._show(view)

    async def open(self, file: Attachment, limit: int) -> bytes:
        """Nothing comes with what is typed."""
        raise CannotOpen

    async def whisper(self, text: str) -> None:
        """Print one sentence on its own line."""
        self._write(f"{printable(text)}\n")


class TerminalAdapter:
    """A conversation on standard input and output, with one person. `run` returns at the input's end, or on `quit`."""

    name = "terminal"

    def __init__(
        self,
        core: Core,
        *,
        name: str,
        notebook: bool = False,
        settled: Callable[[], Awaitable[None]] | None = None,
        history: Path | None = None,
        stdin: TextIO | None = None,
        stdout: TextIO | None = None,
    ) -> None:
        """Talk with the person `name`; `notebook` announces the mode that needs no key.

        `settled` is awaited after each answer, before the next line is read.
        `history` is a file to keep typed lines in (erased whenever something is forgotten); None keeps them in memory.
        """
        self._core = core
        self._name = name
        # mem0's user ids have no white space.
        self._person = Person("terminal", "", "-".join(name.split()) or "me")
        self._place = Place("terminal", "", self._person.user, None, Audience.PRIVATE, "terminal")
        self._notebook = notebook
        self._settled = settled or _nothing
        self._history = history
        self._stdin = stdin or sys.stdin
        self._stdout = stdout
        self._typed = self._stdin.isatty()
        self._coloured = (
            self._typed and self._out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )
        self._choices: tuple[Button, ...] = ()
        self._menu: dict[int, str] = {}
        self._form: Form | None = None
        self._input: Input | None = None
        self._stopping = False

    async def run(self) -> None:
        """Answer line after line, in order, until the input ends, somebody quits or `stop` is called."""
        if self._stopping:
            return
        self._input = Keyboard(self._history) if self._typed else Pipe(self._stdin)
        if self._notebook:
            self._aside(NOTEBOOK)
        if self._typed:
            self._aside(WELCOME)
        while not self._stopping and (line := await self._input.line()) is not None:
            if line.strip().casefold() in _QUIT:
                break
            await self._handle(line)

    async def stop(self) -> None:
        """Read no further line; `run` finishes the answer in progress."""
        self._stopping = True
        if self._input is not None:
            self._input.close()

    def notify(self, notice: Recalled | Learned) -> None:
        """Print what the memory did, dimmed; nothing if it learned nothing new."""
        if isinstance(notice, Recalled):
            self._aside(f"(recalled {_count(notice.count, 'memory', 'memories')})")
        elif notice.facts:
            self._aside(f"(memory updated: {_count(notice.facts, 'new fact', 'new facts')})")

    async def _handle(self, line: str) -> None:
        text = unicode(line).strip()
        if self._form is not None:
            await self._submit(self._form, text)
            return
        if not text:
            return
        if await self._choose(text) or await self._press(text):
            return
        self._choices, self._menu = (), {}
        now = _now()
        given = command("/help" if text in _HELP else text, now)
        if given is not None:
            event = CommandEvent(self._person, self._place, given.name, given.argument, now, self._name)
            self._show(await self._core.interactions.on_command(event))
            if given.name == "help":
                self._aside(LEAVING)
        elif unknown := _COMMAND.match(text):
            self._write(f"I don't know /{unknown[1].lower()}. /help shows what there is.\n")
        else:
            await self._say(text)

    async def _say(self, text: str) -> None:
        event = MessageEvent(f"terminal:{uuid4().hex}", self._person, self._place, text, self._name, _now())
        await self._core.messages.on_message(event, _Answer(self._write, self._below, self._show))
        await self._settled()

    async def _choose(self, text: str) -> bool:
        """Open the listed memory that a line names as `#number`; False if the line is something else."""
        if not self._menu or (named := _ITEM.fullmatch(text)) is None:
            return False
        action = self._menu.get(int(named[1]))
        if action is None:
            self._write(f"There is no {text} in this list.\n")
        else:
            self._show(await self._core.interactions.on_press(self._pressed(action)))
        return True

    async def _press(self, text: str) -> bool:
        """Press the button that a line names by number or label; False if the line is something else."""
        if not self._choices:
            return False
        button = next((button for button in self._choices if button.label.casefold() == text.casefold()), None)
        if button is None and (number := _CHOICE.fullmatch(text)):
            index = int(number[1]) - 1
            if not 0 <= index < len(self._choices):
                self._write(f"Please choose: {_choices(self._choices)}\n")
                return True
            button = self._choices[index]
        if button is None:
            return False
        event = self._pressed(button.action)
        if button.opens_form:
            asked = await self._core.interactions.open_form(event)
            if isinstance(asked, Form):
                # Keep the choices in case nothing is filled in.
                self._form = asked
                now = f" now: {printable(asked.value)}" if asked.value else ""
                self._write(f"{printable(asked.title)}. {printable(asked.label)}{now}\n")
                self._write("Type it on one line, or leave the line empty to change nothing.\n")
                return True
            self._show(asked)
            return True
        self._choices, self._menu = (), {}
        self._show(await self._core.interactions.on_press(event))
        if button.danger and self._input is not None:
            self._input.forget()
        return True

    async def _submit(self, form: Form, text: str) -> None:
        self._form = None
        if not text:
            self._write(f"Nothing was changed. {_choices(self._choices)}\n")
            return
        self._show(
            await self._core.interactions.on_submit(SubmitEvent(self._person, self._place, form.action, text, _now()))
        )

    def _pressed(self, action: str) -> PressEvent:
        return PressEvent(self._person, self._place, action, _now())

    def _below(self, foot: Foot) -> None:
        self._choices, self._menu = (*self._choices, *foot.buttons), {}
        if foot.line:
            self._aside(printable(foot.line))
        if foot.buttons:
            self._write(f"{_choices(self._choices)}\n")

    def _show(self, view: View) -> None:
        self._write("".join(f"{printable(line)}\n" for line in view.lines(links=True)))
        self._choices = view.buttons
        self._menu = {item.number: option.action for item, option in zip(view.items, view.menu, strict=False)}
        if view.buttons:
            hint = "  (or #number to change one)" if self._menu else ""
            self._write(f"{_choices(view.buttons)}{hint}\n")
        if view.file is not None:
            self._save(view.file)

    def _save(self, file: File) -> None:
        """Save a file in the current folder, readable by its owner alone, without overwriting any."""
        try:
            with tempfile.NamedTemporaryFile("wb", prefix="memories-", suffix=".json", dir=".", delete=False) as saved:
                saved.write(file.content)
        except OSError as exc:
            log.warning("the file could not be written: %s", type(exc).__name__)
            self._write("The file could not be written into the current folder.\n")
        else:
            self._write(f"Written to {Path(saved.name).name}\n")

    def _aside(self, text: str) -> None:
        self._write(f"\x1b[2m{text}\x1b[0m\n" if self._coloured else f"{text}\n")

    @property
    def _out(self) -> TextIO:
        # Looked up each time: while a prompt is shown, `sys.stdout` is patched to write above it.
        return self._stdout or sys.stdout

    def _write(self, text: str) -> None:
        out = self._out
        encoding = getattr(out, "encoding", None) or "utf-8"
        try:
            out.write(text.encode(encoding, "replace").decode(encoding))
            out.flush()
        except BrokenPipeError:
            # The reader of our output has gone: finish recording the current answer, then stop.
            log.info("standard output is closed")
            self._stopping = True
            # Python flushes once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def _choices(buttons: Sequence[Button]) -> str:
    return "  ".join(f"[{number}] {printable(button.label)}" for number, button in enumerate(buttons, 1))


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


async def _nothing() -> None:
    """Do nothing."""


def _now() -> datetime:
    """The present in this machine's own time zone: "today" is the local one."""
    return datetime.now(UTC).astimezone()
