"""A disk that is full, and a folder that can't be written: a clear error, nothing corrupted, and on it goes after."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.discord.answer import CURSOR
from bot.core.retries import SORRY
from tests.fakes.claude import Reply, Request
from tests.faults.memories import learned_once, left, stored
from tests.faults.world import DiscordSide, World
from tests.makers import until
from tests.whole.process import BotProcess

SIZE = 6 * 2**20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes, where the bot's data folder is going to be."""
    folder = tmp_path / "data"
    folder.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("a small disk takes root and mount(8)")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Discord alone."""
    async with World(DiscordSide()) as world:
        yield world


def fill(folder: Path) -> Path:
    """Leave no byte free; return the file to delete."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    return filler


def remount(folder: Path, how: str) -> None:
    """Make the disk read-only (`ro`), or writable again (`rw`)."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def sound(folder: Path) -> bool:
    """Whether the database is in order."""
    with contextlib.closing(sqlite3.connect(folder / "bot.db")) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))


async def test_the_disk_is_full(tmp_path: Path, disk: Path, world: World) -> None:
    """Who writes meanwhile is told that it went wrong; once there is room again, all goes on, and nothing is lost.

    An answer under way is shown all the same, once and without a complaint, and written down later.
    """

    async def think(request: Request, reply: Reply) -> Reply:
        return replace(reply, delay=2)

    world.model.chat = think
    async with BotProcess(tmp_path, world.env) as bot:
        await bot.said("memory is ready")
        await world.ask_all("ann", words=1500)
        await asyncio.wait_for(world.claude.busy(1), 20)
        filler = fill(disk)
        await world.answered()
        await bot.said("SQLITE_FULL")  # what it took can't be recorded, while the end of it is still being shown
        await until(lambda: not any(text.endswith(CURSOR) for text in world.others()), 20)
        assert world.others() == []
        world.model.chat = None
        # What SQLite's log has room for is still taken in.
        for _ in range(20):
            (tag,) = await world.ask_all("bob")
            # A message that can't be written down is held for half a minute before its person is told.
            await until(lambda tag=tag: not world.wrong([tag]) or bool(world.others()), 45)  # type: ignore[misc]
            if world.others():
                break
        assert world.others() == [SORRY]
        del world.asked[tag]
        filler.unlink()
        await world.ask_all("ann")
        await world.answered()
        await until(lambda: not any(left(stored(tmp_path)).values()), 40)
    assert sound(disk)
    assert world.wrong() == {}
    assert world.others() == [SORRY]
    assert len(world.claude.chats) == len(world.asked), "no question was asked twice"
    assert await learned_once(world, stored(tmp_path)) == []


async def test_nothing_can_be_written_at_the_start(tmp_path: Path, disk: Path, world: World) -> None:
    """On a full disk, and in a read-only folder, the start ends with one line; after it, all is as it was."""
    filler = fill(disk)
    await refuses(tmp_path, world)
    filler.unlink()
    async with BotProcess(tmp_path, world.env) as bot:
        await bot.said("discord: listening")
        await world.ask_all("ann")
        await world.answered()
    remount(disk, "ro")
    await refuses(tmp_path, world)
    remount(disk, "rw")
    async with BotProcess(tmp_path, world.env) as bot:
        await bot.said("discord: listening")
        await world.ask_all("bob")
        await world.answered()
        await until(lambda: not any(left(stored(tmp_path)).values()), 40)
    assert sound(disk)
    assert await learned_once(world, stored(tmp_path)) == []


async def refuses(folder: Path, world: World) -> None:
    """A start ends with exit code 2 and one line that names the folder's variable."""
    bot = await world.start(folder)
    assert await bot.wait() == 2
    assert bot.log[-1].startswith("error: BOT_DATA_DIR: "), bot.log
