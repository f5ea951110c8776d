"""The bots that the load benchmark compares, each as a child process that is measured from outside."""

import asyncio
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
#: Seconds: between two looks at the resident memory, and for an orderly end.
LOOK = 0.1
END = 15.0


@dataclass(frozen=True)
class Bot:
    """One of those compared. `facts` counts in its data folder what it has learned; None where it learns nothing."""

    name: str
    module: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    facts: Callable[[Path], int] | None = None


def _count(path: Path, statement: str) -> int:
    """The number that a statement finds in an SQLite file; -1 while the file can't be read."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0.05)) as connection:
            return int(connection.execute(statement).fetchone()[0])
    except sqlite3.Error:
        return -1


def _ours(folder: Path) -> int:
    return _count(folder / "bot.db", "SELECT count(*) FROM memories")


def _naive(folder: Path) -> int:
    return _count(folder / "qdrant" / "collection" / "mem0" / "storage.sqlite", "SELECT count(*) FROM points")


BOTS = {
    "ours": Bot("this bot", ("bot",), facts=_ours),
    "off": Bot("memory off", ("bot",), {"BOT_MEMORY": "false"}),
    "aloof": Bot("contexts off", ("bot",), {"BOT_CONTEXT_MESSAGES": "0"}, facts=_ours),
    "floor": Bot("floor", ("tests.benchmarks.load_floor", "PLATFORM")),
    "naive": Bot("naive mem0", ("tests.benchmarks.load_naive", "PLATFORM"), facts=_naive),
}


class Child:
    """A bot's process, in a session of its own, so that whatever it starts ends with it."""

    def __init__(self, bot: Bot, folder: Path, settings: Mapping[str, str], platform: str, under: str = "") -> None:
        """`under` is a command (a profiler, say) to run it under."""
        self.data = folder / "data"
        self._folder = folder
        module = [platform if word == "PLATFORM" else word for word in bot.module]
        self._command = [*under.split(), sys.executable, "-m", *module]
        self._settings = {**settings, **bot.settings}
        self._process: asyncio.subprocess.Process | None = None
        self._looker: asyncio.Task[None] | None = None
        self.spawned = 0.0
        self.peak = 0

    async def __aenter__(self) -> "Child":
        home = self._folder / "home"
        home.mkdir(parents=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "BOT_DATA_DIR": str(self.data),
            "BOT_MESSAGES_PER_MINUTE": "0",
            **self._settings,
        }
        self.spawned = time.perf_counter()
        with (self._folder / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, cwd=home, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self._looker = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        if self._looker:
            self._looker.cancel()
        with suppress(psutil.Error):
            # The bot itself, which is the last of them: a profiler around it ends with it.
            self._family()[-1].send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), END)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    def log(self) -> str:
        """The end of what it printed."""
        return (self._folder / "log").read_text(errors="replace")[-2000:]

    def check(self) -> None:
        """Raise RuntimeError, with the end of what it printed, where it has ended."""
        assert self._process is not None
        if self._process.returncode is not None:
            raise RuntimeError(f"the bot ended with {self._process.returncode}:\n{self.log()}")

    def cpu(self) -> float:
        """Processor seconds so far, its children's included."""
        return sum(sum(times[:4]) for times in (process.cpu_times() for process in self._family()))

    def _family(self) -> list[psutil.Process]:
        assert self._process is not None
        one = psutil.Process(self._process.pid)
        return [one, *one.children(recursive=True)]

    async def _look(self) -> None:
        while True:
            with suppress(psutil.Error):
                self.peak = max(self.peak, sum(process.memory_info().rss for process in self._family()))
            await asyncio.sleep(LOOK)
