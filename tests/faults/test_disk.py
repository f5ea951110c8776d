"""A disk that is full, and a folder that can't be written: a clear error, nothing corrupted, and on it goes after."""

import contextlib
import errno
import os
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.core import SORRY
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
    """Who writes meanwhile is told that it went wrong; once there is room again, all goes on, and nothing is lost."""
    async with BotProcess(tmp_path, world.env) as bot:
        await bot.said("memory is ready")
        before = await world.ask_all("ann")
        await world.answered()
        filler = fill(disk)
        # What SQLite's log has room for is still taken in.
        refused: list[str] = []
        for _ in range(20):
            (tag,) = await world.ask_all("bob")
            await until(lambda tag=tag: not world.wrong([tag]) or bool(world.others()), 20)  # type: ignore[misc]
            if world.others():
                refused.append(tag)
                break
        assert world.others() == [SORRY]
        assert any("SQLITE_FULL" in line for line in bot.log), bot.log[-5:]
        filler.unlink()
        after = await world.ask_all("ann")
        await world.answered([*before, *after])
        await until(lambda: not any(left(stored(tmp_path)).values()), 40)
    assert sound(disk)
    for tag in refused:
        del world.asked[tag]
    assert world.wrong() == {}
    assert await learned_once(world, stored(tmp_path)) == []


async def test_the_disk_fills_while_claude_thinks(tmp_path: Path, disk: Path, world: World) -> None:
    """The answer is shown, once and without a complaint; it is written down and learned once there is room."""

    async def think(request: Request, reply: Reply) -> Reply:
        return replace(reply, delay=2)

    world.model.chat = think
    async with BotProcess(tmp_path, world.env) as bot:
        await bot.said("memory is ready")
        await world.ask_all(words=1500)
        await world.claude.busy(1)
        filler = fill(disk)
        await world.answered()
        await bot.said("SQLITE_FULL")
        filler.unlink()
        await until(lambda: not any(left(stored(tmp_path)).values()), 40)
    assert sound(disk)
    assert world.wrong() == {}
    assert world.others() == []
    assert len(world.claude.chats) == 1
    assert await learned_once(world, stored(tmp_path)) == []


async def test_a_start_on_a_full_disk(tmp_path: Path, disk: Path, world: World) -> None:
    """It ends with one line that names the folder's variable, and starts once there is room."""
    filler = fill(disk)
    bot = BotProcess(tmp_path, world.env)
    await bot.start()
    assert await bot.wait() == 2
    assert bot.log[-1].startswith("error: BOT_DATA_DIR: "), bot.log
    filler.unlink()
    async with BotProcess(tmp_path, world.env) as bot:
        await bot.said("discord: listening")
        await world.ask_all()
        await world.answered()


async def test_a_read_only_folder(tmp_path: Path, disk: Path, world: World) -> None:
    """It ends with one line that names the folder's variable; what is there stays as it is."""
    async with BotProcess(tmp_path, world.env) as bot:
        await bot.said("discord: listening")
        await world.ask_all()
        await world.answered()
        await until(lambda: not any(left(stored(tmp_path)).values()), 40)
    remount(disk, "ro")
    with pytest.raises(OSError, match=os.strerror(errno.EROFS)):
        (disk / "new").touch()
    bot = BotProcess(tmp_path, world.env)
    await bot.start()
    assert await bot.wait() == 2
    assert bot.log[-1].startswith("error: BOT_DATA_DIR: "), bot.log
    remount(disk, "rw")
    async with BotProcess(tmp_path, world.env) as bot:
        await bot.said("discord: listening")
        await world.ask_all()
        await world.answered()
    assert sound(disk)
