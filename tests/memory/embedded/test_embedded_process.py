"""Embedded memory as a process of its own: what it writes where, whom it connects to, and what it weighs."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.claude import FakeClaude

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]

CHILD = """
import asyncio, json, os, sys
from pathlib import Path

reached, written = set(), set()

def watch(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple):
        reached.add(str(args[1][0]))
    elif event == "socket.getaddrinfo":
        reached.add(str(args[0]))
    elif event == "open" and isinstance(args[0], (str, bytes)) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        written.add(os.path.realpath(os.fsdecode(args[0])))
    elif event in ("os.mkdir", "sqlite3.connect"):
        written.add(os.path.realpath(os.fsdecode(args[0])))

sys.addaudithook(watch)
sys.modules["uvloop"] = None  # its connections raise no audit events

from tests.stubs import StubSpending
from bot.config import Settings
from bot.memory.embedded.opening import open_embedded
from tests.memory.embedding import MONDAY, Waiting, exchange

async def main():
    memory = open_embedded(Settings(_env_file=None), Waiting().commit, StubSpending())
    await memory.learn([exchange(1, "I live in Porto.")])
    found = await memory.recall("discord:1", None, "Where do I live?", [], MONDAY)
    await memory.forget_all("discord:1")
    resident = int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    await memory.close()
    print(json.dumps([[memory.text for memory in found], sorted(reached), sorted(written), resident]))

asyncio.run(main())
"""


async def child(home: Path, **env: str) -> Any:
    """Run CHILD with a home and a temporary folder of its own; return what it prints."""
    inherited = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
    env = {**inherited, "HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": str(ROOT), **env}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-B", "-c", CHILD), env=env, cwd=home, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(printed)


async def test_it_writes_to_its_folder_and_connects_to_claude_alone(tmp_path: Path) -> None:
    """With a key, the process opens files for writing below BOT_DATA_DIR alone, and no address but Claude's."""
    data = tmp_path / "deep" / "data"
    async with FakeClaude() as claude:
        recalled, reached, written, resident = await child(
            tmp_path, BOT_DATA_DIR=str(data), ANTHROPIC_API_KEY="key", ANTHROPIC_BASE_URL=claude.url
        )
    assert recalled == ["I live in Porto."]
    assert reached == ["127.0.0.1"]
    assert [path for path in written if not (data.is_relative_to(path) or Path(path).is_relative_to(data))] == []
    assert {path.name.partition("-")[0] for path in data.iterdir()} == {"bot.db"}
    assert resident < 200 * 2**20  # of the 250 MB for the whole process with both platforms


async def test_without_a_key_it_connects_to_nobody(tmp_path: Path) -> None:
    """The notebook needs no network at all."""
    recalled, reached, _, _ = await child(tmp_path, BOT_DATA_DIR="data")
    assert (recalled, reached) == (["I live in Porto."], [])
