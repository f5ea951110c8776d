"""Tools at the wire: how calls are read from the stream, how results go back, and models that take no tools."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.chat.claude import MAX_TOKENS_THINKING, ClaudeChat
from bot.core.tools import TOOLS
from bot.model import Asked, Call, Prompt, Result, Round
from bot.ports import ChatError, ChatOverloaded
from bot.usage import Usage
from tests.chat.test_claude import settings
from tests.fakes.claude import OVERLOADED, FakeClaude, Reply
from tests.fakes.claude_tools import Calling, results

LOOK = Calling("search_memory", {"query": "locker"})
HELLO = Prompt("With tools.", (("user", "Which locker?"),), tools=TOOLS, toolless="Without tools.")


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    async with FakeClaude() as server:
        yield server


@pytest.fixture
async def chat(claude: FakeClaude) -> AsyncIterator[ClaudeChat]:
    made = ClaudeChat(settings(claude))
    yield made
    await made.close()


async def turn(chat: ClaudeChat, prompt: Prompt = HELLO) -> tuple[str, Asked | None]:
    """What a turn says, and what it asks of tools."""
    pieces = [piece async for piece in chat.answer(prompt)]
    asked = [piece for piece in pieces if isinstance(piece, Asked)]
    assert asked == [piece for piece in pieces[-1:] if isinstance(piece, Asked)]
    return "".join(piece for piece in pieces if isinstance(piece, str)), asked[0] if asked else None


def after(asked: Asked | None, *results: str | Result) -> Prompt:
    """The request that follows."""
    assert asked is not None
    answers = tuple(each if isinstance(each, Result) else Result(each) for each in results)
    return replace(HELLO, rounds=(*HELLO.rounds, Round(asked, answers)))


async def test_a_call_streamed_in_pieces_is_read_and_answered(claude: FakeClaude, chat: ClaudeChat) -> None:
    """Text, thoughts and two calls come in small pieces; they go back as they came, the results in one message."""
    calls = (LOOK, Calling("search_memory", {"query": "Schließfach «é»", "since": "2026-01-01"}))
    claude.script.append(Reply("Let me look.", thinking="Which one?", calls=calls, piece=3))
    said, asked = await turn(chat)
    assert said == "Let me look."
    assert asked is not None
    assert [(call.name, call.arguments) for call in asked.calls] == [(call.name, call.input) for call in calls]
    claude.script.append("It is 4711.")
    assert await turn(chat, after(asked, "found: 4711", Result("broken", failed=True))) == ("It is 4711.", None)
    question, assistant, answers = claude.chats[1]["messages"]
    assert question == claude.chats[0]["messages"][0]
    assert [block["type"] for block in assistant["content"]] == ["thinking", "text", "tool_use", "tool_use"]
    assert [block["tool_use_id"] for block in answers["content"]] == [call.id for call in asked.calls]
    assert results(claude.chats[1]) == [("found: 4711", False), ("broken", True)]
    assert claude.chats[0]["tools"] == claude.chats[1]["tools"]
    assert "tool_choice" not in claude.chats[0]
    assert claude.chats[1]["max_tokens"] == MAX_TOKENS_THINKING


@pytest.mark.parametrize("given", ['{"query": "lock', '["locker"]', "null", "[" * 5000])
async def test_input_that_cannot_be_read_is_told_as_such(claude: FakeClaude, chat: ClaudeChat, given: str) -> None:
    """A call whose input is no JSON object is still a call, and can be answered with an error."""
    claude.script.append(Reply(calls=(Calling("search_memory", given),)))
    _, asked = await turn(chat)
    assert asked is not None
    assert [call.arguments for call in asked.calls] == [None]
    assert await turn(chat, after(asked, Result("unreadable", failed=True))) == ("You said: Which locker?", None)


async def test_odd_servers_are_understood(claude: FakeClaude, chat: ClaudeChat) -> None:
    """Calls without an id, with another's, with their input in the block's start or with half a sign in it."""
    odd = (
        Calling("search_memory", {"query": "a"}, id=""),
        Calling("search_memory", {"query": "b"}, id="same"),
        Calling("search_memory", {"query": "c"}, id="same"),
        Calling("search_memory", {"query": "d"}, whole=True),
        Calling("search_memory", '{"query": "e\\ud800"}'),
        Calling("search memory!", {}),
    )
    claude.script.append(Reply(calls=odd))
    _, asked = await turn(chat)
    assert asked is not None
    assert len({call.id for call in asked.calls}) == len(odd)
    assert [(call.arguments or {}).get("query") for call in asked.calls] == ["a", "b", "c", "d", "e?", None]
    claude.script.append("Found.")
    assert await turn(chat, after(asked, *("x" for _ in odd))) == ("Found.", None)


@pytest.mark.parametrize("stop_reason", ["end_turn", "stop", "tool_calls"])
async def test_a_call_counts_whatever_the_stop_reason(claude: FakeClaude, chat: ClaudeChat, stop_reason: str) -> None:
    """Compatible servers name other reasons to stop."""
    claude.script.append(Reply(calls=(LOOK,), stop_reason=stop_reason))
    assert (await turn(chat))[1] is not None


async def test_a_call_that_was_cut_is_not_made(claude: FakeClaude, chat: ClaudeChat) -> None:
    """Half an input is never run: at the length limit the text stands, and a broken stream is an error."""
    claude.script.append(Reply("So far", calls=(LOOK,), stop_reason="max_tokens"))
    assert (await turn(chat))[1] is None
    for reply, error in (
        (Reply(calls=(LOOK,), piece=4, cut_after=2), ChatError),
        (Reply(calls=(LOOK,), piece=4, error_after=2, error="overloaded_error"), ChatOverloaded),
        (Reply(calls=(Calling("search_memory", '{"query": "' + "x" * 200_000),), piece=9_000), ChatError),
    ):
        claude.script.append(reply)
        with pytest.raises(error):
            await turn(chat)


@pytest.mark.parametrize("silent", [False, True])
async def test_a_model_without_tools_isnt_told_of_any(claude: FakeClaude, chat: ClaudeChat, silent: bool) -> None:
    """Where a server rejects tools, they are left out from then on, and the system prompt doesn't speak of them."""
    claude.unknown, claude.silent = {"tools"}, silent
    for _ in range(2):
        assert await turn(chat) == ("You said: Which locker?", None)
    assert ["tools" in request for request in claude.chats] == [True, False, False]
    assert "Without tools." in str(claude.chats[-1]["system"])
    assert "With tools." in str(claude.chats[0]["system"])


async def test_a_model_without_strict_schemas_still_gets_tools(claude: FakeClaude, chat: ClaudeChat) -> None:
    """An older model refuses the field, by name: only that is left out."""
    refusal = "tools.0.custom.strict: Extra inputs are not permitted"
    claude.script.append(Reply(refusal, status=400, error="invalid_request_error"))
    claude.script.append(Reply(calls=(LOOK,)))
    _, asked = await turn(chat)
    assert asked is not None
    assert await turn(chat, after(asked, "x")) == ("You said: Which locker?", None)
    assert [next("strict" in tool for tool in request["tools"]) for request in claude.chats] == [True, False, False]
    assert "With tools." in str(claude.chats[-1]["system"])


async def test_an_overload_amid_rounds_is_an_overload(claude: FakeClaude, chat: ClaudeChat) -> None:
    """After calls, too, a busy service is told apart from a request that it refuses; tools aren't given up for it."""
    claude.script.append(Reply(calls=(LOOK,)))
    _, asked = await turn(chat)
    claude.script.extend([OVERLOADED] * 3)
    with pytest.raises(ChatOverloaded):
        await turn(chat, after(asked, "x"))
    assert all("tools" in request for request in claude.chats)


async def test_what_a_request_with_tools_can_take_is_bounded(claude: FakeClaude, chat: ClaudeChat) -> None:
    """Tools, the service's own instructions for them, calls and results are all in the reservation."""
    plain = (await chat.max_usage(replace(HELLO, tools=()))).usage
    offered = (await chat.max_usage(HELLO)).usage
    asked = Asked((Call("a", "search_memory", {"query": "x"}),), ({"type": "tool_use", "id": "a", "input": {}},))
    later = (await chat.max_usage(after(asked, "y" * 5_000))).usage
    assert offered.written > plain.written + 346
    assert later.written >= offered.written + 5_000
    claude.script.append(Reply(calls=(LOOK,)))
    ended = [piece async for piece in chat.answer(HELLO) if isinstance(piece, Usage)][-1]
    assert ended.tokens < offered.tokens
