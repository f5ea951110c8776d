"""The terminal adapter at a real pseudo-terminal: the prompt, its history, colours and signals."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

#: A conversation whose core repeats what is said, and learns from it half a second later, while the prompt is shown.
CHAT = """
import asyncio, signal, sys
from pathlib import Path
from adapters.terminal.adapter import TerminalAdapter
from bot.events import Learned, Recalled
from bot.views import Button, View

class Core:
    messages = interactions = property(lambda self: self)
    async def on_message(self, event, reply):
        terminal.notify(Recalled(event.id, 2))
        async def grow():
            yield "You said: "
            yield f"You said: {event.text}"
        await reply.stream(grow())
        asyncio.get_running_loop().call_later(0.2, terminal.notify, Learned("terminal:Ann", 1))
    async def on_command(self, event):
        return View("Forget this?", buttons=(Button("Forget", "forget:x", danger=True), Button("Cancel", "cancel:x")))
    async def on_press(self, event):
        return View(f"Pressed {event.action}.")

async def main():
    global terminal
    terminal = TerminalAdapter(Core(), name="Ann", history=Path(sys.argv[1]))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: asyncio.create_task(terminal.stop()))
    await terminal.run()
    print("left")

asyncio.run(main())
"""


#: What a prompt begins with: it asks for pasted text to be marked as such.
PROMPT = "\x1b[?2004h"


class Screen:
    """A child process behind a pseudo-terminal, and what it has written so far."""

    def __init__(self, history: Path, **env: str) -> None:
        self.master, terminal = pty.openpty()
        variables = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "TERM")}
        self.child = subprocess.Popen(
            [sys.executable, "-c", CHAT, str(history)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            cwd=ROOT,
            env={**variables, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **env},
            start_new_session=True,
        )
        os.close(terminal)
        self.raw = ""

    def wait_for(self, text: str, seconds: float = 12) -> str:
        """Read until `text` is on the screen; return what came since the last call, up to and with it."""
        deadline = time.monotonic() + seconds
        while text not in self.raw:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} never came, but {self.raw!r}"
            if select.select([self.master], [], [], left)[0]:
                try:
                    data = os.read(self.master, 65_536)
                except OSError:  # Linux' end of a pseudo-terminal
                    data = b""
                assert data, f"{text!r} never came, but {self.raw!r}"
                self.raw += data.decode("utf-8", "replace")
        seen, _, self.raw = self.raw.partition(text)
        return seen + text

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode("utf-8", "surrogateescape"))

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        os.close(self.master)


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    """A conversation in colours, whose history file is `tmp_path / "history"`."""
    screen = Screen(tmp_path / "history")
    yield screen
    screen.close()


def test_a_conversation_at_a_prompt(screen: Screen) -> None:
    """What is typed is answered, the memory's doings are told in dim lines, and Ctrl-D leaves with exit code 0."""
    screen.wait_for("/help shows the commands")
    screen.wait_for(PROMPT)
    screen.type("I like tea\r")
    screen.wait_for("\x1b[2m(recalled 2 memories)\x1b[0m")
    screen.wait_for("You said: I like tea")
    screen.wait_for(PROMPT)
    screen.wait_for("\x1b[2m(memory updated: 1 new fact)\x1b[0m")
    screen.wait_for(PROMPT)
    screen.type("\x04")
    screen.wait_for("left")
    assert screen.child.wait(20) == 0


def test_history_comes_back_and_goes_with_a_forgetting(screen: Screen, tmp_path: Path) -> None:
    """The up arrow brings back what was typed; once something is forgotten, the history no longer holds it."""
    history = tmp_path / "history"
    screen.wait_for(PROMPT)
    screen.type("my secret tea\r")
    screen.wait_for("You said: my secret tea")
    screen.wait_for(PROMPT)
    assert history.stat().st_mode & 0o077 == 0
    assert "my secret tea" in history.read_text()
    screen.type("\x1b[A\r")
    screen.wait_for("You said: my secret tea")
    screen.wait_for(PROMPT)
    screen.type("/forget tea\r")
    screen.wait_for("[1] Forget  [2] Cancel")
    screen.wait_for(PROMPT)
    screen.type("1\r")
    screen.wait_for("Pressed forget:x.")
    screen.wait_for(PROMPT)
    assert "tea" not in history.read_text()
    screen.type("\x1b[Anothing above\r")
    assert screen.wait_for("You said: nothing above")
    screen.type("quit\r")
    screen.wait_for("left")


def test_bytes_that_are_no_text_are_answered(screen: Screen, tmp_path: Path) -> None:
    """A key that sends no valid UTF-8 ends in an answer, with a history file too."""
    screen.wait_for(PROMPT)
    screen.type("caf\udce9 \r")
    screen.wait_for("You said: caf")
    screen.wait_for(PROMPT)
    screen.type("exit\r")
    screen.wait_for("left")


def test_control_c_drops_a_line_and_leaves_an_empty_one(screen: Screen) -> None:
    """Ctrl-C throws away what is typed; with nothing typed it leaves."""
    screen.wait_for(PROMPT)
    screen.type("never mind")
    screen.wait_for("mind")
    screen.type("\x03")
    screen.wait_for(PROMPT)
    screen.type("still here\r")
    screen.wait_for("You said: still here")
    screen.wait_for(PROMPT)
    screen.type("\x03")
    screen.wait_for("left")


def test_sigterm_leaves_the_prompt(screen: Screen) -> None:
    """A stop while the prompt waits ends the run in order, with exit code 0."""
    screen.wait_for(PROMPT)
    screen.child.send_signal(signal.SIGTERM)
    screen.wait_for("left")
    assert screen.child.wait(20) == 0


def test_no_color_is_honoured(tmp_path: Path) -> None:
    """With NO_COLOR set, the adapter's own lines carry no colour."""
    screen = Screen(tmp_path / "history", NO_COLOR="1")
    try:
        screen.wait_for(PROMPT)
        screen.type("hello\r")
        seen = screen.wait_for("You said: hello")
        assert "(recalled 2 memories)" in seen
        assert not re.search(r"\x1b\[2m", seen)
    finally:
        screen.close()
