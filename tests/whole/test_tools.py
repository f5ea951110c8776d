"""Claude's tools at the wire: on Discord, on Slack and in the terminal, through kills, cuts and a busy service."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.core.answer import FOLLOWS
from bot.core.tools.listing import PLAIN
from bot.journal import mark_learned
from bot.memory.embedded.opening import open_embedded
from tests.fakes.claude import LIMITED, FakeClaude, Reply, Request, default, is_extraction, last_text
from tests.fakes.claude_tools import Calling, results
from tests.faults.memories import left, stored
from tests.makers import alone, until
from tests.stubs import StubSpending
from tests.whole.process import BotProcess
from tests.whole.test_files import open_line, process, running

LOCKER = "My locker is 4711."
WISH = f"Remember: {LOCKER}"
ABOUT = "What do you know about me?"


def tools(request: Request) -> Reply | str:
    """A model that uses its tools as it should, and says what they have told it."""
    if is_extraction(request):
        return default(request)
    said = last_text(request)
    if not (told := results(request)):
        if said.startswith("Remember: "):
            call = Calling("remember", {"text": said.removeprefix("Remember: ")})
            return Reply("Let me note that.", thinking="A wish.", calls=(call,), piece=5)
        if said == ABOUT:
            return Reply(calls=(Calling("list_memories", {}), Calling("search_memory", {"query": "locker"})), piece=5)
        return "Hello."
    if said == ABOUT:
        return "You told me: " + " / ".join(re.findall(r"(?<=\] ).*", "\n".join(text for text, _ in told))) + "."
    return told[-1][0].partition(".")[0] + "."


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    async with FakeClaude(tools) as server:
        yield server


@pytest.fixture(params=["discord", "slack"])
async def line(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    async with open_line(request.param) as opened:
        yield opened


async def kept(folder: Path) -> list[str]:
    """What the memory holds, of anybody."""
    store = await asyncio.to_thread(open_embedded, stored(folder), mark_learned, StubSpending())
    try:
        people = [person for platform in ("discord", "slack", "terminal") for person in await store.people(platform)]
        return [memory.text for person in people for memory in await store.list(person)]
    finally:
        await store.close()


async def answered(line: Any, message: str, ending: str) -> str:
    """The answer to a message, once it ends so."""
    if line.name == "slack":
        return str(
            await line.fake.answer(line.fake.dm_channel("UANN"), until=lambda text: ending in text, after=message)
        )
    await until(lambda: any(ending in str(answer["content"]) for answer in line.fake.answers(message)), 60)
    return alone(str(line.fake.answers(message)[-1]["content"]))


async def test_it_remembers_and_says_what_it_knows(tmp_path: Path, claude: FakeClaude, line: Any) -> None:
    """Kept at once, once, after text and a call in one growing answer; listed with a button, and searched."""
    async with running(tmp_path, claude, line) as bot:
        said = await answered(line, await line.send(WISH, {}), "Kept.")
        assert said.startswith("Let me note that.\n\nKept.")
        assert await kept(tmp_path) == [LOCKER]
        await until(lambda: bool(claude.extractions), 30)
        said = await answered(line, await line.send(ABOUT, {}), "You told me")
        assert said.startswith(f"You told me: {LOCKER} / {LOCKER}.")
        await bot.said("; tools list_memories: 1; search_memory: 1")
        assert await kept(tmp_path) == [LOCKER], "the extraction of the same message keeps it no second time"
    assert LOCKER not in "\n".join(bot.log)


async def test_a_kill_between_a_tool_and_the_answer(tmp_path: Path, claude: FakeClaude, line: Any) -> None:
    """Killed when the fact is kept and its answer isn't there: answered once, and kept once, in its last words."""

    def hangs(request: Request) -> Reply | str:
        return Reply("", hang_after=0) if results(request) else tools(request)

    def anew(request: Request) -> Reply | str:
        if is_extraction(request) or results(request):
            return tools(request)
        return Reply(calls=(Calling("remember", {"text": "4711 is the number of my locker."}),))

    claude.handler = hangs
    bot = process(tmp_path, claude, line)
    await bot.start()
    await bot.said(f"{line.name}: listening")
    asked = await line.send(WISH, {})
    await until(lambda: any(map(results, claude.chats)), 60)
    assert await kept(tmp_path) == [LOCKER]
    bot.process.kill()
    await bot.wait()
    claude.handler = anew
    claude.release()
    async with running(tmp_path, claude, line):
        assert (await answered(line, asked, "Kept.")).rstrip().endswith("Kept.")
        await until(lambda: bool(claude.extractions), 30)
        await until(lambda: not left(stored(tmp_path))["exchanges"], 30)
    assert await kept(tmp_path) == ["4711 is the number of my locker."]


async def test_a_stream_cut_amid_the_input_of_a_tool(tmp_path: Path, claude: FakeClaude, line: Any) -> None:
    """What arrived of a call isn't run; the round is asked again, and nothing of it is shown or kept twice."""
    call = Calling("remember", {"text": LOCKER})
    claude.script.append(Reply("Let me note that.", calls=(call,), piece=5, cut_after=6))
    async with running(tmp_path, claude, line):
        said = await answered(line, await line.send(WISH, {}), "Kept.")
        assert said.startswith("Let me note that.\n\nKept.")
        assert said.count("Let me note") == 1
        assert await kept(tmp_path) == [LOCKER]
    assert len(claude.chats) == 3


async def test_a_busy_service_amid_rounds(tmp_path: Path, claude: FakeClaude, line: Any) -> None:
    """With 429 after the call the person is told that the answer follows; it does, and the fact is there once."""
    claude.script.append(Reply("Let me note that.", calls=(Calling("remember", {"text": LOCKER}),)))
    claude.script.extend([LIMITED] * 3)
    async with running(tmp_path, claude, line):
        asked = await line.send(WISH, {})
        await answered(line, asked, FOLLOWS)
        assert (await answered(line, asked, "Kept.")).startswith("Let me note that.\n\nKept.")
        await until(lambda: bool(claude.extractions), 30)
        await until(lambda: not left(stored(tmp_path))["exchanges"], 30)
    assert await kept(tmp_path) == [LOCKER]


async def test_the_terminal_has_the_same_tools(tmp_path: Path, claude: FakeClaude) -> None:
    """With Claude the terminal's answers go on after calls as well."""
    env = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.url}
    async with BotProcess(tmp_path, env, ("chat", "--as", "ann")) as bot:
        assert await bot.talk(f"{WISH}\n{ABOUT}\nquit\n") == 0
    assert any(said.startswith("Kept.") for said in bot.out)
    assert any(said.startswith(f"You told me: {LOCKER}") for said in bot.out)
    assert [text for text in await kept(tmp_path) if "4711" in text] == [LOCKER]


async def test_the_notebook_understands_plain_wishes(tmp_path: Path) -> None:
    """Without a model, "remember …" keeps a fact and "what do you know about me" lists what there is."""
    async with BotProcess(tmp_path, {}, ("chat", "--as", "ann")) as bot:
        assert await bot.talk("Remember that my locker is 4711\nremember: my locker is 4711!\nI like tea.\n") == 0
    assert "Noted: my locker is 4711" in bot.out
    assert any(said.startswith("I know that already") for said in bot.out)
    async with BotProcess(tmp_path, {}, ("chat", "--as", "ann")) as bot:
        assert await bot.talk("what do you know about me?\n") == 0
    listed = bot.out[bot.out.index(PLAIN) :]
    assert [said.rpartition(" (")[0] for said in listed[1:3]] == ["- I like tea.", "- my locker is 4711"]


async def test_more_of_a_thread_is_read_for_a_summary(tmp_path: Path, claude: FakeClaude) -> None:
    """Others' words are quoted to the model, and neither they nor the answer that repeats them are on the disk."""

    def summarises(request: Request) -> Reply | str:
        if is_extraction(request):
            return default(request)
        if told := results(request):
            return f"Ben said that the {'walrus' if 'walrus' in told[0][0] else 'thing'} is green."
        return Reply(calls=(Calling("read_context", {"count": 30}),))

    claude.handler = summarises
    async with open_line("slack") as line:
        root = await line.fake.say("C0GENERAL", "UBEN", "The walrus is green")
        async with running(tmp_path, claude, line, BOT_CONTEXT_MESSAGES="1"):
            await line.fake.mention("C0GENERAL", "UANN", "summarise this thread", root)
            await line.fake.answer("C0GENERAL", root, lambda text: "green" in text)
            await until(lambda: bool(claude.extractions), 30)
    assert "walrus" in results(claude.chats[-1])[0][0]
    await asyncio.sleep(0)
    assert not any(b"walrus" in path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
