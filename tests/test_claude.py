"""The chat model against a loopback Messages API, through Anthropic's own SDK."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

import httpx2
import pytest
from pydantic import SecretStr

from bot.claude import CUT, ClaudeChat
from bot.config import Settings
from bot.events import Prompt
from bot.ports import ChatError, ChatMisconfigured, ChatOverloaded, ChatRefused, ChatTooLong
from tests.fakes.claude import LIMITED, OVERLOADED, REFUSAL, UNAUTHORIZED, FakeClaude, Reply

HELLO = Prompt("Be kind.", (("user", "Hello"),))


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    async with FakeClaude() as server:
        yield server


def settings(server: FakeClaude, model: str = "claude-sonnet-5-5") -> Settings:
    return Settings(
        anthropic_api_key=SecretStr("key"),
        anthropic_base_url=server.url,
        bot_model=model,
        _env_file=None,  # type: ignore[call-arg] # pydantic-settings' own argument, unknown to its types
    )


@pytest.fixture
async def chat(claude: FakeClaude) -> AsyncIterator[ClaudeChat]:
    made = ClaudeChat(settings(claude))
    yield made
    await made.close()


async def said(chat: ClaudeChat, prompt: Prompt = HELLO) -> str:
    return "".join([piece async for piece in chat.answer(prompt)])


async def test_an_answer_arrives_in_pieces(claude: FakeClaude, chat: ClaudeChat) -> None:
    """The answer comes as it is written, piece by piece, and is whole at the end."""
    claude.script.append(Reply("One, two, three.", piece=5))
    assert [piece async for piece in chat.answer(HELLO)] == ["One, ", "two, ", "three", "."]
    request = claude.chats[0]
    assert request["system"] == "Be kind."
    assert request["messages"] == [{"role": "user", "content": "Hello"}]
    assert request["stream"] is True


async def test_no_system_prompt_is_no_field(claude: FakeClaude, chat: ClaudeChat) -> None:
    """An empty system prompt isn't sent at all, as the service refuses empty texts."""
    await said(chat, Prompt("", (("user", "Hi"), ("assistant", ""), ("user", "there"))))
    assert "system" not in claude.chats[0]
    assert [message["content"] for message in claude.chats[0]["messages"]] == ["Hi", "there"]


@pytest.mark.parametrize(
    "model", ["claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5", "claude-sonnet-4-6", "local-model"]
)
async def test_every_model_is_asked_not_to_think_in_the_way_it_takes(claude: FakeClaude, model: str) -> None:
    """No model refuses the request for how it is told not to think first."""
    chat = ClaudeChat(settings(claude, model))
    assert await said(chat) == "You said: Hello"
    assert claude.calls == 1
    await chat.close()


async def test_a_model_that_takes_no_thinking_parameter_still_answers(claude: FakeClaude) -> None:
    """A model newer than what is known here is asked again without the parameter, and then always so."""
    refusal = '"thinking.type.disabled" is not supported for this model.'
    claude.script.append(Reply(refusal, status=400, error="invalid_request_error"))
    chat = ClaudeChat(settings(claude, "claude-sonnet-9"))
    assert await said(chat) == "You said: Hello"
    assert await said(chat) == "You said: Hello"
    assert ["thinking" in request for request in claude.chats] == [True, False, False]
    await chat.close()


@pytest.mark.parametrize(
    ("fault", "meaning"),
    [
        (OVERLOADED, ChatOverloaded),
        (LIMITED, ChatOverloaded),
        (UNAUTHORIZED, ChatMisconfigured),
        (Reply("model: nope", status=404, error="not_found_error"), ChatMisconfigured),
        (Reply("no credit", status=400, error="invalid_request_error"), ChatMisconfigured),
        (Reply("prompt is too long: 9 tokens > 8", status=400, error="invalid_request_error"), ChatTooLong),
        (Reply("", status=413, error="request_too_large"), ChatTooLong),
        (Reply("oops", status=500), ChatError),
        (Reply("half of it", error="overloaded_error", error_after=1), ChatOverloaded),
        (Reply("half of it", error="api_error", error_after=1), ChatError),
        (REFUSAL, ChatRefused),
        (Reply("all", stop_reason="model_context_window_exceeded"), ChatTooLong),
        (Reply("a long answer that is cut in its middle", piece=5, cut_after=3), ChatError),
    ],
)
async def test_each_failure_has_its_sentence(
    claude: FakeClaude, chat: ClaudeChat, fault: Reply, meaning: type[ChatError]
) -> None:
    """Whatever the service does wrong is told as one of the errors that have a sentence for the person."""
    claude.script.extend([fault] * 3)
    with pytest.raises(ChatError) as caught:
        await said(chat)
    assert type(caught.value) is meaning


async def test_a_service_that_is_down_is_a_chat_error() -> None:
    """With nobody listening, the person is told so, as for any other failure."""
    async with FakeClaude() as gone:
        chat = ClaudeChat(settings(gone))
    with pytest.raises(ChatError):
        await said(chat)
    await chat.close()


@pytest.mark.parametrize("heard", [0, 2])
async def test_a_silent_service_is_a_chat_error(claude: FakeClaude, heard: int) -> None:
    """A connection that falls silent, before the first word or in the middle, doesn't keep the person waiting."""
    claude.handler = lambda request: Reply("x" * 100, hang_after=heard)
    chat = ClaudeChat(settings(claude), httpx2.Timeout(0.2))
    with pytest.raises(ChatError):
        await said(chat)
    await chat.close()


async def test_a_hiccup_is_retried_unseen(claude: FakeClaude, chat: ClaudeChat) -> None:
    """One overloaded answer before the first word is not noticed."""
    claude.script.append(OVERLOADED)
    assert await said(chat) == "You said: Hello"


async def test_an_answer_at_the_length_limit_says_so(claude: FakeClaude, chat: ClaudeChat) -> None:
    """An answer that reached the limit of length is shown, and ends with words that say it was cut."""
    claude.script.append(Reply("A very long story", stop_reason="max_tokens"))
    assert await said(chat) == "A very long story" + CUT


@pytest.mark.parametrize("odd", ["\ud83d", "a\0b", "\u202eabc", "\udc00\ud800", "😀", "\u2028"])
async def test_odd_text_reaches_the_model(claude: FakeClaude, chat: ClaudeChat, odd: str) -> None:
    """Lone surrogates, NULs and control marks end in an answer."""
    assert (await said(chat, Prompt(f"persona {odd}", (("user", f"Hi {odd}"),)))).startswith("You said: Hi")


async def test_closing_the_answer_ends_the_request(claude: FakeClaude, chat: ClaudeChat) -> None:
    """Nobody pays for the rest of an answer that nobody reads."""
    claude.script.append(Reply("x" * 100, piece=10, hang_after=2))
    async with aclosing(chat.answer(HELLO)) as pieces:
        assert await anext(pieces) == "x" * 10
    await asyncio.wait_for(claude.idle(), 5)


async def test_two_hundred_answers_at_once(claude: FakeClaude, chat: ClaudeChat) -> None:
    """No one waits for another's answer to end: all requests are open together."""
    gate = asyncio.Event()

    async def everybody(_: object) -> str:
        if claude.open == 200:
            gate.set()
        await gate.wait()
        return "Hello you"

    claude.handler = everybody
    answers = await asyncio.gather(*(said(chat) for _ in range(200)))
    assert answers == ["Hello you"] * 200


async def test_the_check_tells_a_wrong_key_from_a_right_one(claude: FakeClaude, chat: ClaudeChat) -> None:
    """The doctor's check passes with the right key and model, and names what is refused otherwise."""
    await chat.check()
    claude.script.append(UNAUTHORIZED)
    with pytest.raises(ChatMisconfigured):
        await chat.check()
    wrong = ClaudeChat(settings(claude, "claude-none"))
    with pytest.raises(ChatMisconfigured):
        await wrong.check()
    await wrong.close()


async def test_no_text_is_logged(claude: FakeClaude, chat: ClaudeChat, caplog: pytest.LogCaptureFixture) -> None:
    """With every logger at DEBUG, neither what was said nor what was answered is in the log."""
    caplog.set_level(logging.DEBUG)
    claude.script.append(Reply("the answer is marmalade", status=400, error="invalid_request_error"))
    with pytest.raises(ChatMisconfigured):
        await said(chat, Prompt("persona of quinces", (("user", "I love gooseberries"),)))
    claude.script.append(Reply("marmalade again"))
    await said(chat, Prompt("persona of quinces", (("user", "I love gooseberries"),)))
    assert not any(word in caplog.text for word in ("quinces", "gooseberries", "marmalade"))
