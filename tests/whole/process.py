"""The bot as a child process: the very command that people run, in an empty folder, with an environment of its own."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.makers import until

ROOT = Path(__file__).resolve().parents[2]


class BotProcess:
    """`python -m bot` with settings; standard output and error are kept as lines.

    Use as `async with BotProcess(folder, settings) as bot`: it is stopped by SIGTERM at the end, and must exit 0.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str], arguments: Sequence[str] = (), *, module: str = "bot"
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._arguments = arguments
        self._module = module
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self.out: list[str] = []
        self.log: list[str] = []

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The child; it has been started."""
        assert self._process is not None
        return self._process

    async def start(self, *, stdin: int = PIPE, stdout: int = PIPE) -> None:
        """Start the child; on these file descriptors, if given."""
        home = self._folder / "home"
        home.mkdir(exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "BOT_DATA_DIR": str(self._folder / "data"),
            # People in tests write faster than anybody would.
            "BOT_MESSAGES_PER_MINUTE": "0",
            # Where coverage measures the tests, it measures the bot as well.
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_PROCESS_")},
            **self._settings,
        }
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            self._module,
            *self._arguments,
            cwd=home,
            env=environment,
            stdin=stdin,
            stdout=stdout,
            stderr=PIPE,
        )
        pairs = ((self._process.stdout, self.out), (self._process.stderr, self.log))
        self._readers = [asyncio.create_task(self._read(stream, into)) for stream, into in pairs if stream is not None]

    @staticmethod
    async def _read(stream: asyncio.StreamReader, into: list[str]) -> None:
        async for line in stream:
            into.append(line.decode(errors="replace").rstrip("\n"))

    async def said(self, words: str, seconds: float = 30) -> None:
        """Wait until the log holds a line with `words`; where the child ends first, fail with what it said."""

        def holds() -> bool:
            assert self.process.returncode is None, f"the bot ended: {self.log[-20:]}"
            return any(words in line for line in self.log)

        await until(holds, seconds)

    async def end(self, number: int = signal.SIGTERM, seconds: float = 30) -> int:
        """Send a signal where the child still runs; return its exit code, once all it printed is read."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.wait(seconds)

    async def wait(self, seconds: float = 30) -> int:
        """Wait for the child to end by itself; return its exit code, once all it printed is read."""
        async with asyncio.timeout(seconds):
            code = await self.process.wait()
            await asyncio.gather(*self._readers)
        return code

    async def talk(self, lines: str, seconds: float = 60) -> int:
        """Give the child this standard input to its end; return its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.write(lines.encode())
        self.process.stdin.close()
        return await self.wait(seconds)

    async def __aenter__(self) -> "BotProcess":
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        code = await self.end(signal.SIGTERM if kind is None else signal.SIGKILL)
        if kind is None:
            assert code == 0, f"exit code {code}: {self.log[-20:]}"
            assert not any("Traceback" in line for line in self.log), self.log
