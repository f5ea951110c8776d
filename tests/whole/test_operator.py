"""The operator's `export PERSON` and `erase PERSON`, as processes of their own, beside a running bot or without one."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.claude import FakeClaude, briefing
from tests.fakes.discord import FakeDiscord
from tests.fakes.mem0 import KEY
from tests.makers import until
from tests.whole.process import BotProcess

WORD = "zebrafinch"


@pytest.fixture(params=["sqlite", "postgres"])
async def env(request: pytest.FixtureRequest) -> AsyncIterator[dict[str, str]]:
    """The settings of a bot that needs no platform, on each store of our own."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with FakeClaude() as claude:
        yield {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, "DATABASE_URL": url}


async def run(folder: Path, env: dict[str, str], *arguments: str) -> tuple[int, str, list[str]]:
    """One command: its exit code, what it printed, and its lines on standard error."""
    bot = BotProcess(folder, env, arguments)
    await bot.start()
    code = await bot.wait(60)
    return code, "\n".join(bot.out), bot.log


async def told(folder: Path, env: dict[str, str]) -> None:
    """Ann says one thing in the terminal, and the bot has learned it by its end."""
    bot = BotProcess(folder, env, ("chat", "--as", "Ann-Lee"))
    await bot.start()
    assert await bot.talk(f"My bird is a {WORD}.\n") == 0


async def test_export_and_erase_without_a_bot(tmp_path: Path, env: dict[str, str]) -> None:
    """Everything of one person is printed as JSON, then erased with a count; erased again, there is nothing left."""
    await told(tmp_path, env)
    code, out, log = await run(tmp_path, env, "export", "terminal:Ann-Lee")
    assert (code, log) == (0, [])
    exported: dict[str, Any] = json.loads(out)
    assert exported["account"] == "terminal:Ann-Lee"
    assert [memory["text"] for memory in exported["memories"]] == [f"My bird is a {WORD}."]
    assert [turn["by"] for turn in exported["turns"]] == ["user", "assistant"]
    settings = exported["settings"]
    assert (settings.pop("memory_paused_since"), settings.pop("no_line_below_answers_since")) == (None, None)
    assert settings == {"memory_was_paused": [], "off_the_record": []}
    off = await run(tmp_path, {**env, "BOT_MEMORY": "false"}, "export", "terminal:Ann-Lee")
    assert json.loads(off[1])["memories"] == exported["memories"]
    assert await run(tmp_path, env, "erase", "terminal:Ann-Lee") == (
        0,
        "erased: 1 memory and 2 entries of conversations of terminal:Ann-Lee",
        [],
    )
    code, out, log = await run(tmp_path, env, "export", "terminal:Ann-Lee")
    assert (code, json.loads(out)["memories"]) == (0, [])
    assert log == ["note: nothing is kept about terminal:Ann-Lee"]
    nobody = (3, "", ["note: nothing is kept about terminal:Ann-Lee"])
    assert await run(tmp_path, env, "erase", "terminal:Ann-Lee") == nobody


async def test_erased_beside_a_running_bot(tmp_path: Path, env: dict[str, str]) -> None:
    """The bot that runs uses nothing of what another process has erased, and goes on learning."""
    async with FakeClaude() as claude, FakeDiscord() as discord:
        env = {**env, "ANTHROPIC_BASE_URL": claude.url, "DISCORD_TOKEN": discord.token, "DISCORD_API_BASE": discord.url}
        async with BotProcess(tmp_path, env) as bot:
            await bot.said("discord: listening")
            person = f"discord:{discord.user('ann').id}"
            await discord.answer_to(await discord.dm("ann", f"My bird is a {WORD}."), within=30)
            await until(lambda: bool(claude.extractions), 20)
            exported: dict[str, Any] = {"memories": []}
            async with asyncio.timeout(30):
                while not exported["memories"]:
                    code, out, _ = await run(tmp_path, env, "export", person)
                    assert code == 0
                    exported = json.loads(out)
            await discord.answer_to(await discord.dm("ann", "What is my bird?"), within=30)
            assert WORD in briefing(claude.chats[-1])
            code, out, _ = await run(tmp_path, env, "erase", person)
            # The question may have been learned from by now, too.
            assert (code, bool(re.match(r"erased: (1 memory|2 memories) ", out))) == (0, True)
            await discord.answer_to(await discord.dm("ann", "And now?"), within=30)
            asked = claude.chats[-1]
            assert WORD not in json.dumps(asked)
            assert WORD not in (await run(tmp_path, env, "export", person))[1]


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is needed")
@pytest.mark.parametrize(("typed", "code"), [("n", 1), ("", 1), ("yes", 0)])
async def test_on_a_terminal_it_asks_before_it_erases(tmp_path: Path, typed: str, code: int) -> None:
    """Whom it would erase and how much is said, and only a yes erases."""
    await told(tmp_path, {})
    bot = BotProcess(tmp_path, {}, ("erase", "terminal:Ann-Lee"))
    terminal, theirs = os.openpty()
    await bot.start(stdin=theirs)
    os.close(theirs)
    os.write(terminal, f"{typed}\n".encode())
    assert await bot.wait(60) == code
    os.close(terminal)
    assert bot.log[0].startswith(
        "Erase everything that is kept about terminal:Ann-Lee (1 memory) for good? [y/N] " + "nothing was erased" * code
    )
    _, out, _ = await run(tmp_path, {}, "export", "terminal:Ann-Lee")
    assert len(json.loads(out)["memories"]) == code


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is needed")
async def test_yes_erases_without_asking(tmp_path: Path) -> None:
    """For scripts that run on a terminal."""
    await told(tmp_path, {})
    bot = BotProcess(tmp_path, {}, ("erase", "--yes", "terminal:Ann-Lee"))
    terminal, theirs = os.openpty()
    await bot.start(stdin=theirs)
    os.close(theirs)
    assert await bot.wait(60) == 0
    os.close(terminal)
    assert bot.out == ["erased: 1 memory and 2 entries of conversations of terminal:Ann-Lee"]
    assert bot.log == []


async def test_an_export_that_nobody_reads_to_its_end(tmp_path: Path) -> None:
    """`export PERSON | head` ends as any command in a pipe does: without a word, and without a traceback."""
    await told(tmp_path, {})
    bot = BotProcess(tmp_path, {}, ("export", "terminal:Ann-Lee"))
    reading, writing = os.pipe()
    os.close(reading)
    await bot.start(stdout=writing)
    os.close(writing)
    assert await bot.wait(60) == 141
    assert bot.log == []


async def test_memories_that_another_store_holds(tmp_path: Path, postgres_url: str) -> None:
    """Whoever moves to another store is told once that the memories of the former one are not used."""
    await told(tmp_path, {})
    bot = BotProcess(tmp_path, {"DATABASE_URL": postgres_url}, ("chat", "--as", "Ann-Lee"))
    await bot.start()
    assert await bot.talk("What is my bird?\n") == 0
    assert WORD not in "\n".join(bot.out)
    warnings = [line for line in bot.log if "WARNING" in line]
    assert len(warnings) == 1
    assert warnings[0].endswith(
        "bot.db holds memories that are not used (1): memories are now in PostgreSQL (DATABASE_URL)"
    )


@pytest.mark.parametrize("name", ["ann bob", " ann", "ann\tbob", "\x1b[31mann"])
async def test_a_name_that_would_be_anothers(tmp_path: Path, name: str) -> None:
    """`--as "ann bob"` and `--as ann-bob` would be one person: the former is refused, and nothing is opened."""
    code, out, log = await run(tmp_path, {}, "chat", "--as", name)
    assert (code, out) == (2, "")
    assert len(log) == 1
    assert log[0].startswith("error: --as: a name is one word, such as ")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("command", "person"),
    [("export", "slack:T1"), ("erase", "terminal: "), ("erase", "slack:*:*"), ("erase", "discord:٧")],
)
async def test_who_is_nobody(tmp_path: Path, command: str, person: str) -> None:
    """A name that can't be anybody's ends with one line and exit code 2, and nothing is opened or made."""
    code, out, log = await run(tmp_path, {}, command, person)
    assert (code, out) == (2, "")
    assert log == ["error: PERSON: a person is discord:<id>, slack:<team>:<user> or terminal:<name>"]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", ["export", "erase"])
async def test_a_memory_out_of_reach_is_one_line(tmp_path: Path, command: str) -> None:
    """With hosted mem0 down the command says so in a line, exits with 1, and what is to be erased is tried again."""
    env = {"MEM0_API_KEY": KEY, "MEM0_HOST": "http://127.0.0.1:9"}
    code, out, log = await run(tmp_path, env, command, "discord:7")
    assert (code, out) == (1, "")
    errors = [line for line in log if line.startswith("error: ")]
    assert len(errors) == 1
    assert not any("Traceback" in line for line in log)
