"""Reads the terminal adapter's lines from a prompt or a pipe, and makes text safe to print."""

import asyncio
import logging
import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from prompt_toolkit.history import History

log = logging.getLogger(__name__)

_CHUNK = 65_536

# Also matches a sequence cut off at the end of the text, so that an answer's next snapshot still begins with this one.
_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*(?:[@-~]|\Z)|\x9b[0-?]*[ -/]*(?:[@-~]|\Z)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Text from outside without escape sequences and control characters, which a terminal would interpret."""
    text = _CONTROL.sub("", _SEQUENCE.sub("", text))
    return unicode(text)


def unicode(text: str) -> str:
    """Text that can be encoded as UTF-8, with a replacement character for invalid bytes or surrogates."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


class Input(Protocol):
    """Where lines come from."""

    async def line(self) -> str | None:
        """The next line without its line ending; None at the end."""
        ...

    def close(self) -> None:
        """Make a pending `line` return None."""
        ...

    def forget(self) -> None:
        """Erase the input history."""
        ...


class Pipe:
    """Lines from a pipe or a file.

    Read in daemon threads, directly from the descriptor: a read that never returns must not hold up the exit, neither
    as a thread to be joined nor by holding `sys.stdin`'s lock.
    """

    def __init__(self, stdin: TextIO) -> None:
        # A duplicate descriptor, left open, so that a late read never hits another file under the same number.
        self._fd = os.dup(stdin.fileno())
        self._rest = bytearray()
        self._ended = False
        self._reading: asyncio.Future[bytes] | None = None

    async def line(self) -> str | None:
        while (end := self._rest.find(b"\n")) < 0 and not self._ended:
            chunk = await self._read()
            self._rest += chunk
            self._ended = self._ended or not chunk
        if end < 0 and not self._rest:
            return None
        raw = self._rest[: end if end >= 0 else None].decode("utf-8", "replace")
        del self._rest[: end + 1 if end >= 0 else None]
        return raw.removesuffix("\r")

    async def _read(self) -> bytes:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bytes] = loop.create_future()
        self._reading = future

        def deliver(chunk: bytes) -> None:
            if not future.done():
                future.set_result(chunk)

        def read() -> None:
            try:
                chunk = os.read(self._fd, _CHUNK)
            except OSError as exc:
                log.warning("standard input can't be read: %s", type(exc).__name__)
                chunk = b""
            try:
                loop.call_soon_threadsafe(deliver, chunk)
            except RuntimeError:  # the loop is closed: there is no reader any more
                log.debug("input after the end was dropped")

        threading.Thread(target=read, name="terminal-input", daemon=True).start()
        return await future

    def close(self) -> None:
        self._ended = True
        self._rest.clear()
        if self._reading is not None and not self._reading.done():
            self._reading.set_result(b"")

    def forget(self) -> None:
        """Pipes have no history."""


class Keyboard:
    """Lines typed at a prompt, with history and line editing."""

    def __init__(self, history: Path | None) -> None:
        # Imported lazily: it takes a tenth of a second, and platforms and pipes don't need it.
        from prompt_toolkit import PromptSession

        self._path = history
        self._closed = False
        self._session: PromptSession[str] = PromptSession(history=self._history())

    def _history(self) -> "History":
        from prompt_toolkit.history import FileHistory, InMemoryHistory

        if self._path is None:
            return InMemoryHistory()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch(mode=0o600)

        class _File(FileHistory):
            def store_string(self, string: str) -> None:
                super().store_string(unicode(string))

        return _File(self._path)

    async def line(self) -> str | None:
        from prompt_toolkit.patch_stdout import patch_stdout

        try:
            # Writes notices and log lines above the prompt.
            with patch_stdout(raw=True):
                return await self._session.prompt_async("> ", handle_sigint=False, pre_run=self._leave)
        except KeyboardInterrupt:
            # Ctrl-C discards what was typed; on an empty line it quits.
            return "" if self._session.default_buffer.text else None
        except EOFError:
            return None

    def close(self) -> None:
        self._closed = True
        if self._session.app.is_running:
            self._leave()

    def _leave(self) -> None:
        if self._closed:
            self._session.app.exit(exception=EOFError)

    def forget(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self._session.history = self._session.default_buffer.history = self._history()
        self._session.default_buffer.reset()
