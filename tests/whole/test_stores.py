"""The same conversation on PostgreSQL and on hosted mem0: told, restarted, used, forgotten."""

import json
from pathlib import Path

from tests.fakes.claude import FakeClaude
from tests.fakes.mem0 import KEY, FakeMem0
from tests.whole.process import BotProcess
from tests.whole.test_remembers import ASKED, TOLD, answers

FORGET = "/forget Celsius\n1\n/memories\n"


async def talk(folder: Path, settings: dict[str, str], lines: str) -> list[str]:
    """One terminal chat, from start to end; returns what was shown."""
    bot = BotProcess(folder, settings, ("chat", "--as", "ann"))
    await bot.start()
    assert await bot.talk(lines) == 0
    # On PostgreSQL another transaction of the bot's own may still see what is vacuumed: then it is done again later.
    assert [line for line in bot.log if "rewritten again" not in line] == []
    return bot.out


async def remembers(folder: Path, settings: dict[str, str]) -> None:
    """Run the conversation."""
    async with FakeClaude(answers) as claude:
        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url, **settings}
        await talk(folder, env, f"{TOLD}\n")
        assert (await talk(folder, env, f"{ASKED}\n"))[:2] == ["(recalled 1 memory)", "About 21 °C."]
        shown = await talk(folder, env, FORGET)
        gone = next(number for number, line in enumerate(shown) if line.startswith("Forgotten: 1 thing"))
        assert not any("Celsius" in line for line in shown[gone:])
        assert "About 70 °F." in await talk(folder, env, f"{ASKED}\n")


async def test_postgresql_remembers_and_forgets(tmp_path: Path, postgres_url: str) -> None:
    """With DATABASE_URL everything is in PostgreSQL, and a folder that is wiped between two runs loses nothing."""
    await remembers(tmp_path, {"DATABASE_URL": postgres_url})
    assert not (tmp_path / "data" / "bot.db").exists()


async def test_hosted_mem0_remembers_and_forgets(tmp_path: Path) -> None:
    """With MEM0_API_KEY mem0's service learns, recalls and forgets."""
    async with FakeMem0() as mem0:
        await remembers(tmp_path, {"MEM0_API_KEY": KEY, "MEM0_HOST": mem0.url})
        assert mem0.requests("POST", "/v3/memories/add/"), "the exchange was learned by the service"


async def test_the_operator_exports_and_erases_on_hosted_mem0(tmp_path: Path) -> None:
    """`export PERSON` prints what is kept, `erase PERSON` leaves nothing of it at the service, and of nobody else's."""
    async with FakeMem0() as mem0, FakeClaude(answers) as claude:
        env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url}
        env |= {"MEM0_API_KEY": KEY, "MEM0_HOST": mem0.url}
        await talk(tmp_path, env, f"{TOLD}\n")
        mem0.put("Bob's", user_id="terminal:bob")

        async def operate(command: str) -> list[str]:
            bot = BotProcess(tmp_path, env, (command, "terminal:ann"))
            await bot.start()
            assert await bot.wait() == 0, bot.log
            return bot.out

        (memory,) = json.loads("\n".join(await operate("export")))["memories"]
        assert (TOLD in memory["text"], memory["sources"][0]["account"]) == (True, "terminal:ann")
        assert (await operate("erase"))[0].startswith("erased: 1 memory ")
        assert [row["memory"] for row in mem0.rows] == ["Bob's"]
        assert json.loads("\n".join(await operate("export")))["memories"] == []
