"""The terminal adapter: piped input through real pipes, with a small core behind it."""

import asyncio
import io
import os
import re
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

import pytest

from adapters.terminal.adapter import NOTEBOOK, TerminalAdapter
from adapters.terminal.input import printable
from bot.events import CommandEvent, Learned, MessageEvent, PressEvent, Recalled, SubmitEvent
from bot.model import Audience, Person
from bot.ports import ReplyHandle
from bot.views import Button, File, Form, Item, Option, View
from tests.adapters.roles import AllRoles

FORGET = View(
    "Forget this?",
    (Item(1, "Likes tea", "2026-11-23, terminal"),),
    buttons=(Button("Forget", "forget:abc", danger=True), Button("Cancel", "cancel:abc")),
)


class ScriptedCore(AllRoles):
    """Answers with set snapshots, and keeps what it was handed."""

    def __init__(self, *snapshots: str, view: View = FORGET) -> None:
        self.snapshots = snapshots or ("Hello.",)
        self.view = view
        self.events: list[MessageEvent] = []
        self.commands: list[CommandEvent] = []
        self.presses: list[PressEvent] = []
        self.submits: list[SubmitEvent] = []
        self.answers: list[tuple[str, ...]] = []
        self.asked = asyncio.Event()
        self.answered = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def on_message(self, event: MessageEvent, reply: ReplyHandle, *, admitted: bool = False) -> None:
        self.events.append(event)
        self.asked.set()
        await self.gate.wait()
        async with reply.working():
            self.answers.append(await reply.stream(self._grow()))
        self.answered.set()

    async def _grow(self) -> AsyncIterator[str]:
        for snapshot in self.snapshots:
            yield snapshot

    async def on_command(self, event: CommandEvent) -> View:
        self.commands.append(event)
        return self.view

    async def on_press(self, event: PressEvent) -> View:
        self.presses.append(event)
        return View("Done.")

    async def admit(self, event: MessageEvent) -> bool:
        return True

    async def on_stop(self, event_id: str, person: Person) -> bool:
        return False

    async def open_form(self, event: PressEvent) -> Form | View:
        return Form("Edit this memory", "Memory", "Likes tea", "edit:m1")

    async def on_submit(self, event: SubmitEvent) -> View:
        self.submits.append(event)
        return View("Changed.")

    async def suggest(self, event: CommandEvent) -> list[str]:
        return []

    async def on_deleted(self, event_ids: Sequence[str]) -> None:
        raise AssertionError("nothing is deleted in a terminal")

    async def on_edited(self, event: MessageEvent) -> None:
        raise AssertionError("nothing is edited in a terminal")

    async def on_removed(self, platform: str, workspace: str, person: Person | None = None) -> None:
        raise AssertionError("nobody removes a terminal")

    async def on_returned(self, platform: str, workspace: str, person: Person | None = None) -> None:
        raise AssertionError("nobody adds a terminal")

    async def confirm(self, event_id: str) -> None:
        return None

    async def last_seen(self, platform: str) -> list[tuple[str, str, datetime]]:
        return []

    async def recently_seen(self, platform: str, hours: float) -> list[tuple[str, str, datetime]]:
        return []


def piped(data: bytes) -> TextIO:
    """A pipe that holds `data` and is closed behind it."""
    reading, writing = os.pipe()

    def write() -> None:  # more than a pipe holds waits for its reader
        with os.fdopen(writing, "wb") as end:
            end.write(data)

    threading.Thread(target=write, daemon=True).start()
    return os.fdopen(reading, "r")


async def talk(core: ScriptedCore, data: bytes, name: str = "Ann", notebook: bool = False) -> str:
    """What is printed when `data` is piped in."""
    out = io.StringIO()
    with piped(data) as stdin:
        await TerminalAdapter(core, name=name, notebook=notebook, stdin=stdin, stdout=out).run()
    return out.getvalue()


async def test_each_line_is_one_message_answered_in_order() -> None:
    """Piped lines are answered one after the other, and the input's end ends the run."""
    core = ScriptedCore("An answer.")
    printed = await talk(core, b"one\r\n\n   \ntwo\nthree")
    assert [event.text for event in core.events] == ["one", "two", "three"]
    assert printed == "An answer.\n" * 3
    assert len({event.id for event in core.events}) == 3


async def test_the_event_is_a_private_one_of_that_person() -> None:
    """A line in the terminal is a direct message of the person who was named, without white space in the user id."""
    core = ScriptedCore()
    await talk(core, b"hello\n", name="Ann  Marie")
    (event,) = core.events
    assert event.person.key == "terminal:Ann-Marie"
    assert event.name == "Ann  Marie"
    assert event.place.audience is Audience.PRIVATE
    assert event.place.recallable is None
    assert event.at.utcoffset() is not None
    assert re.fullmatch(r"terminal:[0-9a-f]{32}", event.id)
    assert re.fullmatch(r"terminal:[0-9a-f]{32}", core.answers[0][0])


@pytest.mark.parametrize("word", ["quit", "exit", "QUIT", " quit "])
async def test_quit_leaves(word: str) -> None:
    """`quit` and `exit` end the conversation; what follows is not asked."""
    core = ScriptedCore()
    await talk(core, f"one\n{word}\ntwo\n".encode())
    assert [event.text for event in core.events] == ["one"]


async def test_bytes_that_are_no_text_are_answered() -> None:
    """Invalid UTF-8, null characters and very long lines reach the core as text that can be encoded."""
    core = ScriptedCore()
    await talk(core, b"\xff\xfe caf\xe9\n" + b"a\x00b\n" + b"x" * 200_000 + b"\n")
    assert [len(event.text) for event in core.events] == [7, 3, 200_000]
    assert core.events[0].text == "�� caf�"
    for event in core.events:
        event.text.encode("utf-8")


@pytest.mark.parametrize(
    ("snapshots", "printed"),
    [
        (("Hel", "Hello", "Hello there."), "Hello there.\n"),
        (("Hello", "Goodbye."), "Hello\nGoodbye.\n"),
        (("Same", "Same"), "Same\n"),
        (("red \x1b[3", "red \x1b[31mink\x1b[0m"), "red ink\n"),
        (("bell\x07 title\x1b]0;x\x07 \x9b31mc1\r\n",), "bell title]0;x c1\n\n"),
        (("",), ""),
    ],
)
async def test_an_answer_is_printed_as_it_grows(snapshots: tuple[str, ...], printed: str) -> None:
    """Only what a snapshot adds is printed, another text on a new line, and nothing that steers the terminal."""
    assert await talk(ScriptedCore(*snapshots), b"hello\n") == printed


async def test_an_answer_that_breaks_still_ends_its_line() -> None:
    """An answer whose stream fails leaves the line ended and tells the core."""
    out = io.StringIO()

    class BreakingCore(ScriptedCore):
        async def on_message(self, event: MessageEvent, reply: ReplyHandle, *, admitted: bool = False) -> None:
            with pytest.raises(ConnectionError):
                await reply.stream(self._break())
            await reply.whisper("Sorry.")

        async def _break(self) -> AsyncIterator[str]:
            yield "Half an"
            raise ConnectionError

    with piped(b"hello\n") as stdin:
        await TerminalAdapter(BreakingCore(), name="Ann", stdin=stdin, stdout=out).run()
    assert out.getvalue() == "Half an\nSorry.\n"


async def test_memories_are_listed_and_searched() -> None:
    """`/memories words` shows the view's rows, and hands the words to the core."""
    core = ScriptedCore(view=View("I remember 1 thing:", (Item(1, "Likes \x1b[2Jtea", "2026-11-23"),), "That's all."))
    printed = await talk(core, b"/memories  green tea \n/MEMORIES\n")
    assert [(event.name, event.argument) for event in core.commands] == [("memories", "green tea"), ("memories", "")]
    assert printed == "I remember 1 thing:\n1. Likes tea  (2026-11-23)\nThat's all.\n" * 2


@pytest.mark.parametrize("line", ["1", "[1]", "forget", "Forget"])
async def test_a_button_is_pressed_by_its_number_or_label(line: str) -> None:
    """The line after a view with buttons presses the one that it names."""
    core = ScriptedCore()
    printed = await talk(core, f"/forget tea\n{line}\n".encode())
    assert "[1] Forget  [2] Cancel" in printed
    assert printed.endswith("Done.\n")
    assert [event.action for event in core.presses] == ["forget:abc"]
    assert core.events == []


async def test_a_number_that_is_no_choice_asks_again() -> None:
    """A number without a button presses nothing and leaves the choice open."""
    core = ScriptedCore()
    printed = await talk(core, b"/forget tea\n7\n2\n")
    assert "Please choose: [1] Forget  [2] Cancel" in printed
    assert [event.action for event in core.presses] == ["cancel:abc"]


async def test_writing_on_leaves_the_buttons() -> None:
    """Anything else said after a view is a message, and the view's buttons are gone."""
    core = ScriptedCore()
    await talk(core, b"/forget tea\nI changed my mind\n1\n")
    assert [event.text for event in core.events] == ["I changed my mind", "1"]
    assert core.presses == []


async def test_help_and_unknown_commands() -> None:
    """`/help` is a command, and says how to leave; an unknown one points there, and a path is a message."""
    core = ScriptedCore()
    printed = await talk(core, b"/help\n/nonsense\n/etc/hosts is empty\n")
    assert [event.name for event in core.commands] == ["help"]
    assert "quit, exit or Ctrl-D leaves." in printed
    assert "I don't know /nonsense. /help" in printed
    assert [event.text for event in core.events] == ["/etc/hosts is empty"]


@pytest.mark.parametrize("line", ["help", "Help", "?", "/", "/?"])
async def test_asking_for_help_is_no_message(line: str) -> None:
    """However a newcomer asks for help, the commands are shown and nothing is said to the bot."""
    core = ScriptedCore()
    await talk(core, f"{line}\n".encode())
    assert [event.name for event in core.commands] == ["help"]
    assert core.events == []


async def test_commands_in_words() -> None:
    """A command's bare word, or with a number, a time or quoted words, needs no slash; a sentence is a message."""
    core = ScriptedCore(view=View("Nothing."))
    await talk(core, b"memories\nforget 3\nforget since Monday\nforget about it, will you\n")
    assert [(event.name, event.argument) for event in core.commands] == [
        ("memories", ""),
        ("forget", "3"),
        ("forget", "since Monday"),
    ]
    assert [event.text for event in core.events] == ["forget about it, will you"]


async def test_each_line_is_settled_before_the_next_is_read() -> None:
    """What an answer leads to (notes that are taken) is done before the next line is answered."""
    core = ScriptedCore()
    settled: list[int] = []

    async def settle() -> None:
        settled.append(len(core.events))

    out = io.StringIO()
    with piped(b"one\ntwo\n") as stdin:
        await TerminalAdapter(core, name="Ann", settled=settle, stdin=stdin, stdout=out).run()
    assert settled == [1, 2]


async def test_notebook_mode_says_so_in_one_line() -> None:
    """Without a key, the first line tells it."""
    assert await talk(ScriptedCore(), b"", notebook=True) == f"{NOTEBOOK}\n"


async def test_notices_are_plain_lines_where_output_is_piped() -> None:
    """What the memory did is told without colours, and learning nothing isn't told at all."""
    out = io.StringIO()
    with piped(b"") as stdin:
        adapter = TerminalAdapter(ScriptedCore(), name="Ann", stdin=stdin, stdout=out)
        for notice in (Recalled("e", 3), Recalled("e", 1), Learned("u", 2), Learned("u", 1), Learned("u", 0)):
            adapter.notify(notice)
    assert out.getvalue().splitlines() == [
        "(recalled 3 memories)",
        "(recalled 1 memory)",
        "(memory updated: 2 new facts)",
        "(memory updated: 1 new fact)",
    ]


async def test_stop_finishes_the_answer_and_takes_no_more() -> None:
    """A stop while an answer is made lets it be printed; the lines behind it are left."""
    core = ScriptedCore("Whole answer.")
    core.gate.clear()
    out = io.StringIO()
    with piped(b"one\ntwo\n") as stdin:
        adapter = TerminalAdapter(core, name="Ann", stdin=stdin, stdout=out)
        running = asyncio.create_task(adapter.run())
        await core.asked.wait()
        await adapter.stop()
        core.gate.set()
        await running
    assert out.getvalue() == "Whole answer.\n"
    assert len(core.events) == 1


async def test_stop_ends_a_wait_for_input() -> None:
    """A stop ends a run that waits on a silent pipe."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "r") as stdin, os.fdopen(writing, "wb") as end:
        core = ScriptedCore()
        adapter = TerminalAdapter(core, name="Ann", stdin=stdin, stdout=io.StringIO())
        running = asyncio.create_task(adapter.run())
        end.write(b"hello\n")
        end.flush()
        await core.answered.wait()
        await adapter.stop()
        await running


async def test_a_reader_that_leaves_ends_the_run() -> None:
    """With nobody left to read the answers (`| head`), the run ends without an error and asks nothing more."""
    core = ScriptedCore("An answer.")
    reading, writing = os.pipe()
    os.close(reading)
    with piped(b"one\ntwo\nthree\n") as stdin, os.fdopen(writing, "w") as out:
        await TerminalAdapter(core, name="Ann", stdin=stdin, stdout=out).run()
    assert len(core.events) == 1


async def test_output_that_is_not_unicode_gets_replacements() -> None:
    """A terminal of another encoding shows question marks, not a traceback."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    with piped(b"hello\n") as stdin:
        await TerminalAdapter(ScriptedCore("caf\xe9"), name="Ann", stdin=stdin, stdout=out).run()
    assert raw.getvalue() == b"caf?\n"


@pytest.mark.parametrize(
    ("text", "shown"), [("\ud800lone", "���lone"), ("a\u200fb", "a\u200fb"), ("tab\tand\nline", "tab\tand\nline")]
)
def test_printable(text: str, shown: str) -> None:
    """Lone surrogates are replaced; direction marks, tabs and line ends stay."""
    assert printable(text) == shown


LIST = View(
    "I remember 1 thing about you:",
    (Item(3, "Likes tea", "2026-11-23, terminal"),),
    buttons=(Button("Edit", "edit:m1", opens_form=True),),
    menu=(Option("3. Likes tea", "open:m1"),),
    menu_label="Choose one…",
)


async def test_a_memory_is_chosen_by_its_number() -> None:
    """`#3` opens the memory that the list shows under that number; another number is told."""
    core = ScriptedCore(view=LIST)
    printed = await talk(core, b"/memories\n#9\n#3\n")
    assert "[1] Edit  (or #number to change one)" in printed
    assert "There is no #9 in this list." in printed
    assert [event.action for event in core.presses] == ["open:m1"]


async def test_links_are_written_out() -> None:
    """Where nothing can be clicked, the address of the message that taught a memory stands under it."""
    view = replace(LIST, items=(replace(LIST.items[0], link="https://acme.slack.com/archives/C1/p1"),))
    printed = await talk(ScriptedCore(view=view), b"/memories\n")
    assert "3. Likes tea  (2026-11-23, terminal)\n   https://acme.slack.com/archives/C1/p1\n" in printed


async def test_today_is_the_day_of_who_sits_here() -> None:
    """A command's time is in the machine's own time zone, so that /forget today means the day on this clock."""
    core = ScriptedCore()
    before, zone = os.environ.get("TZ"), "Pacific/Kiritimati"
    try:
        os.environ["TZ"] = zone
        time.tzset()
        await talk(core, b"/forget today\n")
    finally:
        del os.environ["TZ"]
        os.environ |= {"TZ": before} if before else {}
        time.tzset()
    assert core.commands[0].at.utcoffset() == timedelta(hours=14)


@pytest.mark.parametrize(("line", "texts"), [("Likes coffee", ["Likes coffee"]), ("", [])])
async def test_a_form_takes_the_next_line(line: str, texts: list[str]) -> None:
    """A button with a form shows what stands in it; the next line replaces that, and an empty one leaves it."""
    core = ScriptedCore(view=LIST)
    printed = await talk(core, f"/memories\nedit\n{line}\n".encode())
    assert "Memory now: Likes tea" in printed
    assert [event.text for event in core.submits] == texts
    assert ("Changed." if texts else "Nothing was changed.") in printed
    assert core.events == []


async def test_a_form_left_empty_leaves_the_choices() -> None:
    """The next line may press the button again: it is no message, to be answered and remembered."""
    core = ScriptedCore(view=LIST)
    printed = await talk(core, b"/memories\nEdit\n\nEdit\nLikes coffee\n")
    assert "Nothing was changed. [1] Edit" in printed
    assert [event.text for event in core.submits] == ["Likes coffee"]
    assert core.events == []


async def test_an_export_is_written_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A view's file is written into the current folder, readable by nobody else, and named."""
    monkeypatch.chdir(tmp_path)
    printed = await talk(ScriptedCore(view=View("Here.", file=File("memories.json", b"{}"))), b"/memories\n")
    name, content, mode = only_file(tmp_path)
    assert content == b"{}"
    assert mode & 0o077 == 0
    assert name in printed


def only_file(folder: Path) -> tuple[str, bytes, int]:
    """The name, content and mode of the one file in a folder."""
    (file,) = folder.iterdir()
    return file.name, file.read_bytes(), file.stat().st_mode
