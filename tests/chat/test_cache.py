"""What the prompt cache is given to keep, against a loopback Messages API that bills it as the service does."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from bot.chat.claude import ClaudeChat
from bot.model import Prompt
from bot.usage import Usage
from tests.chat.test_claude import settings
from tests.fakes.claude import FakeClaude, Reply, Request

SYSTEM = "Be kind. " * 300
LONG = "and so on " * 80


class Clock:
    """Stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def claude(clock: Clock) -> AsyncIterator[FakeClaude]:
    async with FakeClaude(lambda request: f"Well, {LONG}", clock=clock) as server:
        yield server


@pytest.fixture
async def chat(claude: FakeClaude) -> AsyncIterator[ClaudeChat]:
    made = ClaudeChat(settings(claude))
    yield made
    await made.close()


async def ask(chat: ClaudeChat, said: str, turns: Sequence[tuple[str, str]] = (), briefing: str = "") -> Usage:
    """What one answer took."""
    prompt = Prompt(SYSTEM, (*turns, ("user", said)), briefing=briefing)
    return [piece async for piece in chat.answer(prompt) if isinstance(piece, Usage)][-1]


def marks(request: Request) -> list[str]:
    """Where a request is marked."""
    found = ["system" for block in request["system"] if "cache_control" in block]
    for index, message in enumerate(request["messages"]):
        found += [str(index) for block in message["content"] if "cache_control" in block]
    return found


def plain(messages: Any) -> Any:
    """Messages without their marks."""
    return [
        (message["role"], [{name: block[name] for name in ("type", "text")} for block in message["content"]])
        for message in messages
    ]


async def test_a_conversation_is_read_from_the_cache(claude: FakeClaude, chat: ClaudeChat) -> None:
    """Each request reads what the one before it wrote, byte for byte, and pays in full for the last message alone."""
    turns: list[tuple[str, str]] = []
    for number in range(8):
        briefing = f"(Briefing, from the bot itself:)\n{number} o'clock\n(The message:)"
        usage = await ask(chat, f"{number} {LONG}", turns, briefing)
        assert usage.input < 300
        assert usage.written < 500 if number else usage.written > 600
        assert usage.cached >= 400 * number
        turns += [("user", f"{number} {LONG}"), ("assistant", f"Well, {LONG}")]
    for before, request in zip(claude.chats, claude.chats[1:], strict=False):
        earlier = before["messages"][:-1]
        assert plain(request["messages"][: len(earlier)]) == plain(earlier)
        assert request["system"] == before["system"]
        assert marks(request) == ["system", str(len(request["messages"]) - 2)]


async def test_everybody_shares_the_beginning(claude: FakeClaude, chat: ClaudeChat) -> None:
    """A stranger's first question reads the rules that somebody else's has written."""
    await ask(chat, "Hi")
    assert (await ask(chat, "Hello", briefing="(Briefing, from the bot itself:)\nBob")).cached > 500


async def test_after_five_minutes_it_is_written_anew(claude: FakeClaude, chat: ClaudeChat, clock: Clock) -> None:
    """What is used within them stays."""
    await ask(chat, "Hi")
    for wait, cached in ((299, True), (299, True), (301, False)):
        clock.now += wait
        usage = await ask(chat, "Hi")
        assert (usage.cached > 0, usage.written > 0) == (cached, not cached)


@pytest.mark.parametrize("silent", [True, False])
async def test_a_server_without_a_cache_is_asked_in_plain_texts(claude: FakeClaude, silent: bool) -> None:
    """Marks are refused wherever they stand; then they are left out, with the blocks that carry them."""
    claude.unknown, claude.silent = {"cache_control"}, silent
    chat = ClaudeChat(settings(claude, "local-model"))
    for _ in range(2):
        await ask(chat, "Hi", [("user", "one"), ("assistant", "two")], "(Briefing, from the bot itself:)\nBob")
    assert claude.calls == 3
    assert claude.chats[-1]["system"] == SYSTEM.strip()
    assert claude.chats[-1]["messages"] == [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "(Briefing, from the bot itself:)\nBob\n\nHi"},
    ]
    await chat.close()


async def test_a_prompt_is_built_once(claude: FakeClaude, chat: ClaudeChat) -> None:
    """What was reserved is the bound of the request that is sent; asked again, a prompt is built again."""
    claude.script.append(Reply("<think>Well.</think>Hello."))
    prompt = Prompt(SYSTEM, (("user", "Hi"),))
    first = await chat.max_usage(prompt)
    assert [piece async for piece in chat.answer(prompt)]
    assert first.usage.output == claude.chats[0]["max_tokens"]
    second = await chat.max_usage(prompt)  # it thinks aloud, and has more room
    assert second.usage.output > first.usage.output
    assert [piece async for piece in chat.answer(prompt)]
    assert second.usage.output == claude.chats[1]["max_tokens"]


async def test_the_bound_holds_where_all_is_written_to_the_cache(claude: FakeClaude, chat: ClaudeChat) -> None:
    """The dearest that a prompt can be."""
    turns = [("user", LONG), ("assistant", LONG)]
    prompt = Prompt(SYSTEM, (*turns, ("user", "Hi")), briefing="日本語" * 100)
    bound = (await chat.max_usage(prompt)).usage
    took = await ask(chat, "Hi", turns, "日本語" * 100)
    assert took.written > 0
    assert took.tokens < bound.tokens
    assert bound.written >= len(f"{SYSTEM}{LONG}{LONG}Hi".encode()) + len("日本語".encode()) * 100
