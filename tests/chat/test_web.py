"""Anthropic's search of the web at the wire: what is offered, how pauses go on, what is cited, what it may take."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from bot.chat.claude import ClaudeChat
from bot.chat.web import RULES, SEARCHES
from bot.config import Settings
from bot.core.tools import TOOLS
from bot.model import Asked, Link, Prompt, Result, Round, Web
from bot.usage import Usage
from tests.fakes.claude import FakeClaude, Reply, system_text
from tests.fakes.claude_tools import Calling
from tests.fakes.claude_web import Found, Look

LAW = Found("https://example.test/law", "The new law")
NEWS = Found("https://example.test/news?a=1&b=2", "News, of today")
QUESTION = Prompt("The rules.", (("user", "What is new?"),), tools=TOOLS, toolless="The rules, without tools.")


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    async with FakeClaude() as server:
        yield server


@pytest.fixture
async def chat(claude: FakeClaude) -> AsyncIterator[ClaudeChat]:
    made = ClaudeChat(
        Settings(
            anthropic_api_key=SecretStr("key"),
            anthropic_base_url=claude.url,
            bot_web_search=True,
            _env_file=None,  # type: ignore[call-arg] # pydantic-settings' own argument, unknown to its types
        )
    )
    yield made
    await made.close()


async def pieces(chat: ClaudeChat, prompt: Prompt = QUESTION) -> tuple[str, list[Web], Asked | None, Usage]:
    """A turn's text, what it says of the web, what it asks for, and what it took."""
    found = [piece async for piece in chat.answer(prompt)]
    text = "".join(piece for piece in found if isinstance(piece, str))
    asked = found[-1] if isinstance(found[-1], Asked) else None
    usage = [piece for piece in found if isinstance(piece, Usage)][-1]
    return text, [piece for piece in found if isinstance(piece, Web)], asked, usage


async def test_sources_are_told_once_each_and_searches_are_counted(claude: FakeClaude, chat: ClaudeChat) -> None:
    """The pages that were read, and what the text cites; the tokens of what was found are in the usage."""
    looks = (Look("law", (LAW, NEWS)), Look("law again", (LAW,)), Look(NEWS.url, (NEWS,), fetch=True))
    claude.script.append(Reply("A law was passed.", looks=looks))
    text, web, asked, usage = await pieces(chat)
    assert (text, asked) == ("A law was passed.", None)
    assert web == [Web((Link(NEWS.url, NEWS.title), Link(LAW.url, LAW.title)))]
    assert usage.searches == 2
    assert system_text(claude.chats[0]).endswith(RULES)


async def test_a_turn_that_does_not_look_says_nothing_of_it(claude: FakeClaude, chat: ClaudeChat) -> None:
    """Most answers need nothing of the web."""
    text, web, _, usage = await pieces(chat)
    assert (text, web, usage.searches) == ("You said: What is new?", [], 0)


async def test_a_paused_turn_goes_on(claude: FakeClaude, chat: ClaudeChat) -> None:
    """It goes back as it came, encrypted results included, and is followed by nothing."""
    claude.script.append(Reply("I am looking.", looks=(Look("law", (LAW,)),), stop_reason="pause_turn", piece=3))
    text, web, asked, _ = await pieces(chat)
    assert (text, len(web)) == ("I am looking.", 1)
    assert asked is not None
    assert asked.calls == ()
    claude.script.append("There is one.")
    again = replace(QUESTION, rounds=(Round(asked, ()),))
    assert (await pieces(chat, again))[0] == "There is one."
    assert [message["role"] for message in claude.chats[1]["messages"]] == ["user", "assistant"]
    sent = claude.chats[1]["messages"][1]["content"]
    assert [block["type"] for block in sent] == ["server_tool_use", "web_search_tool_result", "text"]
    assert sent[0]["input"] == {"query": "law"}


async def test_our_tools_and_the_web_in_one_turn(claude: FakeClaude, chat: ClaudeChat) -> None:
    """The turn stops for our tool; what it has found so far goes back beside the result."""
    call = Calling("search_memory", {"query": "law"})
    claude.script.append(Reply("", looks=(Look("law", (LAW,)),), calls=(call,)))
    _, web, asked, _ = await pieces(chat)
    assert web == [Web(())]
    assert asked is not None
    assert [each.name for each in asked.calls] == ["search_memory"]
    claude.script.append("Found.")
    again = replace(QUESTION, rounds=(Round(asked, (Result("nothing"),)),))
    assert (await pieces(chat, again))[0] == "Found."


async def test_a_failed_look_is_claudes_to_tell(claude: FakeClaude, chat: ClaudeChat) -> None:
    """An error is among the blocks; it isn't billed, and the answer goes on."""
    claude.script.append(Reply("I couldn't look.", looks=(Look("law", error="unavailable"),)))
    text, web, _, usage = await pieces(chat)
    assert (text, web, usage.searches) == ("I couldn't look.", [Web(())], 0)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "ftp://example.test", "https://example.test/" + "a" * 3000])
async def test_what_is_no_address_is_not_told(claude: FakeClaude, chat: ClaudeChat, url: str) -> None:
    """Only pages that people can open."""
    claude.script.append(Reply("So it is.", looks=(Look("law", (Found(url, "Odd"),)),)))
    assert (await pieces(chat))[1] == [Web(())]


async def test_an_account_without_web_search_is_asked_without(claude: FakeClaude, chat: ClaudeChat) -> None:
    """Our tools stay, and nothing claims that it can search."""
    refusal = "Web search is not enabled for this organization."
    claude.script.append(Reply(refusal, status=400, error="invalid_request_error"))
    assert (await pieces(chat))[0] == "You said: What is new?"
    assert [tool["name"] for tool in claude.chats[1]["tools"]] == [tool.name for tool in TOOLS]
    assert system_text(claude.chats[1]) == "The rules."
    await pieces(chat)
    assert len(claude.chats) == 3


async def test_the_most_that_it_may_take_covers_what_it_takes(claude: FakeClaude, chat: ClaudeChat) -> None:
    """Searches and what they find are reserved before the request is sent."""
    most = await chat.max_usage(QUESTION)
    looks = tuple(Look(f"law {number}", (LAW,)) for number in range(SEARCHES))
    claude.script.append(Reply("So it is.", looks=looks))
    usage = (await pieces(chat))[3]
    assert usage.searches == SEARCHES == most.usage.searches
    assert usage.tokens <= most.usage.tokens


async def test_nothing_of_it_is_offered_unless_it_is_switched_on(claude: FakeClaude) -> None:
    """It costs, and it sends what Claude writes to a search engine."""
    plain = ClaudeChat(Settings(anthropic_api_key=SecretStr("key"), anthropic_base_url=claude.url, _env_file=None))  # type: ignore[call-arg]
    await pieces(plain)
    await plain.close()
    assert not [tool for tool in claude.chats[0]["tools"] if "type" in tool]
    assert RULES not in system_text(claude.chats[0])
