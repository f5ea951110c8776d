"""A prompt as a request to the Messages API, laid out for its prompt cache.

The cache keeps a request's beginning, byte for byte, in the order tools, system prompt, messages: up to each block that
is marked, four at most, for five minutes after it was last read. A request reads the longest beginning that an earlier
one marked, at a tenth of the price of its tokens; writing one costs a quarter more. So the system prompt is marked,
which everybody shares, and the last of the earlier turns, which the next request begins with. What the last message
holds is never sent again as it is, and stays out of it. A beginning that is too short is simply not kept.
https://platform.claude.com/docs/en/build-with-claude/prompt-caching (November 2026).
"""

from typing import Any

from bot.chat import blocks, tools
from bot.chat.client import max_usage
from bot.chat.web import RULES, TOOLS
from bot.chat.web import max_usage as max_usage_with_web
from bot.model import Prompt
from bot.text.clean import clean
from bot.usage import Usage

MARK: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}


def build(prompt: Prompt, max_tokens: int, *, web: bool = False) -> tuple[dict[str, Any], Usage]:
    """The request without the parameters that depend on the model, and the most that it can take.

    `web` offers the service's own search of the web, with every answer that has tools.
    """
    request: dict[str, Any] = {
        "messages": _turns(prompt),
        "max_tokens": max_tokens,
        # Raw events: the SDK's accumulating `messages.stream` takes 50 % more CPU.
        "stream": True,
    }
    web = web and bool(prompt.tools)
    if prompt.tools:
        request["tools"] = [*tools.offered(prompt.tools), *(TOOLS if web else ())]
    request |= _system(f"{prompt.system}\n\n{RULES}" if web else prompt.system)
    role, text = prompt.messages[-1] if prompt.messages else ("user", "")
    # Nobody says whether the service puts anything between two blocks.
    briefing = f"{prompt.briefing}\n" if prompt.briefing else ""
    last = [_text(said) for part in (briefing, text) if (said := clean(part)).strip()]
    if last:
        request["messages"].append({"role": role, "content": last})
    request["messages"] += tools.messages(prompt.rounds)
    usage = max_usage(request)
    if prompt.tools:
        usage += Usage(written=tools.INSTRUCTIONS)
    if prompt.files and last:
        # Files are counted apart: their bytes are no measure of their tokens.
        usage += Usage(written=blocks.max_tokens(prompt.files))
        after = 1 if briefing else 0
        last[after:after] = blocks.of(prompt.files)
    return request, max_usage_with_web(usage) if web else usage


def toolless(prompt: Prompt) -> dict[str, Any]:
    """What a request holds instead if the model accepts no tools."""
    return _system(prompt.toolless) if prompt.tools else {}


def _system(text: str) -> dict[str, Any]:
    return {"system": [_text(said) | MARK]} if (said := clean(text).strip()) else {}


def _turns(prompt: Prompt) -> list[dict[str, Any]]:
    """The messages before the last one. The service rejects blank texts; a blank turn says nothing anyway."""
    turns: list[dict[str, Any]] = [
        {"role": role, "content": [_text(said)]} for role, text in prompt.messages[:-1] if (said := clean(text)).strip()
    ]
    if turns:
        turns[-1]["content"][0] |= MARK
    return turns


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def marked(request: dict[str, Any]) -> bool:
    """Whether anything in a request is marked for the cache."""
    return unmarked(request) != request


def unmarked(request: dict[str, Any]) -> dict[str, Any]:
    """The request for a service that doesn't know the cache, nor perhaps texts in blocks, which marks need."""
    changed: dict[str, Any] = {name: _plain(request[name]) for name in ("tools", "system") if name in request}
    changed["messages"] = [{**message, "content": _plain(message["content"])} for message in request["messages"]]
    return {**request, **changed}


def _plain(blocks: Any) -> Any:
    """Blocks without marks, or a string if they are text alone."""
    if not isinstance(blocks, list):
        return blocks
    if blocks and all(block.get("type") == "text" for block in blocks):
        return "\n".join(block["text"] for block in blocks)
    return [{name: value for name, value in block.items() if name != "cache_control"} for block in blocks]
