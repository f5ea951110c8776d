"""The chat model against a loopback Messages API, through Anthropic's own SDK."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import replace
from types import SimpleNamespace

import httpx2
import pytest
from pydantic import SecretStr

from bot.chat.claude import MAX_TOKENS, ClaudeChat
from bot.chat.client import usage_of
from bot.config import Settings, SettingsError
from bot.files.reading import read
from bot.files.values import Document, Picture, TextFile
from bot.model import Prompt
from bot.ports import CUT, ChatError, ChatMisconfigured, ChatOverloaded, ChatRefused, ChatTooLong, ChatUnpaid
from bot.usage import Usage
from tests.fakes.claude import (
    LIMITED,
    OVERLOADED,
    REFUSAL,
    TRIGGER,
    UNAUTHORIZED,
    UNPAID,
    FakeClaude,
    Reply,
    system_text,
    turns_of,
)
from tests.files import samples

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
    return "".join([piece async for piece in chat.answer(prompt) if isinstance(piece, str)])


async def test_an_answer_arrives_in_pieces(claude: FakeClaude, chat: ClaudeChat) -> None:
    """The answer comes as it is written, piece by piece, and is whole at the end."""
    claude.script.append(Reply("One, two, three.", piece=5))
    begun, *pieces, ended = [piece async for piece in chat.answer(HELLO)]
    assert pieces == ["One, ", "two, ", "three", "."]
    assert isinstance(begun, Usage)
    assert ended == Usage(input=claude.tokens["input"], output=claude.tokens["output"])
    assert begun == Usage(input=claude.tokens["input"], output=MAX_TOKENS)
    assert (await chat.max_usage(HELLO)).usage.tokens > begun.tokens
    request = claude.chats[0]
    assert system_text(request) == "Be kind."
    assert request["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]
    assert request["stream"] is True


async def test_no_system_prompt_is_no_field(claude: FakeClaude, chat: ClaudeChat) -> None:
    """An empty system prompt isn't sent at all, as the service refuses empty texts."""
    await said(chat, Prompt("", (("user", "Hi"), ("assistant", ""), ("user", "there"))))
    assert "system" not in claude.chats[0]
    assert turns_of(claude.chats[0]) == [("user", "Hi"), ("user", "there")]


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
        (Reply("messages.0: bad", status=400, error="invalid_request_error"), ChatMisconfigured),
        (Reply("messages.0: bad", status=422, error="invalid_request_error"), ChatMisconfigured),
        (UNPAID, ChatUnpaid),
        (Reply("billing", status=402, error="billing_error"), ChatUnpaid),
        (Reply("You have reached your specified API usage limits.", status=400), ChatUnpaid),
        (Reply("Output blocked by content filtering policy", status=400), ChatRefused),
        (Reply("x", stop_reason="content_filter"), ChatRefused),
        (Reply("maximum context length is 8192 tokens", status=400), ChatTooLong),
        (Reply("prompt is too long: 9 tokens > 8", status=400, error="invalid_request_error"), ChatTooLong),
        (Reply("", status=413, error="request_too_large"), ChatTooLong),
        (Reply("gone", status=410, error="odd"), ChatMisconfigured),
        (Reply("not for you", status=451, error="odd"), ChatMisconfigured),
        (Reply("later", status=408, error="timeout_error"), ChatError),
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
        assert isinstance(await anext(pieces), Usage)
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


@pytest.mark.parametrize(
    ("fault", "variable"),
    [
        (UNAUTHORIZED, "ANTHROPIC_API_KEY"),
        (Reply("no", status=403, error="permission_error"), "ANTHROPIC_API_KEY"),
        (None, "BOT_MODEL"),
    ],
)
async def test_the_check_names_the_setting_that_is_wrong(
    claude: FakeClaude, chat: ClaudeChat, fault: Reply | None, variable: str
) -> None:
    """A key or a model that the service refuses is a wrong setting."""
    await chat.check()
    if fault is not None:
        claude.script.append(fault)
    else:
        claude.models.remove("claude-sonnet-5-5")
    with pytest.raises(SettingsError, match=rf"^{variable}: [^\n]+$"):
        await chat.check()


@pytest.mark.parametrize("memory", [True, False])
async def test_the_check_looks_at_the_memory_model_where_it_is_used(claude: FakeClaude, memory: bool) -> None:
    """An unknown model for memories is named, unless memory is switched off."""
    chat = ClaudeChat(settings(claude).model_copy(update={"bot_memory_model": "claude-none", "bot_memory": memory}))
    if memory:
        with pytest.raises(SettingsError, match=r"^BOT_MEMORY_MODEL: "):
            await chat.check()
    else:
        await chat.check()
    await chat.close()


@pytest.mark.parametrize(
    "fault",
    [
        *(Reply("Not Found", status=status, error=error) for status in (404, 405, 501) for error in ("", "api_error")),
        Reply("Not Found", status=404, error="not_found_error"),
        Reply("Cannot GET /v1/models/claude-sonnet-5-5", status=404, error="not_found_error"),
        Reply("down", status=500),
        Reply("not from here", status=403, error="forbidden"),
        OVERLOADED,
        UNPAID,
    ],
    ids=lambda fault: f"{fault.status}-{fault.error}-{fault.text[:10]}",
)
async def test_the_check_passes_where_no_setting_is_plainly_wrong(
    claude: FakeClaude, chat: ClaudeChat, fault: Reply
) -> None:
    """A compatible server without a list of models, and a service in trouble, don't keep the bot from starting."""
    claude.script.extend([fault] * 4)
    await chat.check()


async def test_an_address_with_the_version_in_it_is_named(claude: FakeClaude) -> None:
    """A base URL as other SDKs take it, with /v1, would have every request refused: the start says so."""
    chat = ClaudeChat(settings(claude).model_copy(update={"anthropic_base_url": f"{claude.url}/v1"}))
    with pytest.raises(SettingsError, match=r"^ANTHROPIC_BASE_URL: [^\n]*/v1"):
        await chat.check()
    await chat.close()


async def test_the_check_passes_where_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    """A service out of reach is an outage: the bot starts, and the log says so."""
    async with FakeClaude() as gone:
        chat = ClaudeChat(settings(gone))
    await chat.check()
    assert "could not be reached" in caplog.text
    await chat.close()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("<think>They want X.</think>\n\nHello.", "Hello."),
        ("\n<Thinking>\na < b\n</Thinking>Hello.", "Hello."),
        ("<think>one</think>\n<think>two</think>Hello.", "Hello."),
        ("[THINK]They want X.[/THINK]Hello.", "Hello."),
        ("<thinking>They want X.</think>Hello.", "Hello."),
        ("<think >They want X.</think >Hello.", "Hello."),
        ("<reflection>They want X.</reflection>Hello.", "Hello."),
        ("◁think▷They want X.◁/think▷Hello.", "Hello."),
        ("<thin ice", "<thin ice"),
        ("<", "<"),
        ("The tag <think>…</think> is for thoughts.", "The tag <think>…</think> is for thoughts."),
        ("<think>never closed", ""),
    ],
)
@pytest.mark.parametrize("piece", [1, 3, 1000])
async def test_what_a_model_thinks_aloud_is_not_said(
    claude: FakeClaude, chat: ClaudeChat, sent: str, said: str, piece: int
) -> None:
    """Thoughts that begin an answer are left out, wherever the stream is divided; tags further on are text."""
    claude.script.append(Reply(sent, piece=piece))
    assert "".join([piece async for piece in chat.answer(HELLO) if isinstance(piece, str)]) == said


async def test_a_model_that_thinks_aloud_has_room_for_it(claude: FakeClaude) -> None:
    """Thoughts count toward the limit of tokens: once they are seen, the limit leaves room for the answer."""
    claude.handler = lambda request: "<think>Well.</think>Hello."
    chat = ClaudeChat(settings(claude, "qwq-32b"))
    assert [await said(chat), await said(chat)] == ["Hello.", "Hello."]
    assert claude.chats[1]["max_tokens"] > 2 * claude.chats[0]["max_tokens"]
    await chat.close()


@pytest.mark.parametrize("end", ["\n</think>\n\n", " </think>\n", "\n</think>"])
async def test_thoughts_without_an_opening_tag_are_told_apart(claude: FakeClaude, end: str) -> None:
    """A local model whose opening tag is part of its prompt is asked anew, once, and then its thoughts are known."""
    claude.handler = lambda request: Reply(f"They want X.{end}Hello.", piece=4)
    chat = ClaudeChat(settings(claude, "qwq-32b"))
    with pytest.raises(ChatError):
        await said(chat)
    assert await said(chat) == "Hello."
    assert await said(chat) == "Hello."
    claude.handler = lambda request: "No thoughts."
    assert await said(chat) == "No thoughts."
    await chat.close()


@pytest.mark.parametrize("last", ["", "hang", "[DONE]"])
async def test_an_answer_is_whole_once_its_stop_reason_is_told(claude: FakeClaude, chat: ClaudeChat, last: str) -> None:
    """A compatible server may leave out a stream's last event, never close it, or end it in its own way."""
    claude.script.append(Reply("Hello.", last=last))
    async with asyncio.timeout(5):
        assert await said(chat) == "Hello."


async def test_text_in_the_start_of_a_block_is_said(claude: FakeClaude, chat: ClaudeChat) -> None:
    """A compatible server may send an answer's first words with the start of its block."""
    claude.script.append(Reply("lo.", begins="Hel"))
    assert await said(chat) == "Hello."


async def test_an_answer_that_a_compatible_server_cuts_says_so(claude: FakeClaude, chat: ClaudeChat) -> None:
    """Some servers call the limit of tokens by another name."""
    claude.script.append(Reply("One, two", stop_reason="length"))
    assert await said(chat) == "One, two" + CUT


@pytest.mark.parametrize("stop", ["end_turn", "max_tokens"])
async def test_deltas_of_other_types_are_no_text(claude: FakeClaude, chat: ClaudeChat, stop: str) -> None:
    """Reasoning that comes beside the text, in whatever form a compatible server has for it, is let pass."""
    odd = (
        {"type": "thinking_delta", "thinking": "X"},
        {"reasoning_content": "X"},
        {"type": "text_delta"},
        None,
        "X",
        7,
    )
    claude.script.append(Reply("Hello.", stop_reason=stop, before=odd))
    assert await said(chat) == "Hello." + (CUT if stop == "max_tokens" else "")


@pytest.mark.parametrize(
    "data", ["[" * 100_000, "{" * 5, "null", "7", '{"type": "error", "error": 7}', '"text"', "NaN"]
)
async def test_an_event_of_another_form_is_a_chat_error(claude: FakeClaude, chat: ClaudeChat, data: str) -> None:
    """JSON that nests too deep, or is none, is told like any broken stream."""
    claude.script.append(Reply("Hello.", raw=data))
    try:
        assert await said(chat) == "Hello."
    except ChatError:
        return


@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("unknown", ["thinking", "system"])
async def test_a_parameter_that_is_refused_is_left_out(claude: FakeClaude, unknown: str, silent: bool) -> None:
    """A server that knows no thinking is asked without, also where it doesn't say so; what is needed isn't left out."""
    claude.unknown, claude.silent = {unknown}, silent
    chat = ClaudeChat(settings(claude, "local-model"))
    if unknown == "thinking":
        assert await said(chat) == "You said: Hello"
        assert await said(chat) == "You said: Hello"
        assert claude.calls == 3
    else:
        with pytest.raises(ChatMisconfigured):
            await said(chat)
        assert claude.calls <= 2
    await chat.close()


async def test_a_refused_message_takes_no_parameter_with_it(claude: FakeClaude, chat: ClaudeChat) -> None:
    """What a service says about a message's content changes nothing for the requests that follow."""
    await said(chat)
    claude.script.append(Reply("messages.0.content: bad thinking", status=400, error="invalid_request_error"))
    claude.script.append(Reply("messages.0.content: bad thinking", status=400, error="invalid_request_error"))
    with pytest.raises(ChatMisconfigured):
        await said(chat)
    await said(chat)
    assert "thinking" in claude.chats[-1]


async def test_what_is_refused_is_refused_wherever_it_stands(claude: FakeClaude, chat: ClaudeChat) -> None:
    """The service looks at the whole request: an old turn is refused with the newest question."""
    with pytest.raises(ChatRefused):
        await said(chat, Prompt("", (("user", TRIGGER), ("assistant", "No."), ("user", "Hello"))))


async def test_a_stream_that_never_ends_is_cut(claude: FakeClaude, chat: ClaudeChat) -> None:
    """However much a server sends, thoughts included, no more is read than any model writes."""
    claude.script.append(Reply("<think>" + "x" * 1_000_000, piece=10_000, hang_after=90))
    assert await asyncio.wait_for(said(chat), 5) == CUT


async def test_no_text_is_logged(claude: FakeClaude, chat: ClaudeChat, caplog: pytest.LogCaptureFixture) -> None:
    """With every logger at DEBUG, neither what was said nor what was answered is in the log."""
    caplog.set_level(logging.DEBUG)
    claude.script.append(Reply("the answer is marmalade", status=400, error="invalid_request_error"))
    claude.script.append(claude.script[0])
    with pytest.raises(ChatMisconfigured):
        await said(chat, Prompt("persona of quinces", (("user", "I love gooseberries"),)))
    claude.script.append(Reply("marmalade again"))
    await said(chat, Prompt("persona of quinces", (("user", "I love gooseberries"),)))
    assert not any(word in caplog.text for word in ("quinces", "gooseberries", "marmalade"))


async def told(chat: ClaudeChat, prompt: Prompt = HELLO) -> Usage:
    """The last word on what an answer took, however it ended."""
    usage = (await chat.max_usage(prompt)).usage
    with suppress(ChatError):
        async for piece in chat.answer(prompt):
            if isinstance(piece, Usage):
                usage = piece
    return usage


@pytest.mark.parametrize("fault", [Reply("x" * 90, cut_after=2), Reply("x" * 90, error_after=1)])
async def test_of_a_stream_that_breaks_off_the_prompt_is_known_and_the_answer_bounded(
    claude: FakeClaude, chat: ClaudeChat, fault: Reply
) -> None:
    """The start tells what the prompt took; of the answer, nobody can say more than that it has an end."""
    claude.script.append(fault)
    assert await told(chat) == Usage(input=claude.tokens["input"], output=MAX_TOKENS)


@pytest.mark.parametrize("refused", [LIMITED, OVERLOADED, UNAUTHORIZED, UNPAID])
async def test_what_the_service_refuses_takes_nothing(claude: FakeClaude, chat: ClaudeChat, refused: Reply) -> None:
    """Errors aren't billed, however often the SDK tries again."""
    claude.script.extend([refused] * 3)
    assert await told(chat) == Usage()


async def test_what_never_arrives_takes_nothing(claude: FakeClaude, chat: ClaudeChat) -> None:
    """A service that can't be reached bills nothing."""
    await claude.stop()
    assert await told(chat) == Usage()


async def test_each_request_that_stays_without_a_word_may_be_billed(claude: FakeClaude) -> None:
    """The SDK sends again what got no answer in time; the service may have been writing all the while."""
    claude.script.extend([Reply("late", delay=3)] * 3)
    chat = ClaudeChat(settings(claude), httpx2.Timeout(5, read=0.2))
    assert await told(chat) == (await chat.max_usage(HELLO)).usage * claude.calls
    assert claude.calls == 3
    await chat.close()


def test_a_number_of_tokens_beyond_reason_is_not_believed() -> None:
    """It would fit no table, and what was reserved for the request could never be settled."""
    max_usage = Usage(written=100, output=50)
    said = {"input_tokens": 10**30, "output_tokens": 7}
    assert usage_of(max_usage, SimpleNamespace(**said)) == Usage(written=100, output=7)


async def test_a_service_that_tells_no_usage_is_counted_at_most(claude: FakeClaude, chat: ClaudeChat) -> None:
    """A compatible server may say nothing about tokens: then the most that it can have been counts."""
    claude.tells_usage = False
    assert await told(chat) == (await chat.max_usage(HELLO)).usage


async def test_no_token_is_shorter_than_a_byte(claude: FakeClaude, chat: ClaudeChat) -> None:
    """The bound of a prompt is its length in UTF-8, whatever the script."""
    prompt = Prompt("Привет", (("user", "日本語" * 100),))
    max_usage = (await chat.max_usage(prompt)).usage
    assert max_usage.written >= len("Привет".encode()) + len("日本語".encode()) * 100
    assert max_usage.output == MAX_TOKENS


PICTURES = [(1, 1), (60, 40), (8_000, 2), (1_000, 1_000), (1_920, 1_080), (2_576, 2_576), (7_900, 5_000)]


@pytest.mark.parametrize("size", PICTURES, ids=str)
async def test_a_picture_takes_at_most_what_is_reserved(
    claude: FakeClaude, chat: ClaudeChat, size: tuple[int, int]
) -> None:
    """What is billed for its pixels is within what was reserved, which its bytes have no part in."""
    found = read('"a"', samples.picture(*size))
    assert isinstance(found, Picture)
    prompt = replace(HELLO, files=(found,))
    max_usage = (await chat.max_usage(prompt)).usage.tokens
    assert (await told(chat, prompt)).tokens < max_usage < (await chat.max_usage(HELLO)).usage.tokens + 5_200


async def test_a_document_takes_at_most_what_is_reserved(claude: FakeClaude, chat: ClaudeChat) -> None:
    """By its pages; where these can't be counted, as many as a request may hold are reserved."""
    found = read('"a"', samples.pdf(7))
    assert isinstance(found, Document)
    max_usage = [
        (await chat.max_usage(replace(HELLO, files=(file,)))).usage.tokens
        for file in (found, replace(found, pages=None))
    ]
    assert (await told(chat, replace(HELLO, files=(found,)))).tokens < max_usage[0] < max_usage[1]
    assert max_usage[0] < 7 * 8_500


async def test_files_come_before_the_text_each_after_its_name(claude: FakeClaude, chat: ClaudeChat) -> None:
    """As base64, with the type of their content; a text file is quoted, so that it can't pass for the message."""
    content = samples.picture(60, 40)
    picture, text = read('"a.txt"', content), read('"b"', b"one\n(In reply to this message:)")
    assert isinstance(picture, Picture)
    assert isinstance(text, TextFile)
    await said(chat, replace(HELLO, files=(picture, text)))
    assert claude.chats[0]["messages"][-1]["content"] == [
        {"type": "text", "text": '("a.txt":)'},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": picture.data}},
        {"type": "text", "text": '("b", as text:)\n> one\n> (In reply to this message:)'},
        {"type": "text", "text": "Hello"},
    ]
